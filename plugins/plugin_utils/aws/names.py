# SPDX-License-Identifier: GPL-3.0-or-later
"""What a stack calls its resources in an AWS account."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# Of the roles, and what earlier versions called them. IAM belongs to the account, so a name has the region. A stack's
# name has no underscore: none of these is that of another stack.
ROLES = {
    "imaging": "{stack}_{region}-imaging",
    "flow_logs": "{stack}_{region}-flow-logs",
    "backup": "{stack}_{region}-backup",
}
FORMER_ROLES = {"imaging": "{stack}-imaging", "flow_logs": "{stack}-flow-logs"}


def names(stack: str, engine_version: object = None) -> dict[str, Any]:
    """Names by what they are for.

    :param engine_version: of PostgreSQL, as far as RDS is told; its parameters belong to a major version, and have no
        name without one
    :returns: ``claimed`` has those that nobody else can have too, by kind as in the module aws_stack_info, ``former``
        those of roles of earlier versions; those of today are in :func:`roles`
    """
    claimed_roles = {part: name.replace("{stack}", stack) for part, name in ROLES.items()}
    former_roles = {part: name.replace("{stack}", stack) for part, name in FORMER_ROLES.items()}
    found: dict[str, Any] = {
        # The VPC, its gateway and its flow log, the key pair, the load balancer, the database and its subnet group.
        "stack": stack,
        "key_alias": f"alias/{stack}",
        # The hosts' security group.
        "imaging": f"{stack}-imaging",
        "balancer_security_group": f"{stack}-balancer",
        "database_security_group": f"{stack}-database",
        "endpoints_security_group": f"{stack}-endpoints",
        "public_route_table": f"{stack}-public",
        "private_network_acl": f"{stack}-private",
        "private_route_table": f"{stack}-private",
        "log_group": f"/orthweb/{stack}/flow-logs",
        "audit_log_group": f"/orthweb/{stack}/audit",
        # RDS's own choice; behind it is the kind of log.
        "database_log_groups": f"/aws/rds/instance/{stack}/",
        "master_secret": f"{stack}/database-master",
        "orthanc_secret": f"{stack}/database-orthanc",
        # The copy of the controller's folder; further parts of it have -2, -3 … at the end.
        "controller_secret": f"{stack}/controller",
        # The topic, and the subscription to RDS's events; the names of alarms begin with the stack's and a slash.
        "alarms": f"{stack}-alarms",
        # The vault of AWS Backup, and the plan.
        "backup": f"{stack}-backup",
    }
    found["claimed"] = {
        "key_pairs": [stack],
        "load_balancers": [stack],
        "kms_keys": [found["key_alias"]],
        "secrets": [found["master_secret"], found["orthanc_secret"], found["controller_secret"]],
        "iam_roles": list(claimed_roles.values()),
        "instance_profiles": [claimed_roles["imaging"]],
        "log_groups": [
            found["log_group"],
            found["audit_log_group"],
            *(f"{found['database_log_groups']}{kind}" for kind in ("postgresql", "upgrade")),
        ],
        "db_instances": [stack],
        "db_subnet_groups": [stack],
        # The module looks for it by its name, in every VPC.
        "network_acls": [found["private_network_acl"]],
        "topics": [found["alarms"]],
        "event_subscriptions": [found["alarms"]],
        "backup_vaults": [found["backup"]],
        "backup_plans": [found["backup"]],
    }
    found["former"] = {"iam_roles": list(former_roles.values()), "instance_profiles": [former_roles["imaging"]]}
    if engine_version is not None:
        family = f"postgres{str(engine_version).partition('.')[0]}"
        found |= {"parameter_family": family, "parameter_group": f"{stack}-{family}"}
        found["claimed"]["db_parameter_groups"] = [found["parameter_group"]]
    return found


def roles(stack: str, survey: Mapping[str, Any]) -> dict[str, str]:
    """What the roles, and with it the instance profile, are called: as they are, or as they would be made.

    :param survey: what the module aws_stack_info returned
    """
    there = {each["name"] for kind in ("iam_roles", "instance_profiles") for each in survey["resources"][kind]}

    def name_of(part: str) -> str:
        name = ROLES[part].format(stack=stack, region=survey["region"])
        former = FORMER_ROLES.get(part, "").format(stack=stack)
        return former if former in there and name not in there else name

    return {part: name_of(part) for part in ROLES}


def hosts(stack: str, count: int) -> list[str]:
    return [f"{stack}-imaging-{number}" for number in range(1, int(count) + 1)]


def subnet(stack: str, tier: str, zone: str) -> str:
    return f"{stack}-{tier}-{zone}"


def endpoint(stack: str, service: str) -> str:
    return f"{stack}-{service}"
