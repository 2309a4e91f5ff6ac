# SPDX-License-Identifier: GPL-3.0-or-later
"""A load balancer before the hosts: who reaches what, what it listens on, and whom it does not use."""

from __future__ import annotations

from typing import Any

from ansible_collections.cellcs.orthweb.plugins.plugin_utils.aws import balancer, network

RANGES = {"dicom": ["198.51.100.0/24"], "portal": ["203.0.113.0/24"], "controller": ["192.0.2.10/32"]}
LISTENERS = [{"port": 11112, "tls": True, "allowed": []}, {"port": 11113, "tls": False, "allowed": ["10.1.0.0/16"]}]
PORTS = [11112, 11113, 443]


def rules(**changed: Any) -> dict[str, list[dict[str, Any]]]:
    ranges = {**RANGES, **changed.pop("ranges", {})}
    without = network.ingress(LISTENERS, [], [443], ranges)
    return network.balanced(without, PORTS, ["10.42.0.0/18"], "sg-1", **changed)


def sources(some: list[dict[str, Any]]) -> list[tuple[int, Any]]:
    return [(rule["from_port"], rule.get("group_id") or rule["cidr_ip"]) for rule in some]


def test_the_balancer_is_open_as_the_hosts_were_and_they_to_it() -> None:
    found = rules()
    assert sources(found["balancer"]) == [
        (11112, ["198.51.100.0/24"]),
        (11113, ["10.1.0.0/16"]),
        (443, ["203.0.113.0/24"]),
    ]
    to_each = [(22, ["192.0.2.10/32"]), *((port, ["192.0.2.10/32"]) for port in PORTS)]  # the controller checks each
    assert sources(found["hosts"]) == [(11112, "sg-1"), (11113, "sg-1"), (443, "sg-1"), *to_each]
    assert sources(found["balancer_egress"]) == [(port, ["10.42.0.0/18"]) for port in PORTS]


def test_during_a_move_the_hosts_stay_open_too() -> None:
    found = rules(direct_access=True, ranges={"controller": ["192.0.2.10/32", "203.0.113.0/24"]})
    assert sources(found["hosts"])[3:] == [
        (11112, ["198.51.100.0/24"]),
        (11113, ["10.1.0.0/16"]),
        (443, ["203.0.113.0/24"]),
        (22, ["192.0.2.10/32", "203.0.113.0/24"]),
        (11112, ["192.0.2.10/32", "203.0.113.0/24"]),
        (11113, ["192.0.2.10/32", "203.0.113.0/24"]),
        (443, ["192.0.2.10/32"]),  # AWS refuses a rule that is there
    ]


def test_a_controller_that_comes_by_systems_manager_gets_by_the_balancer_only() -> None:
    found = rules(ranges={"controller": []})
    assert sources(found["hosts"]) == [(11112, "sg-1"), (11113, "sg-1"), (443, "sg-1")]


def test_the_health_check_gets_through_where_nobody_may_open_the_portal() -> None:
    found = rules(ranges={"portal": []})
    assert 443 not in dict(sources(found["balancer"]))
    assert (443, "sg-1") in sources(found["hosts"])


def test_the_portal_keeps_an_address_at_one_host() -> None:
    assert balancer.listeners(["11112", 443], ["443"], "3900") == [
        {"port": 11112, "sticky": False, "idle_timeout_seconds": 3900},
        {"port": 443, "sticky": True, "idle_timeout_seconds": 3900},
    ]


def test_hosts_that_get_nobody_are_named_with_the_reason() -> None:
    def group(port: int, **health: dict[str, str]) -> dict[str, Any]:
        said = [{"target": {"id": id_.replace("_", "-")}, "target_health": state} for id_, state in health.items()]
        return {"port": port, "targets_health_description": said}

    good = {"state": "healthy"}
    bad = {"state": "unhealthy", "description": "Health checks failed with these codes: [503]"}
    hosts = {"one": "i-1", "two": "i-2"}
    assert balancer.not_ready([group(443, i_1=good, i_2=good)], hosts) == []
    assert balancer.not_ready([group(11112, i_1=good, i_2=bad), group(443, i_1=good)], hosts) == [
        "two at port 443 (not registered)",
        "two at port 11112 (unhealthy, Health checks failed with these codes: [503])",
    ]
