# SPDX-License-Identifier: GPL-3.0-or-later
"""What a load balancer before the hosts listens on, and which hosts it does not use."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any


def listeners(
    ports: Sequence[object], sticky: Collection[object], idle_timeout_seconds: object
) -> list[dict[str, Any]]:
    """As the module network_load_balancer takes them.

    :param sticky: those of the ports at which an address always gets to the same host
    """
    always = set(map(str, sticky))
    return [
        {
            "port": int(str(port)),
            "sticky": str(port) in always,
            "idle_timeout_seconds": int(str(idle_timeout_seconds)),
        }
        for port in ports
    ]


def not_ready(groups: Sequence[Mapping[str, Any]], hosts: Mapping[str, str]) -> list[str]:
    """Each host that gets no connection at a port, with what AWS says of it.

    :param groups: as community.aws.elb_target_group_info returns them, with the health of the targets
    :param hosts: name to ID
    """
    said = []
    for group in sorted(groups, key=lambda each: int(each["port"])):
        health = {each["target"]["id"]: each["target_health"] for each in group.get("targets_health_description") or []}
        for name, id_ in hosts.items():
            state = health.get(id_, {"state": "not registered"})
            if state["state"] != "healthy":
                why = f", {state['description']}" if state.get("description") else ""
                said.append(f"{name} at port {group['port']} ({state['state']}{why})")
    return said
