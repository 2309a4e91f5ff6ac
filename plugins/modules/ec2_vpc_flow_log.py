#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ec2_vpc_flow_log
short_description: Manage the flow log of a VPC in CloudWatch Logs
version_added: 0.1.0
author:
  - The OrthWeb authors (@cellcs)
description:
  - Creates the flow log of a VPC, replaces it when its settings differ, or removes it.
  - A flow log of ours is known by its tag C(orthweb:stack), or C(Name) if O(tags) has no other. Other flow logs of the
    same VPC are never touched.
  - A flow log cannot be changed in AWS. When a setting differs, it is removed and created again, and for some
    seconds nothing is recorded.
options:
  state:
    description: Whether the flow log should exist.
    type: str
    choices: [present, absent]
    default: present
  vpc_id:
    description:
      - The VPC.
      - Without it, O(state=absent) removes ours on any VPC of the region.
    type: str
  log_group_name:
    description: The log group. It should exist, otherwise AWS creates one without tags and with unlimited retention.
    type: str
  role_arn:
    description: The role that AWS assumes to write to the log group.
    type: str
  traffic_type:
    description: What is recorded.
    type: str
    choices: [ALL, ACCEPT, REJECT]
    default: ALL
  max_aggregation_interval:
    description: Number of seconds of traffic that are aggregated into one record.
    type: int
    choices: [60, 600]
    default: 600
  tags:
    description: Tags of the flow log. C(orthweb:stack) or C(Name) must be among them.
    type: dict
    required: true
  purge_tags:
    description: Whether to remove tags that are not in O(tags).
    type: bool
    default: true
attributes:
  check_mode:
    description: Reports what it would do, and does nothing.
    support: full
  diff_mode:
    description: Shows settings and tags before and after.
    support: full
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Record who talks to whom
  cellcs.orthweb.ec2_vpc_flow_log:
    vpc_id: vpc-0f5e2bb4f0d1c4d3a
    log_group_name: /orthweb/orthweb/flow-logs
    role_arn: arn:aws:iam::123456789012:role/orthweb-flow-logs
    max_aggregation_interval: 60
    tags:
      Name: orthweb
      orthweb:stack: orthweb

- name: Record it no longer
  cellcs.orthweb.ec2_vpc_flow_log:
    state: absent
    tags:
      orthweb:stack: orthweb
"""

RETURN = r"""
flow_log_ids:
  description:
    - The existing flow log. Empty where check mode would create it.
    - With O(state=absent), those that were removed.
  returned: success
  type: list
  elements: str
  sample: [fl-0a1b2c3d4e5f60718]
replaced_ids:
  description: Our flow logs that were removed because their settings differ, or because there were several.
  returned: when O(state=present)
  type: list
  elements: str
  sample: []
reasons:
  description: Why something was changed. V(missing), V(tags_differ), V(surplus), or a setting with C(_differs).
  returned: when O(state=present)
  type: list
  elements: str
  sample: [traffic_type_differs]
"""

import contextlib
from typing import Any

with contextlib.suppress(ImportError):  # AnsibleAWSModule says so.
    from botocore.exceptions import BotoCoreError, ClientError

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.amazon.aws.plugins.module_utils.retries import AWSRetry
from ansible_collections.amazon.aws.plugins.module_utils.tagging import (
    ansible_dict_to_boto3_tag_list,
    boto3_tag_specifications,
)
from ansible_collections.cellcs.orthweb.plugins.module_utils.aws import flow_log
from ansible_collections.cellcs.orthweb.plugins.module_utils.aws.failure import sentence

# Just made, VPC and role are not yet known everywhere in AWS.
NOT_YET_KNOWN = ["InvalidVpcId.NotFound", "InvalidVpcID.NotFound", "ThrottlingException"]


def existing(client: Any, vpc_id: str | None, identity: dict[str, str]) -> list[flow_log.FlowLog]:
    """Flow logs of ours, the one that was there first at the front."""
    filters = [{"Name": f"tag:{key}", "Values": [value]} for key, value in identity.items()]
    filters += [{"Name": "resource-id", "Values": [vpc_id]}] if vpc_id else []
    answer = client.describe_flow_logs(aws_retry=True, Filter=filters)["FlowLogs"]
    return [flow_log.read(item) for item in sorted(answer, key=lambda item: str(item.get("CreationTime")))]


def refuse_unsuccessful(module: AnsibleAWSModule, answer: dict[str, Any], doing: str) -> None:
    """AWS answers with success, and lists what failed."""
    problems = [each.get("Error", {}).get("Message", "no reason given") for each in answer.get("Unsuccessful") or []]
    if problems:
        module.fail_json(msg=f"{doing}: ec2 answered: {'; '.join(problems)}")


def create(module: AnsibleAWSModule, client: Any, settings: dict[str, Any], tags: dict[str, str]) -> list[str]:
    answer = client.create_flow_logs(
        aws_retry=True,
        ResourceIds=[module.params["vpc_id"]],
        ResourceType="VPC",
        LogDestinationType="cloud-watch-logs",
        TagSpecifications=boto3_tag_specifications(tags, ["vpc-flow-log"]),
        **{flow_log.SETTINGS[key]: value for key, value in settings.items()},
    )
    refuse_unsuccessful(module, answer, f"Creating the flow log of {module.params['vpc_id']}")
    return answer["FlowLogIds"]


def remove(module: AnsibleAWSModule, client: Any, ids: list[str]) -> None:
    if ids and not module.check_mode:
        refuse_unsuccessful(
            module, client.delete_flow_logs(aws_retry=True, FlowLogIds=ids), f"Removing flow log {', '.join(ids)}"
        )


def ensure_absent(module: AnsibleAWSModule, client: Any, identity: dict[str, str]) -> dict[str, Any]:
    found = existing(client, module.params["vpc_id"], identity)
    ids = [each.id for each in found]
    remove(module, client, ids)
    before = flow_log.shown(found[0].settings, found[0].tags) if found else {}
    return {"changed": bool(ids), "flow_log_ids": ids, "diff": {"before": before, "after": {}}}


def ensure_present(
    module: AnsibleAWSModule, client: Any, tags: dict[str, str], identity: dict[str, str]
) -> dict[str, Any]:
    settings = {key: module.params[key] for key in flow_log.SETTINGS}
    found = existing(client, module.params["vpc_id"], identity)
    plan = flow_log.plan_present(found, settings, tags, module.params["purge_tags"])
    remove(module, client, plan.remove)  # first: AWS refuses a second one to the same log group
    ids = [plan.keep.id] if plan.keep else []
    if not module.check_mode:
        if not plan.keep:
            ids = create(module, client, settings, tags)
        if plan.set_tags:
            client.create_tags(aws_retry=True, Resources=ids, Tags=ansible_dict_to_boto3_tag_list(plan.set_tags))
        if plan.unset_tags:
            client.delete_tags(aws_retry=True, Resources=ids, Tags=[{"Key": key} for key in plan.unset_tags])
    if plan.keep and plan.keep.delivery_problem:
        module.warn(
            f"Flow log {plan.keep.id} records nothing. AWS says: {plan.keep.delivery_problem}. Check whether "
            f"{settings['role_arn']} is allowed to write to {settings['log_group_name']}."
        )
    first = plan.keep or (found[0] if found else None)
    kept = {key: value for key, value in plan.keep.tags.items() if key not in plan.unset_tags} if plan.keep else {}
    before = flow_log.shown(first.settings, first.tags) if first else {}
    diff = {"before": before, "after": flow_log.shown(settings, {**kept, **tags})}
    return {
        "changed": plan.changed,
        "flow_log_ids": ids,
        "replaced_ids": plan.remove,
        "reasons": plan.reasons,
        "diff": diff,
    }


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "vpc_id": {"type": "str"},
            "log_group_name": {"type": "str"},
            "role_arn": {"type": "str"},
            "traffic_type": {"type": "str", "choices": ["ALL", "ACCEPT", "REJECT"], "default": "ALL"},
            "max_aggregation_interval": {"type": "int", "choices": [60, 600], "default": 600},
            "tags": {"type": "dict", "required": True},
            "purge_tags": {"type": "bool", "default": True},
        },
        required_if=[("state", "present", ["vpc_id", "log_group_name", "role_arn"])],
        supports_check_mode=True,
    )
    tags = {key: str(value) for key, value in module.params["tags"].items()}
    identity = flow_log.identity(tags)
    if not identity:
        module.fail_json(msg="tags must include orthweb:stack or Name, which tell our flow logs from others.")
    client = module.client("ec2", AWSRetry.jittered_backoff(catch_extra_error_codes=NOT_YET_KNOWN))
    try:
        if module.params["state"] == "absent":
            result = ensure_absent(module, client, identity)
        else:
            result = ensure_present(module, client, tags, identity)
    except (BotoCoreError, ClientError) as error:
        where = module.params["vpc_id"] or "the region"
        module.fail_json(msg=sentence("ec2", error, f"Keeping the flow log of {where}"))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
