# SPDX-License-Identifier: GPL-3.0-or-later
"""What a stack calls its resources in an AWS account."""

from __future__ import annotations

from typing import Any


def names(stack: str, engine_version: object = None) -> dict[str, Any]:
    """Names by what they are for.

    :param engine_version: of PostgreSQL, as far as RDS is told; its parameters belong to a major version, and have no
        name without one
    :returns: ``claimed`` has those that nobody else can have too, by kind as in the module aws_stack_info
    """
    found: dict[str, Any] = {
        # The VPC, its gateway and its flow log, the key pair, the load balancer, the database and its subnet group.
        "stack": stack,
        "key_alias": f"alias/{stack}",
        # The hosts' security group, role and instance profile.
        "imaging": f"{stack}-imaging",
        "balancer_security_group": f"{stack}-balancer",
        "database_security_group": f"{stack}-database",
        "endpoints_security_group": f"{stack}-endpoints",
        "public_route_table": f"{stack}-public",
        "private_network_acl": f"{stack}-private",
        "private_route_table": f"{stack}-private",
        "flow_logs_role": f"{stack}-flow-logs",
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
    }
    found["claimed"] = {
        "key_pairs": [stack],
        "load_balancers": [stack],
        "kms_keys": [found["key_alias"]],
        "secrets": [found["master_secret"], found["orthanc_secret"], found["controller_secret"]],
        "iam_roles": [found["imaging"], found["flow_logs_role"]],
        "instance_profiles": [found["imaging"]],
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
    }
    if engine_version is not None:
        family = f"postgres{str(engine_version).partition('.')[0]}"
        found |= {"parameter_family": family, "parameter_group": f"{stack}-{family}"}
        found["claimed"]["db_parameter_groups"] = [found["parameter_group"]]
    return found


def hosts(stack: str, count: int) -> list[str]:
    return [f"{stack}-imaging-{number}" for number in range(1, int(count) + 1)]


def subnet(stack: str, tier: str, zone: str) -> str:
    return f"{stack}-{tier}-{zone}"


def endpoint(stack: str, service: str) -> str:
    return f"{stack}-{service}"
