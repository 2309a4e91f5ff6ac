# SPDX-License-Identifier: GPL-3.0-or-later
"""The stack's name, the number of hosts, and who may connect: each mistake has its sentence."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import botocore
import pytest
from ansible_collections.cellcs.orthweb.plugins.module_utils.aws.role_region import filled
from ansible_collections.cellcs.orthweb.plugins.plugin_utils.aws.names import hosts, names
from ansible_collections.cellcs.orthweb.plugins.plugin_utils.aws_checks.ranges import (
    open_listener_problems,
    range_problems,
)
from ansible_collections.cellcs.orthweb.plugins.plugin_utils.aws_checks.settings import (
    LOG_DAYS,
    alarm_address_problems,
    boundary_problems,
    instance_count_problems,
    log_days_problems,
    role_name_problems,
    stack_name_problems,
)

DICOM, PORTAL, CONTROLLER = (f"orthweb_{whose}_ranges" for whose in ("dicom", "portal", "controller"))
RIGHT = {DICOM: ["198.51.100.0/24"], PORTAL: ["203.0.113.0/24", "192.0.2.1/32"], CONTROLLER: ["192.0.2.10/32"]}
IF_MEANT = "which is the whole Internet. If that is intended, set orthweb_allow_the_whole_internet: true."


@pytest.mark.parametrize("name", ["orthweb", "a", "pacs-2", "a" * 31])
def test_stack_name_that_is_right(name: str) -> None:
    assert list(stack_name_problems(name)) == []


@pytest.mark.parametrize("name", ["Bad_Name", "", "2nd", "two--hyphens", "hyphen-", "line\n", "a" * 32, 5])
def test_stack_name_that_aws_would_refuse(name: object) -> None:
    assert list(stack_name_problems(name)) == [
        f'orthweb_stack is "{name}": use 1 to 31 lowercase letters, digits and single hyphens, beginning with a letter.'
    ]


@pytest.mark.parametrize("name", ["default", "sg-pacs", "internal-pacs"])
def test_stack_name_that_aws_reserves(name: str) -> None:
    assert list(stack_name_problems(name)) == [
        f'orthweb_stack is "{name}": AWS reserves "default" and names that begin with "sg-" or "internal-". Choose '
        "another."
    ]
    assert list(stack_name_problems(f"x{name}")) == []
    assert list(stack_name_problems("defaults")) == []


# By kind: the longest that AWS takes, and what it takes.
LIMITS = {
    "db_instances": (63, "[a-z](-?[a-z0-9])*"),
    "db_subnet_groups": (255, "[a-z][a-z0-9._ -]*"),
    "db_parameter_groups": (255, "[a-z](-?[a-z0-9])*"),
    "iam_roles": (64, r"[\w+=,.@-]+"),
    "instance_profiles": (128, r"[\w+=,.@-]+"),
    "key_pairs": (255, "[ -~]+"),
    "load_balancers": (32, "(?!internal-)[a-zA-Z0-9](-?[a-zA-Z0-9])*"),
    "kms_keys": (256, "alias/(?!aws/)[a-zA-Z0-9/_-]+"),
    "log_groups": (512, "(?!aws/)[a-zA-Z0-9._/#-]+"),
    "secrets": (512, r"[\w/+=.@-]+"),
    "network_acls": (256, "[ -~]+"),  # the tag Name
    "topics": (256, r"[\w-]+"),
    "backup_vaults": (50, "[a-zA-Z0-9_-]{2,}"),
    "backup_plans": (50, "[a-zA-Z0-9_.-]+"),
    "event_subscriptions": (254, "[a-z](-?[a-z0-9])*"),
}


LONGEST_REGION = "us-isof-south-1"


def test_no_region_is_longer() -> None:
    partitions = json.loads((Path(botocore.__file__).parent / "data" / "partitions.json").read_text())["partitions"]
    known = [name for each in partitions for name in each["regions"] if not name.endswith("-global")]
    assert len(known) > 30
    assert max(map(len, known)) == len(LONGEST_REGION)


@pytest.mark.parametrize(("letters", "over"), [(64, 0), (65, 1), (70, 6)])
def test_name_of_a_role_that_is_too_long_for_iam(letters: int, over: int) -> None:
    role = "x" * letters
    said = (
        f"orthweb_stack is too long for this region: the role {role} would have {letters} letters, and IAM takes 64. "
        f"Use a name that is {over} shorter."
    )
    assert list(role_name_problems(["orthweb_us-east-1-imaging", role])) == ([said] if over else [])


def test_every_name_that_follows_from_the_longest_one_is_allowed() -> None:
    longest = "a" * 31
    claimed = filled(names(longest, "17.6")["claimed"], LONGEST_REGION)
    assert set(claimed) == set(LIMITS)
    for kind, given in claimed.items():
        most, allowed = LIMITS[kind]
        assert all(len(name) <= most and re.fullmatch(allowed, name) for name in given), given
    # A host name is one label of DNS, and the final snapshot has a time in its name.
    assert len(hosts(longest, 99)[-1]) <= 63
    assert len(f"{longest}-final-20261129220000") <= 255


@pytest.mark.parametrize("days", [0, "0", *LOG_DAYS, "90"])
def test_log_days_that_are_known(days: object) -> None:
    assert list(log_days_problems({"aws_network_flow_log_days": days})) == []


@pytest.mark.parametrize("days", [2, 91, 1096, 3288, -1, "a year", None])
def test_log_days_that_are_not_known(days: object) -> None:
    assert list(log_days_problems({"aws_network_flow_log_days": days, "other": 1})) == [
        f"aws_network_flow_log_days is {days}: CloudWatch Logs keeps logs for 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, "
        "180, 365, 400, 545, 731, 1827 or 3653 days."
    ]


@pytest.mark.parametrize("count", [1, "2", 99])
def test_number_of_hosts_that_is_right(count: object) -> None:
    assert list(instance_count_problems(count)) == []


@pytest.mark.parametrize("count", [0, 100, -1, "two", "01", 1.5, None])
def test_number_of_hosts_that_is_none(count: object) -> None:
    assert list(instance_count_problems(count)) == [f"orthweb_instance_count is {count}: use a number from 1 to 99."]


@pytest.mark.parametrize(
    "arn",
    [
        "",
        "arn:aws:iam::123456789012:policy/boundary",
        "arn:aws-us-gov:iam::123456789012:policy/path/to/B_1",
        "arn:aws:iam::aws:policy/PowerUserAccess",
    ],
)
def test_boundary_that_is_right(arn: str) -> None:
    assert list(boundary_problems(arn)) == []


@pytest.mark.parametrize(
    "arn",
    ["boundary", "arn:aws:iam::123456789012:role/boundary", "arn:aws:iam::12:policy/b", "arn:aws:iam::aws:policy/", 5],
)
def test_boundary_that_is_no_policy(arn: object) -> None:
    assert list(boundary_problems(arn)) == [
        f'orthweb_permissions_boundary is "{arn}": use the ARN of an IAM policy '
        "(arn:aws:iam::<account>:policy/<name>), or leave it empty."
    ]


class TestRanges:
    def problems(self, ranges: dict[str, Any], **further: Any) -> list[str]:
        given = {
            "dicom_port": 11112,
            "portal_ports": [443, 8042],
            "connect_by": "public",
            "controller_address": "",
            "whole_internet_allowed": False,
        }
        return list(range_problems({**RIGHT, **ranges}, **{**given, **further}))

    def test_what_is_right_is_silent(self) -> None:
        assert self.problems({}) == []
        assert self.problems({DICOM: [], PORTAL: []}) == []

    @pytest.mark.parametrize(
        ("variable", "purpose"),
        [
            (DICOM, "send DICOM to port 11112"),
            (PORTAL, "open the portal (443, 8042)"),
            (CONTROLLER, "log in by SSH: the address of this controller as the Internet sees it"),
        ],
    )
    def test_what_is_not_set_says_what_it_is_for(self, variable: str, purpose: str) -> None:
        assert self.problems({variable: None}) == [
            f"{variable} is not set. It says who may {purpose}, as a list of networks, for example {variable}: "
            "[198.51.100.0/24]. There is no default."
        ]

    def test_the_address_of_the_controller_is_suggested(self) -> None:
        [problem] = self.problems({CONTROLLER: None}, controller_address="203.0.113.7\n")
        assert problem.endswith(
            "There is no default. The Internet sees this machine as 203.0.113.7: orthweb_controller_ranges: "
            "[203.0.113.7/32]."
        )
        [other] = self.problems({PORTAL: None}, controller_address="203.0.113.7")
        assert "203.0.113.7" not in other

    @pytest.mark.parametrize("answer", ["", "<html>log in first</html>", "2001:db8::1", "300.1.1.1"])
    def test_no_address_is_no_suggestion(self, answer: str) -> None:
        [problem] = self.problems({CONTROLLER: None}, controller_address=answer)
        assert problem.endswith("There is no default.")

    def test_ports_are_those_that_are_given(self) -> None:
        dicom, portal = self.problems({DICOM: None, PORTAL: None}, dicom_port=104, portal_ports=["8443"])
        assert "send DICOM to port 104," in dicom
        assert "open the portal (8443)," in portal

    @pytest.mark.parametrize("ranges", ["10.0.0.0/8", {"clinic": "10.0.0.0/8"}, 10])
    def test_what_is_no_list(self, ranges: object) -> None:
        assert self.problems({PORTAL: ranges}) == [
            f"{PORTAL} must be a list of networks, for example [198.51.100.0/24]."
        ]

    @pytest.mark.parametrize(
        ("network", "says"),
        [
            ("203.0.113.7/24", '"203.0.113.7/24" is not a network in CIDR notation: 203.0.113.7/24 has host bits set.'),
            ("198.51.100.1", '"198.51.100.1" has no prefix length: write 198.51.100.1/32 for one address.'),
            ("::/0", '"::/0" is IPv6; the network is IPv4 only.'),
        ],
    )
    def test_each_network_is_looked_at(self, network: str, says: str) -> None:
        assert self.problems({DICOM: ["10.0.0.0/8", network]}) == [f"{DICOM}: {says}"]

    @pytest.mark.parametrize("network", ["0.0.0.0/0", "0.0.0.0/0.0.0.0"])
    def test_whole_internet_has_to_be_meant(self, network: str) -> None:
        given = {DICOM: [network], PORTAL: [network]}
        assert self.problems(given) == [f"{variable} has {network}, {IF_MEANT}" for variable in given]
        assert self.problems(given, whole_internet_allowed=True) == []

    @pytest.mark.parametrize("allowed", [False, True])
    @pytest.mark.parametrize("network", ["0.0.0.0/0", "0.0.0.0/0.0.0.0"])
    def test_port_22_is_never_open_to_it(self, network: str, allowed: bool) -> None:
        assert self.problems({CONTROLLER: [network]}, whole_internet_allowed=allowed) == [
            f"{CONTROLLER}: port 22 is never opened to the whole Internet; use the address of this controller, or "
            "orthweb_connect_by: systems_manager, with which it is closed."
        ]

    def test_nobody_could_log_in(self) -> None:
        assert self.problems({CONTROLLER: []}) == [
            f"{CONTROLLER} is empty, and orthweb_connect_by is public: nobody could log in to configure the hosts. "
            "Add the address of this controller, or connect by systems_manager."
        ]
        assert self.problems({CONTROLLER: []}, connect_by="systems_manager") == []
        assert self.problems({CONTROLLER: []}, connect_by="private") == []

    def test_by_systems_manager_nobody_has_to_say_from_where(self) -> None:
        assert self.problems({CONTROLLER: None}, connect_by="systems_manager") == []
        (said,) = self.problems({CONTROLLER: None}, connect_by="private")
        assert said.startswith(f"{CONTROLLER} is not set.")


def test_listener_that_is_open_to_everybody() -> None:
    everybody = {"port": 2762, "allowed": ["10.0.0.0/8", "0.0.0.0/0", "::/0"]}
    listeners = [{"port": 11112}, {"port": 104, "tls": False, "allowed": ["10.1.2.3/32"]}, everybody]
    assert list(open_listener_problems(listeners[:2], False)) == []
    assert list(open_listener_problems(listeners, True)) == []
    assert list(open_listener_problems(listeners, False)) == [
        f"entry 3 (port 2762): allowed has {network}, {IF_MEANT}" for network in ("0.0.0.0/0", "::/0")
    ]


@pytest.mark.parametrize("addresses", [[], ["it@clinic.example"], ["a.b+c@x-y.clinic.example", "d@e.de"], None, "text"])
def test_alarm_addresses_that_are_right_or_judged_elsewhere(addresses: object) -> None:
    assert list(alarm_address_problems(addresses)) == []


@pytest.mark.parametrize("address", ["it", "it@clinic", "it@clinic.", "a@b.c, d@e.f", "It <it@clinic.example>", "", 5])
def test_alarm_addresses_that_are_none(address: object) -> None:
    assert list(alarm_address_problems(["d@e.de", address])) == [
        f'orthweb_alarm_addresses has "{address}": use mail addresses, such as it@clinic.example.'
    ]


def test_an_alarm_address_that_is_there_twice() -> None:
    (problem,) = alarm_address_problems(["d@e.de", "d@e.de"])
    assert "d@e.de more than once" in problem
