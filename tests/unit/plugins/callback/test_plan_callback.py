# SPDX-License-Identifier: GPL-3.0-or-later
"""The list of a plan: real runs of ansible-playbook, in part against the simulated AWS API."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.cellcs.orthweb.plugins.plugin_utils.plan_resources import read
from ansible_collections.cellcs.orthweb.plugins.plugin_utils.plan_text import property_lines, task_title

from support.playbook import Ran

FILES = """
- hosts: all
  connection: local
  gather_facts: false
  tasks:
    - name: Keep a file
      ansible.builtin.copy: {content: "new\\n", dest: "{{ folder }}/kept", mode: "0644"}
    - name: Keep files
      ansible.builtin.copy: {content: "x", dest: "{{ folder }}/{{ item }}", mode: "0600"}
      loop: [one, two]
    - name: Keep a secret
      ansible.builtin.copy: {content: "open sesame", dest: "{{ folder }}/secret", mode: "0600"}
      no_log: true
    - name: Take away the old
      ansible.builtin.file: {path: "{{ folder }}/old", state: absent}
"""
ANNOUNCED = """
- hosts: all
  connection: local
  gather_facts: false
  tasks:
    - name: Say it in words
      ansible.builtin.debug: {msg: "Would launch orthweb-imaging-1"}
      changed_when: true
    - name: Say it as a resource
      ansible.builtin.debug:
        msg: {kind: instance, name: "orthweb-imaging-{{ item }}", instance_type: t3.medium}
      changed_when: true
      loop: [1, 2]
    - name: This is done already
      ansible.builtin.command: "true"
      check_mode: false
"""
NOTHING = """
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.debug: {msg: nothing}
"""
FAILS = """
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.debug: {msg: one}
      changed_when: true
    - ansible.builtin.fail: {msg: broken}
"""
RESCUED = """
- hosts: all
  gather_facts: false
  tasks:
    - block:
        - ansible.builtin.fail: {msg: broken}
      rescue:
        - ansible.builtin.debug: {msg: fixed}
"""
UNREACHABLE = """
- hosts: all
  gather_facts: false
  connection: ssh
  tasks:
    - ansible.builtin.ping:
"""
AWS = """
- hosts: all
  connection: local
  gather_facts: false
  tasks:
    - amazon.aws.ec2_vpc_net: {name: orthweb, cidr_block: 10.42.0.0/16}
      register: vpc
    - amazon.aws.ec2_vpc_subnet:
        vpc_id: "{{ vpc.vpc.id | default('vpc-00000000000000000') }}"
        cidr: 10.42.{{ item }}.0/24
        tags: {Name: "orthweb-{{ item }}"}
      loop: [0, 1]
    - amazon.aws.ec2_security_group:
        name: orthweb-imaging
        description: x
        vpc_id: "{{ vpc.vpc.id | default('vpc-00000000000000000') }}"
        rules: [{proto: tcp, ports: [11112], cidr_ip: "{{ ranges | default('198.51.100.0/24') }}"}]
    - amazon.aws.ec2_key: {name: somebody, state: absent}
"""


@pytest.mark.slow
def test_files_are_listed_with_what_differs(plan: Callable[..., Ran], tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    for name in ("kept", "old"):
        (tmp_path / "files" / name).write_text("before\n")
    ran = plan(FILES)
    assert ran.code == 2
    assert ran.plan.splitlines() == [
        "host1:",
        "  ~ Keep a file",
        "      -before",
        "      +new",
        "  + Keep files (one)",
        "  + Keep files (two)",
        "  ~ Keep a secret",
        "  - Take away the old",
        "Plan: 2 to make, 2 to change, 1 to remove.",
    ]
    assert "sesame" not in ran.text
    recap, times, listed = (ran.text.index(heading) for heading in ("PLAY RECAP", "TASKS RECAP", "\nPLAN "))
    assert recap < times < listed


@pytest.mark.slow
def test_once_done_there_is_nothing_to_do(plan: Callable[..., Ran]) -> None:
    done = plan(FILES, name="deploy.yml", check=False)
    assert (done.code, done.plan) == (0, ""), done.text
    ran = plan(FILES)
    assert (ran.code, ran.plan.strip()) == (0, "Nothing to do.")


@pytest.mark.slow
def test_what_is_only_announced(plan: Callable[..., Ran]) -> None:
    ran = plan(ANNOUNCED)
    assert ran.plan.splitlines() == [
        "AWS:",
        "  + instance orthweb-imaging-1",
        "      instance_type: t3.medium",
        "  + instance orthweb-imaging-2",
        "      instance_type: t3.medium",
        "host1:",
        "  + Would launch orthweb-imaging-1",
        "Plan: 3 to make, 0 to change, 0 to remove.",
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "code", "last"),
    [
        (NOTHING, 0, "Nothing to do."),
        (RESCUED, 0, "Nothing to do."),
        (FAILS, 1, "The plan is incomplete: see above what failed on host1."),
        (UNREACHABLE, 1, "The plan is incomplete: see above what failed on host1."),
    ],
)
def test_exit_codes(plan: Callable[..., Ran], text: str, code: int, last: str) -> None:
    ran = plan(text, "-e", "ansible_host=127.0.0.1 ansible_port=9")
    assert (ran.code, ran.plan.splitlines()[-1]) == (code, last)


@pytest.mark.slow
def test_another_playbook_keeps_ansible_s_exit_codes(plan: Callable[..., Ran]) -> None:
    announced, failed = plan(ANNOUNCED, name="deploy.yml"), plan(FAILS, name="deploy.yml")
    assert (announced.code, failed.code) == (0, 2)
    assert "Plan: 3 to make" in announced.plan


@pytest.mark.slow
def test_plan_without_check_mode_stops_at_once(plan: Callable[..., Ran], tmp_path: Path) -> None:
    ran = plan(FILES, check=False)
    assert (ran.code, ran.plan, list((tmp_path / "files").iterdir())) == (1, "", [])
    assert "only plans" in ran.text


@pytest.mark.slow
def test_aws_resources(plan: Callable[..., Ran], account: Callable[[str], Any]) -> None:
    account("ec2").create_key_pair(KeyName="somebody")
    empty = plan(AWS)
    assert [line for line in empty.plan.splitlines() if not line.startswith("      ")] == [
        "AWS:",
        "  + VPC orthweb",
        "  + subnet orthweb-0",
        "  + subnet orthweb-1",
        "  + security group orthweb-imaging",
        "  - key pair somebody",
        "Plan: 4 to make, 0 to change, 1 to remove.",
    ], empty.text
    assert '      cidr_block: ["10.42.0.0/16"]' in empty.plan.splitlines()
    assert "      rules: tcp 11112 198.51.100.0/24" in empty.plan.splitlines()
    assert plan(AWS, name="deploy.yml", check=False).code == 0
    drifted = plan(AWS, "-e", "ranges=10.0.0.0/8")
    assert drifted.code == 2
    assert drifted.plan.splitlines()[:2] == ["AWS:", "  ~ security group orthweb-imaging"]
    assert drifted.plan.splitlines()[-1] == "Plan: 0 to make, 1 to change, 0 to remove."


NAMED = {"tags": {"Name": "orthweb"}}
# What the modules of amazon.aws 10.1.2 answer in check mode: for what is not there, and for what is and differs.
ANSWERS = [
    ("ec2_vpc_net", {"msg": "VPC would be created if not in check mode"}, {"vpc": {"id": "vpc-1"}}),
    ("ec2_vpc_igw", {"gateway_id": None}, {"gateway_id": "igw-1"}),
    ("ec2_vpc_subnet", {"subnet": {}}, {"subnet": {"id": "subnet-1"}}),
    ("ec2_vpc_route_table", {"route_table": {"id": "rtb-xxxxxxxx"}}, {"route_table": {"id": "rtb-1"}}),
    ("ec2_vpc_endpoint", {"result": "Would have created VPC Endpoint"}, {"result": {"vpc_endpoint_id": "vpce-1"}}),
    ("ec2_security_group", {"group_id": None}, {"group_id": "sg-1"}),
    ("ec2_key", {"key": None}, {"key": {"id": "key-1"}}),
    ("kms_key", {}, {"key_id": "d42134f8"}),
    ("iam_role", {}, {"iam_role": {"arn": "arn:1"}}),
    ("iam_instance_profile", {"iam_instance_profile": {"path": None}}, {"iam_instance_profile": {"arn": "arn:1"}}),
    ("cloudwatchlogs_log_group", {"msg": "Would have created log group"}, {"log_groups": [{"arn": "arn:1"}]}),
    ("rds_subnet_group", {}, {"subnet_group": {"db_subnet_group_name": "orthweb"}}),
    ("rds_instance_param_group", {"errors": ["x"]}, {"db_parameter_group_arn": "arn:1"}),
    ("rds_instance", {}, {"db_instance_identifier": "orthweb"}),
    ("ec2_eip", {}, {"allocation_id": "eipalloc-1"}),
    ("ec2_instance", {"msg": "Would have created instances"}, {"instances": [{"instance_id": "i-1"}]}),
]


@pytest.mark.parametrize(("module", "missing", "there"), ANSWERS, ids=[answer[0] for answer in ANSWERS])
def test_made_or_changed(module: str, missing: dict[str, Any], there: dict[str, Any]) -> None:
    arguments = {**NAMED, "name": "orthweb", "alias": "orthweb", "log_group_name": "orthweb", "id": "orthweb"}
    for answer, sign in ((missing, "+"), (there, "~")):
        found = read(f"amazon.aws.{module}", arguments, answer, "task")
        assert (found.sign, found.name) == (sign, "orthweb")
    assert read(f"amazon.aws.{module}", {**arguments, "state": "absent"}, there, "task").sign == "-"


def test_secrets_are_not_shown() -> None:
    hidden = {"censored": "the output has been hidden", "changed": True}
    arguments = {"name": "not this", "password": "nor this"}
    found = read("cellcs.orthweb.aws_generated_secrets", arguments, hidden, "Passwords")
    assert (found.sign, found.name, found.shows) == ("+", "(Passwords)", {})
    masked = {"name": "orthweb", "engine": "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER", "master_user_password": "x"}
    assert read("amazon.aws.rds_instance", masked, {}, "task").shows == {}


def test_a_module_that_is_not_in_the_table() -> None:
    diff = {"diff": {"before": {}, "after": {"a": 1}}}
    assert read("amazon.aws.sns_topic", {"name": "orthweb"}, diff, "task").sign == "+"
    found = read("amazon.aws.sns_topic", {}, {}, "Topic")
    assert (found.sign, found.label, found.name) == ("~", "sns topic", "(Topic)")


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("cellcs.orthweb.nginx : Write the configuration", "nginx: Write the configuration"),
        ("somebody.theirs.role : Write", "somebody.theirs.role: Write"),
        ("Outputs | Write outputs.json", "Outputs | Write outputs.json"),
    ],
)
def test_our_roles_are_named_without_the_collection(name: str, title: str) -> None:
    assert task_title(name) == title


def test_each_rule_of_a_security_group_has_a_line() -> None:
    rules = [
        {"proto": "tcp", "from_port": 443, "to_port": 443, "cidr_ip": ["10.0.0.0/8", "192.0.2.0/24"], "group_id": None},
        {"proto": "tcp", "from_port": 8000, "to_port": 8042, "group_id": ["sg-1"], "rule_desc": "imaging hosts"},
        {"proto": "udp", "ports": [53, 123], "cidr_ip": "0.0.0.0/0"},
    ]
    assert property_lines("rules", rules) == [
        "rules: tcp 443 10.0.0.0/8, 192.0.2.0/24",
        "rules: tcp 8000-8042 sg-1 (imaging hosts)",
        "rules: udp 53-123 0.0.0.0/0",
    ]
    assert property_lines("routes", [{"dest": "0.0.0.0/0"}]) == ['routes: [{"dest": "0.0.0.0/0"}]']
