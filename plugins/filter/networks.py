# SPDX-License-Identifier: GPL-3.0-or-later
"""How an IPv4 network is divided."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Network
from itertools import islice
from typing import Any

from ansible.errors import AnsibleFilterError


def split_network(value: str, count: int) -> list[str]:
    """The first ``count`` equal parts of a network, as large as they can be."""
    network = IPv4Network(value)
    prefix = network.prefixlen + max(count - 1, 0).bit_length()
    if prefix > 28:  # AWS has no smaller subnet
        raise AnsibleFilterError(f"{value} is too small for {count} subnets of at least 16 addresses.")
    return [str(part) for part in islice(network.subnets(new_prefix=prefix), count)]


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"split_network": split_network}
