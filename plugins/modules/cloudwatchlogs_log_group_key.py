#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: cloudwatchlogs_log_group_key
short_description: Encrypt log groups that are there with a KMS key
version_added: 0.1.0
description:
  - Gives log groups that have no KMS key one. What is in them already stays encrypted with a key of AWS.
  - A log group that has another KMS key keeps it.
  - M(amazon.aws.cloudwatchlogs_log_group) gives a key to a new log group only.
author:
  - The OrthWeb authors (@cellcs)
options:
  log_group_names:
    description: Names of the log groups. One that is not there is left out.
    type: list
    elements: str
    required: true
  kms_key_id:
    description: ARN of the KMS key. Its policy must let CloudWatch Logs use it for these log groups.
    type: str
    required: true
requirements:
  - python >= 3.11
  - boto3 >= 1.34
attributes:
  check_mode:
    description: Says which log groups would get the key.
    support: full
  diff_mode:
    description: Shows the keys before and after.
    support: full
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Encrypt what was made before there was a key
  cellcs.orthweb.cloudwatchlogs_log_group_key:
    log_group_names: [/orthweb/clinic/flow-logs, /aws/rds/instance/clinic/postgresql]
    kms_key_id: arn:aws:kms:eu-central-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab
"""

RETURN = r"""
log_groups:
  description: Names of the log groups that got the key.
  returned: success
  type: list
  elements: str
"""

from collections.abc import Sequence
from typing import Any

try:  # noqa: SIM105
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    pass  # AnsibleAWSModule says so

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.amazon.aws.plugins.module_utils.retries import AWSRetry
from ansible_collections.cellcs.orthweb.plugins.module_utils.aws.failure import sentence
from ansible_collections.cellcs.orthweb.plugins.module_utils.aws.resource import pages


def without_key(client: Any, names: Sequence[str]) -> list[str]:
    """Those that are there and have none."""
    found = [
        each
        for name in names
        for each in pages(client, "describe_log_groups", "logGroups", logGroupNamePrefix=name)
        if each["logGroupName"] == name
    ]
    return [each["logGroupName"] for each in found if not each.get("kmsKeyId")]


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "log_group_names": {"type": "list", "elements": "str", "required": True},
            "kms_key_id": {"type": "str", "required": True, "no_log": False},
        },
        supports_check_mode=True,
    )
    key, doing = module.params["kms_key_id"], "Looking at the log groups"
    client = module.client("logs", retry_decorator=AWSRetry.jittered_backoff())
    try:
        names = without_key(client, module.params["log_group_names"])
        for name in names if not module.check_mode else []:
            doing = f"Encrypting the log group {name} with the KMS key {key}"
            client.associate_kms_key(aws_retry=True, logGroupName=name, kmsKeyId=key)
    except (BotoCoreError, ClientError) as error:
        module.fail_json(msg=sentence("logs", error, doing))
    module.exit_json(
        changed=bool(names),
        log_groups=names,
        diff={"before": dict.fromkeys(names, ""), "after": dict.fromkeys(names, key)},
    )


if __name__ == "__main__":
    main()
