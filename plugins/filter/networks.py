# SPDX-License-Identifier: GPL-3.0-or-later
"""IPv4 networks in CIDR notation: what is wrong with one, whether two meet, and how to divide one."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Network
from itertools import islice
from typing import Any

from ansible.errors import AnsibleFilterError


def network_problem(value: object) -> str:
    """Say what is wrong with a network that a person gave, as a sentence; empty if nothing is."""
    text = str(value)
    if ":" in text:
        return f'"{text}" is IPv6; the network is IPv4 only.'
    if "/" not in text:
        return f'"{text}" has no prefix length: write {text}/32 for one address.'
    try:
        IPv4Network(text)
    except ValueError as error:
        return f'"{text}" is not a network in CIDR notation: {error}.'
    return ""


def networks_meet(value: str, others: list[str]) -> list[str]:
    """Those of ``others`` that have addresses in common with ``value``."""
    return [other for other in others if IPv4Network(value).overlaps(IPv4Network(other))]


def split_network(value: str, count: int) -> list[str]:
    """The first ``count`` equal parts of a network, as large as they can be."""
    network = IPv4Network(value)
    prefix = network.prefixlen + max(count - 1, 0).bit_length()
    if prefix > 28:  # AWS has no smaller subnet
        raise AnsibleFilterError(f"{value} is too small for {count} subnets of at least 16 addresses.")
    return [str(part) for part in islice(network.subnets(new_prefix=prefix), count)]


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"network_problem": network_problem, "networks_meet": networks_meet, "split_network": split_network}
