# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of a stack's resources, who reaches its hosts, and what is said about hosts."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.cellcs.orthweb.plugins.module_utils.aws import ec2
from ansible_collections.cellcs.orthweb.plugins.module_utils.aws.survey import KINDS
from ansible_collections.cellcs.orthweb.plugins.plugin_utils.aws import hosts, names, network

LISTENER = {"port": 11112, "tls": True, "allowed": []}
RANGES = {"dicom": ["198.51.100.0/24"], "portal": ["203.0.113.0/24"], "controller": ["192.0.2.10/32"]}


class TestNames:
    @pytest.mark.parametrize("version", ["17", "17.4", 17])
    def test_parameters_belong_to_a_major_version(self, version: object) -> None:
        found = names.names("clinic", version)
        assert (found["parameter_group"], found["parameter_family"]) == ("clinic-postgres17", "postgres17")
        assert found["claimed"]["db_parameter_groups"] == ["clinic-postgres17"]

    def test_parameters_have_no_name_without_a_version(self) -> None:
        found = names.names("clinic")
        assert not [name for name in [*found, *found["claimed"]] if "parameter" in name]

    def test_every_name_has_the_stack_in_it(self) -> None:
        found = names.names("clinic", "17")
        claimed, former = found.pop("claimed"), found.pop("former")
        del found["parameter_family"]
        assert all("clinic" in name for name in found.values())
        assert all("clinic" in name for kinds in (claimed, former) for each in kinds.values() for name in each)
        assert claimed.keys() <= KINDS.keys()

    @pytest.mark.parametrize(
        ("there", "imaging"),
        [
            ([], "clinic_eu-west-1-imaging"),
            (["clinic_eu-west-1-imaging"], "clinic_eu-west-1-imaging"),
            (["clinic-imaging"], "clinic-imaging"),
            (["clinic-imaging", "clinic_eu-west-1-imaging"], "clinic_eu-west-1-imaging"),
            (["ward-imaging"], "clinic_eu-west-1-imaging"),
        ],
    )
    @pytest.mark.parametrize("kind", ["iam_roles", "instance_profiles"])
    def test_roles_of_an_earlier_version_keep_their_names(self, kind: str, there: list[str], imaging: str) -> None:
        resources = {"iam_roles": [], "instance_profiles": [], kind: [{"name": name} for name in there]}
        found = names.roles("clinic", {"region": "eu-west-1", "resources": resources})
        assert found == {
            "imaging": imaging,
            "flow_logs": "clinic_eu-west-1-flow-logs",
            "backup": "clinic_eu-west-1-backup",
        }

    def test_of_hosts_subnets_and_endpoints(self) -> None:
        assert names.hosts("clinic", 2) == ["clinic-imaging-1", "clinic-imaging-2"]
        assert names.subnet("clinic", "public", "eu-central-1a") == "clinic-public-eu-central-1a"
        assert names.endpoint("clinic", "s3") == "clinic-s3"


def test_a_subnet_in_each_zone_and_tier() -> None:
    found = network.subnets(
        "clinic", ["a", "b"], {"public": ["10.0.0.0/24", "10.0.1.0/24"], "private": ["10.0.2.0/24"]}
    )
    assert found == [
        {"name": "clinic-public-a", "zone": "a", "cidr": "10.0.0.0/24"},
        {"name": "clinic-public-b", "zone": "b", "cidr": "10.0.1.0/24"},
        {"name": "clinic-private-a", "zone": "a", "cidr": "10.0.2.0/24"},
    ]


class TestIngress:
    @staticmethod
    def opened(listeners: list[dict[str, Any]], *modalities: dict[str, Any], **ranges: list[str]) -> list[Any]:
        rules = network.ingress(listeners, modalities, [443, 8042], {**RANGES, **ranges})
        assert all(rule["proto"] == "tcp" and rule["to_port"] == rule["from_port"] for rule in rules)
        return [(rule["rule_desc"], rule["from_port"], rule["cidr_ip"]) for rule in rules]

    def test_each_port_from_its_ranges(self) -> None:
        assert self.opened([LISTENER]) == [
            ("DICOM over TLS", 11112, ["198.51.100.0/24"]),
            ("portal", 443, ["203.0.113.0/24"]),
            ("portal", 8042, ["203.0.113.0/24"]),
            ("SSH from the controller", 22, ["192.0.2.10/32"]),
        ]

    def test_a_listener_may_have_networks_of_its_own(self) -> None:
        plain = {"port": 104, "tls": False, "allowed": ["10.1.0.0/16", "2001:db8::/32"]}
        assert self.opened([LISTENER, plain])[1] == ("DICOM", 104, ["10.1.0.0/16"])

    def test_a_modality_may_send_from_its_address(self) -> None:
        modalities = [{"host": host} for host in ("10.1.2.3", "10.1.2.3", "mr.example", "")]
        assert self.opened([LISTENER], *modalities)[0][2] == [
            "198.51.100.0/24",
            "10.1.2.3/32",
        ]

    def test_an_acme_ca_gets_in_from_everywhere(self) -> None:
        rules = network.ingress([LISTENER], [], [443], RANGES, http_port=80)
        [rule] = [rule for rule in rules if rule["from_port"] == 80]
        assert rule["cidr_ip"] == "0.0.0.0/0"

    def test_no_rule_without_a_network(self) -> None:
        assert "SSH from the controller" not in str(self.opened([LISTENER], controller=[]))


def test_egress_is_what_hosts_need_and_where_images_are_sent() -> None:
    modalities = [
        {"name": "ct", "host": "10.1.2.3", "port": 104},
        {"name": "pacs", "host": "pacs.example", "port": 11112},
        {"name": "ws", "host": "", "port": 104},
    ]
    rules = network.egress(modalities, ["10.0.2.0/24"], [{"more": "rules"}])
    assert rules.pop() == {"more": "rules"}
    assert [(rule["rule_desc"], rule["from_port"], rule["cidr_ip"]) for rule in rules] == [
        ("packages", 80, "0.0.0.0/0"),
        ("packages, images, AWS", 443, "0.0.0.0/0"),
        ("database", 5432, ["10.0.2.0/24"]),
        ("C-MOVE to ct", 104, "10.1.2.3/32"),
        ("C-MOVE to pacs", 11112, "0.0.0.0/0"),
    ]


class TestHosts:
    def test_what_never_ran_is_said_with_the_reason(self) -> None:
        def launched(name: str, state: str, reason: Any) -> dict[str, Any]:
            instance = {"instance_id": "i-1", "state": {"name": state}, "state_reason": reason}
            return {"item": {"name": name}, "instances": [instance]}

        told = [
            launched("a", "running", None),
            launched("b", "terminated", {"message": "Client error on launch"}),
            launched("c", "shutting-down", {}),
            {"item": {"name": "d"}, "skipped": True},
        ]
        assert hosts.not_running(told) == [
            "b (i-1) is terminated instead of running: Client error on launch",
            "c (i-1) is shutting-down instead of running: AWS gives no reason",
        ]

    def test_what_is_different_is_said(self) -> None:
        def host(name: str, image: str = "ami-1", type_: str = "t3.medium") -> dict[str, str]:
            return {"name": name, "image_id": image, "type": type_}

        found = [host("a"), host("b", image="ami-0"), host("c", type_="t3.large"), host("d")]
        image, type_, surplus = hosts.differences(found, ["a", "b", "c"], "ami-1", "t3.medium")
        assert image.startswith("b runs the image ami-0; the newest is ami-1.")
        assert type_.startswith("c is a t3.large, but orthweb_instance_type says t3.medium.")
        assert surplus.startswith("d is beyond orthweb_instance_count.")
        assert hosts.differences(found[:1], ["a"], "ami-1", "t3.medium") == []


class TestReaddressed:
    """Where another host answers than before this run."""

    BEFORE = [{"id": "i-1"}]
    ADDRESSES = [
        {"public_address": "198.51.100.1", "instance_id": "i-1"},
        {"public_address": "198.51.100.2", "instance_id": None},
    ]

    @staticmethod
    def addressed(address: str | None, host: str) -> dict[str, Any]:
        return {"item": {"instance_id": host}, "public_ip": address}

    def test_new_host(self) -> None:
        made = [{"instances": [{"instance_id": "i-2", "private_ip_address": "10.42.0.9"}]}]
        given = [self.addressed("198.51.100.2", "i-2"), self.addressed("198.51.100.3", "i-2")]
        found = hosts.readdressed(made, given, self.BEFORE, self.ADDRESSES)
        assert found == ["10.42.0.9", "198.51.100.2", "198.51.100.3"]

    def test_host_that_stays_keeps_its_key(self) -> None:
        made = [{"instances": [{"instance_id": "i-1", "private_ip_address": "10.42.0.8"}]}, {"skipped": True}]
        given = [self.addressed("198.51.100.1", "i-1"), self.addressed(None, "i-1")]
        assert hosts.readdressed(made, given, self.BEFORE, self.ADDRESSES) == []

    def test_address_of_a_host_that_was_replaced(self) -> None:
        given = [self.addressed("198.51.100.1", "i-2")]
        assert hosts.readdressed([], given, self.BEFORE, self.ADDRESSES) == ["198.51.100.1"]


def test_network_acl_lets_hosts_in_and_answers_out() -> None:
    assert network.network_acl(["10.0.0.0/24", "10.0.1.0/24"]) == {
        "ingress": [
            [100, "tcp", "allow", "10.0.0.0/24", None, None, 5432, 5432],
            [101, "tcp", "allow", "10.0.1.0/24", None, None, 5432, 5432],
        ],
        "egress": [
            [100, "tcp", "allow", "10.0.0.0/24", None, None, 1024, 65535],
            [101, "tcp", "allow", "10.0.1.0/24", None, None, 1024, 65535],
        ],
    }
    ports = {rule[6] for rule in network.network_acl(["10.0.0.0/24"], endpoints=True)["ingress"]}
    assert ports == {5432, 443}


def test_what_aws_says_of_a_network_acl_is_compared_with_that() -> None:
    wanted = network.network_acl(["10.0.0.0/24"], endpoints=True)
    entries = [
        {
            "RuleNumber": number,
            "Protocol": "6",
            "RuleAction": action,
            "Egress": direction == "egress",
            "CidrBlock": cidr,
            "PortRange": {"From": first, "To": last},
        }
        for direction, rules in wanted.items()
        for number, _tcp, action, cidr, _type, _code, first, last in rules[::-1]
    ]
    last = {"RuleNumber": 32767, "Protocol": "-1", "RuleAction": "deny", "Egress": False, "CidrBlock": "0.0.0.0/0"}
    more = ec2.KINDS["network_acls"].more
    assert {way: more[way]({"Entries": [last, *entries]}) for way in wanted} == wanted
    open_to_all = {**last, "RuleNumber": 50, "RuleAction": "allow"}
    assert more["ingress"]({"Entries": [open_to_all]}) == [[50, "all", "allow", "0.0.0.0/0", None, None, None, None]]
