#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: network_load_balancer
short_description: Manage a Network Load Balancer of AWS with its listeners and target groups
version_added: 0.1.0
author:
  - The OrthWeb authors (@cellcs)
description:
  - Makes a Network Load Balancer with TCP listeners that forward to EC2 instances, changes what differs, or removes it.
  - Other than M(community.aws.elb_network_lb) and M(community.aws.elb_target_group), it gives the balancer security
    groups and the listeners idle time-outs, and has a check mode.
  - Each listener has a target group named after balancer and port. The addresses of clients are preserved.
  - A balancer or target group of the name that lacks the tag C(orthweb:stack) of O(tags) is not touched.
  - AWS takes VPC, scheme and the first security group only when the balancer is made. If they differ, the module fails.
options:
  state:
    description: Whether the balancer should exist.
    type: str
    choices: [present, absent]
    default: present
  name:
    description: Its name. With a hyphen and the longest port, it has at most 32 characters.
    type: str
    required: true
  vpc_id:
    description: The VPC of the instances.
    type: str
  scheme:
    description: Whether it is reached from the Internet, or from inside the VPC only.
    type: str
    choices: [internet-facing, internal]
    default: internet-facing
  subnets:
    description: Subnets in which it has an address, one in each zone.
    type: list
    elements: str
    default: []
  security_groups:
    description: Security groups that say who reaches it.
    type: list
    elements: str
    default: []
  cross_zone:
    description: Whether its address in one zone forwards to instances in the others, too.
    type: bool
    default: true
  deletion_protection:
    description: Whether AWS refuses to delete it. O(state=absent) switches that off first.
    type: bool
    default: false
  listeners:
    description: The ports. Others are removed.
    type: list
    elements: dict
    default: []
    suboptions:
      port:
        description: The port, of the balancer and of the instances.
        type: int
        required: true
      idle_timeout_seconds:
        description: After how many seconds without traffic a connection is forgotten; 60 to 6000.
        type: int
        default: 350
      sticky:
        description: Whether an address always gets to the same instance.
        type: bool
        default: false
  targets:
    description: IDs of the instances. Others are deregistered.
    type: list
    elements: str
    default: []
  health_check:
    description: How the balancer finds out which instances can be used.
    type: dict
    suboptions:
      protocol:
        description: V(TCP) asks whether the port is open. V(HTTPS) does not verify the certificate.
        type: str
        choices: [TCP, HTTP, HTTPS]
        default: TCP
      port:
        description: Where it asks.
        type: int
        required: true
      path:
        description: For what, with V(HTTP) and V(HTTPS). An answer from 200 to 399 is healthy.
        type: str
        default: /
      interval_seconds:
        description: How often, in seconds.
        type: int
        default: 10
      timeout_seconds:
        description: How long it waits for an answer, in seconds.
        type: int
        default: 5
      healthy_count:
        description: After how many good answers an instance is used.
        type: int
        default: 2
      unhealthy_count:
        description: After how many bad ones it is not.
        type: int
        default: 2
  deregistration_delay_seconds:
    description: How long an instance that is deregistered keeps the connections that it has, in seconds.
    type: int
    default: 300
  tags:
    description: Tags of everything. C(orthweb:stack) must be among them. Others are left.
    type: dict
    required: true
attributes:
  check_mode:
    description: Reports what it would do, and does nothing.
    support: full
  diff_mode:
    description: Has nothing to show; RV(reasons) says what differs.
    support: none
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Put a balancer before the hosts
  cellcs.orthweb.network_load_balancer:
    name: orthweb
    vpc_id: vpc-0f5e2bb4f0d1c4d3a
    subnets: [subnet-0a1b2c3d4e5f60718, subnet-0a1b2c3d4e5f60719]
    security_groups: [sg-0a1b2c3d4e5f60718]
    targets: [i-0a1b2c3d4e5f60718, i-0a1b2c3d4e5f60719]
    listeners:
      - port: 11112
        idle_timeout_seconds: 3900
      - port: 443
        sticky: true
    health_check: {protocol: HTTPS, port: 443, path: /ready}
    tags:
      Name: orthweb
      orthweb:stack: orthweb

- name: Remove it
  cellcs.orthweb.network_load_balancer:
    state: absent
    name: orthweb
    tags:
      orthweb:stack: orthweb
"""

RETURN = r"""
arn:
  description: ARN of the balancer. Empty where check mode would make it.
  returned: when O(state=present)
  type: str
  sample: arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/net/orthweb/0a1b2c3d4e5f6071
dns_name:
  description: The name by which it is reached. Empty where check mode would make it.
  returned: when O(state=present)
  type: str
  sample: orthweb-0a1b2c3d4e5f6071.elb.us-east-1.amazonaws.com
reasons:
  description: What differed.
  returned: success
  type: list
  elements: str
  sample: [listener 443 missing]
"""

import contextlib
import re
from typing import Any

with contextlib.suppress(ImportError):  # AnsibleAWSModule says so.
    from botocore.exceptions import BotoCoreError, ClientError

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.amazon.aws.plugins.module_utils.retries import AWSRetry
from ansible_collections.cellcs.orthweb.plugins.module_utils.aws import network_load_balancer
from ansible_collections.cellcs.orthweb.plugins.module_utils.aws.elb_calls import BalancerError, Calls
from ansible_collections.cellcs.orthweb.plugins.module_utils.aws.failure import sentence
from ansible_collections.cellcs.orthweb.plugins.module_utils.aws.resource import STACK_TAG

# Just made, group and subnet are not yet known everywhere; just deleted, a listener still holds its target group.
NOT_YET = ["InvalidSecurityGroup", "SubnetNotFound", "ResourceInUse", "ThrottlingException"]
NAME = re.compile("(?!internal-)[A-Za-z0-9](-?[A-Za-z0-9])*")
LONGEST_NAME = 32
IDLE_SECONDS = (60, 6000)

ARGUMENTS: dict[str, Any] = {
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "name": {"type": "str", "required": True},
    "vpc_id": {"type": "str"},
    "scheme": {"type": "str", "choices": ["internet-facing", "internal"], "default": "internet-facing"},
    "subnets": {"type": "list", "elements": "str", "default": []},
    "security_groups": {"type": "list", "elements": "str", "default": []},
    "cross_zone": {"type": "bool", "default": True},
    "deletion_protection": {"type": "bool", "default": False},
    "listeners": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "port": {"type": "int", "required": True},
            "idle_timeout_seconds": {"type": "int", "default": 350},
            "sticky": {"type": "bool", "default": False},
        },
    },
    "targets": {"type": "list", "elements": "str", "default": []},
    "health_check": {
        "type": "dict",
        "options": {
            "protocol": {"type": "str", "choices": ["TCP", "HTTP", "HTTPS"], "default": "TCP"},
            "port": {"type": "int", "required": True},
            "path": {"type": "str", "default": "/"},
            "interval_seconds": {"type": "int", "default": 10},
            "timeout_seconds": {"type": "int", "default": 5},
            "healthy_count": {"type": "int", "default": 2},
            "unhealthy_count": {"type": "int", "default": 2},
        },
    },
    "deregistration_delay_seconds": {"type": "int", "default": 300},
    "tags": {"type": "dict", "required": True},
}


def problems(options: dict[str, Any]) -> list[str]:
    """What AWS would refuse in the middle of it."""
    said = []
    ports = [each["port"] for each in options["listeners"]]
    longest = max((f"{options['name']}-{port}" for port in ports), key=len, default=options["name"])
    if not NAME.fullmatch(options["name"]) or len(longest) > LONGEST_NAME:
        said.append(
            f'name is "{options["name"]}": use letters, digits and single hyphens, not "internal-" at the beginning, '
            f"and at most {LONGEST_NAME} characters with a hyphen and the longest port."
        )
    if len(set(ports)) < len(ports):
        said.append("listeners has a port twice.")
    for each in options["listeners"]:
        if not IDLE_SECONDS[0] <= each["idle_timeout_seconds"] <= IDLE_SECONDS[1]:
            said.append(
                f"listeners: idle_timeout_seconds of port {each['port']} is {each['idle_timeout_seconds']}; AWS takes "
                f"{IDLE_SECONDS[0]} to {IDLE_SECONDS[1]}."
            )
    if not options["tags"].get(STACK_TAG):
        said.append(f"tags must include {STACK_TAG}, which tells our load balancers from others.")
    return said


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec=ARGUMENTS,
        required_if=[("state", "present", ["vpc_id", "health_check"])],
        supports_check_mode=True,
    )
    if said := problems(module.params):
        module.fail_json(msg=" ".join(said))
    client = module.client("elbv2", AWSRetry.jittered_backoff(catch_extra_error_codes=NOT_YET))
    calls = Calls(client, module.params["tags"], module.check_mode)
    result = {}
    try:
        if module.params["state"] == "absent":
            network_load_balancer.absent(calls, module.params["name"])
        else:
            result = network_load_balancer.present(calls, module.params)
    except BalancerError as error:
        module.fail_json(msg=str(error))
    except (BotoCoreError, ClientError) as error:
        module.fail_json(msg=sentence("elbv2", error, f"Keeping the load balancer {module.params['name']}"))
    module.exit_json(changed=bool(calls.reasons), reasons=calls.reasons, **result)


if __name__ == "__main__":
    main()
