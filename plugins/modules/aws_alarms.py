#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: aws_alarms
short_description: Have AWS send mail when a stack needs somebody
version_added: 0.1.0
author:
  - The OrthWeb authors (@cellcs)
description:
  - Keeps an encrypted SNS topic with its subscribers, the CloudWatch alarms of a stack's database, hosts, load balancer
    and certificates, and the subscription to RDS's events. All of them have the stack's tag.
  - A host whose hardware fails is moved to other hardware by its alarm (EC2 recovery).
  - Alarms of the stack that it does not need any more, such as those of a host that is gone, are deleted.
  - M(community.aws.sns_topic) cannot encrypt a topic, M(amazon.aws.cloudwatch_metric_alarm) cannot tag an alarm, and
    no module knows RDS's events.
options:
  state:
    description: Whether there should be alarms.
    type: str
    choices: [present, absent]
    default: present
  stack:
    description: The stack's name, the value of the tag C(orthweb:stack).
    type: str
    required: true
  addresses:
    description:
      - Mail addresses. AWS asks each for its consent first.
      - Others that have given it stay, and are named in RV(said). IAM cannot limit the permission to remove
        them to a topic.
    type: list
    elements: str
    default: []
  kms_key_id:
    description: ARN of the KMS key of the topic. Its policy must let CloudWatch and RDS use it.
    type: str
  database:
    description: The RDS database; none if it is not given.
    type: dict
    suboptions:
      name:
        description: Its identifier.
        type: str
        required: true
      class:
        description: Its class, such as V(db.t4g.medium).
        type: str
        required: true
      storage_gb:
        description: GiB of storage that it was made with. Less than a twentieth of that, and 2 GiB, is an alarm.
        type: int
        required: true
  events:
    description: Categories of RDS's events that are mailed, too.
    type: list
    elements: str
    default: []
  hosts:
    description: Names of hosts that are to be made, for check mode. Those that are there are found by their tag.
    type: list
    elements: str
    default: []
  balancer:
    description: Whether the hosts have a Network Load Balancer. It is found by its tag.
    type: bool
    default: false
  certificate:
    description:
      - The certificate that ends first; none is watched if it is not given.
      - CloudWatch compares its end with the time, so that the alarm comes also when nobody deploys, and no matter
        whether the hosts are well.
    type: dict
    suboptions:
      path:
        description: Its file, whose name is in the mail.
        type: str
        required: true
      not_valid_after:
        description: Its end, in UTC, as M(cellcs.orthweb.pki_info) has it.
        type: str
        required: true
      days:
        description: With less than so many days left, it is an alarm.
        type: int
        required: true
  surveyed:
    description:
      - What M(cellcs.orthweb.aws_stack_info) has found of alarms, each with its ARN and tags. AWS is not asked again
        for these tags.
    type: list
    elements: dict
    default: []
  tags:
    description: Tags of topic, alarms and subscription. C(orthweb:stack) is added.
    type: dict
    default: {}
attributes:
  check_mode:
    description: Reports what it would do, and does nothing.
    support: full
  diff_mode:
    description: Shows addresses, events and alarms before and after.
    support: full
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Wake somebody up
  cellcs.orthweb.aws_alarms:
    stack: clinic
    addresses: [it@clinic.example]
    kms_key_id: arn:aws:kms:eu-central-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab
    database:
      name: clinic
      class: db.t4g.medium
      storage_gb: 50
    events: [failover, failure, low storage]
    certificate:
      path: /home/it/.orthweb/clinic/pki/server.crt
      not_valid_after: "2027-12-24T15:59:59Z"
      days: 14

- name: Let them sleep
  cellcs.orthweb.aws_alarms:
    stack: clinic
    state: absent
"""

RETURN = r"""
topic_arn:
  description: ARN of the topic; empty if there is none.
  returned: success
  type: str
alarms:
  description: Names of the alarms that there should be.
  returned: success
  type: list
  elements: str
said:
  description: Sentences about addresses that are not confirmed yet, or that are no longer wanted.
  returned: success
  type: list
  elements: str
"""

from typing import Any

try:  # noqa: SIM105
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    pass  # AnsibleAWSModule says so

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.cellcs.orthweb.plugins.module_utils.aws import alarm_topic
from ansible_collections.cellcs.orthweb.plugins.module_utils.aws.alarm_account import AlarmAccount
from ansible_collections.cellcs.orthweb.plugins.module_utils.aws.alarms import Watched, rule, wanted
from ansible_collections.cellcs.orthweb.plugins.module_utils.aws.failure import sentence

NO_BALANCER_YET = {"LoadBalancer": "", "TargetGroup": ""}


def ensure_present(module: AnsibleAWSModule, account: AlarmAccount) -> dict[str, Any]:
    options = module.params
    before = account.shown()
    watched = Watched(
        hosts={name: "" for name in options["hosts"] if module.check_mode} | account.hosts(),
        database=options["database"],
        balancer=(account.balancer() or (NO_BALANCER_YET if module.check_mode else None))
        if options["balancer"]
        else None,
        certificate=options["certificate"],
    )
    names = [each["AlarmName"] for each in wanted(options["stack"], watched, "", "")]
    if taken := account.taken(names):
        module.fail_json(
            msg=f"The alarm {', '.join(taken)} exists without the tag orthweb:stack={options['stack']}: it is somebody "
            "else's. Nothing was changed. Delete or rename it, or choose another ORTHWEB_STACK."
        )
    topic = account.keep_topic(options["kms_key_id"], options["addresses"])
    alarms = wanted(options["stack"], watched, topic, account.recover)
    account.keep_alarms(alarms)
    categories = options["events"] if options["database"] else []
    account.keep_events(topic, (options["database"] or {}).get("name", ""), categories)
    after = {
        "addresses": sorted(options["addresses"]),
        "events": sorted(categories),
        "alarms": {alarm["AlarmName"]: rule(alarm) for alarm in alarms},
    }
    return {
        "topic_arn": topic,
        "alarms": sorted(after["alarms"]),
        "said": [] if module.check_mode else alarm_topic.said(options["addresses"], account.subscribers()),
        "diff": {"before": before, "after": after},
    }


def ensure_absent(account: AlarmAccount) -> dict[str, Any]:
    before = account.shown()
    account.remove_all()
    return {"topic_arn": "", "alarms": [], "said": [], "diff": {"before": before, "after": {}}}


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "stack": {"type": "str", "required": True},
            "addresses": {"type": "list", "elements": "str", "default": []},
            "kms_key_id": {"type": "str", "no_log": False},
            "database": {
                "type": "dict",
                "options": {
                    "name": {"type": "str", "required": True},
                    "class": {"type": "str", "required": True},
                    "storage_gb": {"type": "int", "required": True},
                },
            },
            "events": {"type": "list", "elements": "str", "default": []},
            "hosts": {"type": "list", "elements": "str", "default": []},
            "balancer": {"type": "bool", "default": False},
            "certificate": {
                "type": "dict",
                "options": {
                    "path": {"type": "str", "required": True},
                    "not_valid_after": {"type": "str", "required": True},
                    "days": {"type": "int", "required": True},
                },
            },
            "surveyed": {"type": "list", "elements": "dict", "default": []},
            "tags": {"type": "dict", "default": {}},
        },
        required_if=[("state", "present", ["kms_key_id"])],
        supports_check_mode=True,
    )
    stack = module.params["stack"]
    known = {each["arn"]: each["tags"] for each in module.params["surveyed"]}
    account: AlarmAccount | None = None
    try:
        account = AlarmAccount(module.client, stack, module.params["tags"], module.check_mode, known)
        result = ensure_absent(account) if module.params["state"] == "absent" else ensure_present(module, account)
    except (BotoCoreError, ClientError) as error:
        asked = account.asked if account else "cloudwatch"
        module.fail_json(msg=sentence(asked, error, f"Keeping the alarms of the stack {stack}"))
    else:
        module.exit_json(changed=account.changed, **result)


if __name__ == "__main__":
    main()
