#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: aws_stack_info
short_description: Report what a stack has in an AWS account
version_added: 0.1.0
author:
  - The OrthWeb authors (@cellcs)
description:
  - Finds everything in one region of the account that has the tag C(orthweb:stack) with the stack's name, and
    everything that has one of the stack's names without that tag, which is somebody else's.
  - Queries all kinds of resources in parallel, so that it takes about as long as one query.
options:
  stack:
    description: The stack's name, the value of the tag C(orthweb:stack).
    type: str
    required: true
  names:
    description:
      - What the stack calls its resources. The keys are kinds, as in RV(resources), the values lists of names.
      - A name is that of the API where the kind has one there (security groups, key pairs, RDS, IAM, secrets, log
        groups, load balancers, buckets, C(alias/) and the alias for keys), else the tag C(Name).
      - IAM roles and instance profiles are found by these names only, for AWS has no list of them by tag. IAM belongs
        to the account and not to a region, so their names should have C({region}), which stands for the region.
    type: dict
    default: {}
  former_names:
    description:
      - What earlier versions called the stack's resources, as O(names). What has the tag is found under these names,
        too; what somebody else has is not reported.
      - A role or instance profile without a region in its name is taken for one of this region if the role may write to
        a log group here, or else if an instance or a flow log of the stack uses it here.
    type: dict
    default: {}
    version_added: 0.2.0
  limits_for:
    description: What is to be made, to report which zones offer it and whether the account's quotas allow it.
    type: dict
    suboptions:
      instance_type:
        description: Type of the hosts.
        type: str
        required: true
      database_class:
        description: Class of the database; empty if there is to be none.
        type: str
        default: ""
      engine_version:
        description: PostgreSQL's major version.
        type: str
        default: ""
attributes:
  check_mode:
    description: Only reads, and does the same in check mode.
    support: full
  diff_mode:
    description: Has nothing to show.
    support: none
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: See what there is
  cellcs.orthweb.aws_stack_info:
    stack: orthweb
    names:
      vpcs: [orthweb]
      kms_keys: [alias/orthweb]
      iam_roles: ['orthweb_{region}-imaging']
  register: stack

- name: Leave alone what is not ours
  ansible.builtin.assert:
    that: stack.foreign == []
"""

RETURN = r"""
resources:
  description:
    - What has the stack's tag. The keys are the kinds, each with a list in the order of the names.
    - The kinds are C(vpcs), C(subnets), C(internet_gateways), C(route_tables), C(vpc_endpoints), C(network_acls),
      C(security_groups),
      C(key_pairs), C(instances), C(volumes), C(addresses), C(flow_logs), C(network_interfaces), C(kms_keys),
      C(secrets), C(iam_roles), C(instance_profiles), C(log_groups), C(load_balancers), C(target_groups),
      C(db_instances), C(db_subnet_groups), C(db_parameter_groups), C(db_snapshots) (without the automated ones),
      C(event_subscriptions), C(alarms), C(topics), C(backup_vaults), C(backup_plans) and C(buckets).
    - Each resource has C(id), C(name), C(state) and C(tags), and what its kind has beside, such as the C(endpoint) of
      a database instance, the C(parameters) of a parameter group, or C(needed_by) of a key.
    - Of a database of the stack, C(upgrades) are the versions that RDS could upgrade it to (C(version), C(major),
      C(automatic)), and C(maintenance) is what RDS is going to do (C(action), C(description), C(date), C(forced_date)).
      C(parameter_apply_status) says of each parameter group whether its values are in force.
    - Of a key of the stack, C(services) are those of AWS that its policy lets encrypt with it, and C(accounts) those
      that it lets decrypt. C(log_groups) are the names of those that it encrypts.
    - A backup vault has the number of its C(recovery_points); a plan its C(rules) and C(selections).
    - C(needed_by) has C(kind) and C(id) of what could not be read without the key, namely backups, whatever their tags
      are, and what is not the stack's.
  returned: success
  type: dict
  sample:
    vpcs:
      - id: vpc-0f5e2bb4f0d1c4d3a
        name: orthweb
        state: available
        tags: {Name: orthweb, 'orthweb:stack': orthweb}
        cidr: 10.20.0.0/16
going:
  description: What has the stack's tag and is terminated, deleted, or about to be, as in RV(resources).
  returned: success
  type: dict
  sample: {vpcs: [], instances: [{id: i-0a1b2c3d4e5f60718, name: orthweb-imaging-1, state: shutting-down}]}
count:
  description: How many RV(resources) there are.
  returned: success
  type: int
  sample: 34
counts:
  description: The same by kind.
  returned: success
  type: dict
  sample: {vpcs: 1, subnets: 4}
foreign:
  description: What has one of O(names) and lacks the stack's tag.
  returned: success
  type: list
  elements: dict
  sample: [{kind: vpcs, id: vpc-0a1b2c3d4e5f60718, name: orthweb}]
elsewhere:
  description: Roles and instance profiles with the stack's tag that are of another region, or of an unknown one.
  returned: success
  type: list
  elements: dict
  sample: [{kind: iam_roles, id: AROA0A1B2C3D4E5F60718, name: orthweb_eu-west-1-imaging, region: eu-west-1}]
region:
  description: The region that was asked.
  returned: success
  type: str
  sample: eu-central-1
limits:
  description:
    - What the account can have. C(offers) has the zones with the C(instance_type) and with the C(database_class), in
      that major version and on gp3. C(vcpus) are those of one host, if its family has the common quota. C(quotas) have
      C(limit) and C(used). C(denied) are the IAM actions that are missing to ask for the rest, which is null or not
      among the quotas, and C(unreachable) the services that do not answer.
  returned: if O(limits_for) is set
  type: dict
  sample:
    offers: {instance_type: [us-east-1a, us-east-1b], database_class: [us-east-1a, us-east-1c]}
    vcpus: 2
    quotas:
      vpcs: {limit: 5, used: 1}
      addresses: {limit: 5, used: 0}
      standard_vcpus: {limit: 32, used: 4}
      databases: {limit: 40, used: 0}
      database_storage_gb: {limit: 100000, used: 0}
    denied: []
    unreachable: []
"""

import functools

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.cellcs.orthweb.plugins.module_utils.aws.limits import LimitsError, limits
from ansible_collections.cellcs.orthweb.plugins.module_utils.aws.survey import KINDS, SurveyError, survey


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "stack": {"type": "str", "required": True},
            "names": {"type": "dict", "default": {}},
            "former_names": {"type": "dict", "default": {}},
            "limits_for": {
                "type": "dict",
                "options": {
                    "instance_type": {"type": "str", "required": True},
                    "database_class": {"type": "str", "default": ""},
                    "engine_version": {"type": "str", "default": ""},
                },
            },
        },
        supports_check_mode=True,
    )
    for option in ("names", "former_names"):
        names = module.params[option]
        unknown = sorted(set(names) - set(KINDS))
        if unknown:
            known = ", ".join(sorted(KINDS))
            module.fail_json(msg=f"{option} has unknown kinds: {', '.join(unknown)}. Known kinds: {known}.")
        wrong = sorted(kind for kind, given in names.items() if not isinstance(given, list))
        if wrong:
            module.fail_json(msg=f"{option} must have a list of names for each kind. Not a list: {', '.join(wrong)}.")
    client = functools.cache(module.client)
    more = {}
    try:
        found = survey(
            client, module.params["stack"], module.params["names"], module.region, module.params["former_names"]
        )
        if module.params["limits_for"]:
            more["limits"] = limits(client, **module.params["limits_for"])
    except (SurveyError, LimitsError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(
        changed=False,
        resources=found.resources,
        going=found.going,
        count=sum(map(len, found.resources.values())),
        counts={kind: len(each) for kind, each in found.resources.items()},
        foreign=found.foreign,
        elsewhere=found.elsewhere,
        region=module.region,
        **more,
    )


if __name__ == "__main__":
    main()
