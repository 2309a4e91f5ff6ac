# SPDX-License-Identifier: GPL-3.0-or-later
"""Of the load balancer before several hosts, what AWS would refuse in the middle of a deployment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible.module_utils.parsing.convert_bool import boolean as is_true

LONGEST_NAME = 32
RANGES = {
    "idle_timeout_seconds": ("aws_balancer_idle_timeout_seconds", 60, 6000),
    "drain_seconds": ("aws_balancer_drain_seconds", 0, 3600),
}


def balancer_problems(
    balancer: Mapping[str, Any], *, stack: str, acme: Mapping[str, Any], zones: Sequence[str] = ()
) -> Iterator[str]:
    """Of a balancer that is wanted.

    :param balancer: C(wanted), C(ports), C(idle_timeout_seconds), C(drain_seconds); empty if nobody asked for one
    :param acme: the setting orthweb_acme
    :param zones: those of the public subnets
    """
    if not balancer or not is_true(balancer["wanted"]):
        return
    longest = max(map(str, balancer["ports"]), key=len)
    room = LONGEST_NAME - len(longest) - 1
    if len(stack) > room:
        yield (
            f'orthweb_stack is "{stack}": with a load balancer it may have {room} characters, as AWS takes '
            f"{LONGEST_NAME} in the name of a target group ({stack}-{longest}). Choose a shorter one, or set "
            "orthweb_balancer to absent."
        )
    for key, (variable, lowest, highest) in RANGES.items():
        value = str(balancer[key])
        if not value.isdecimal() or not lowest <= int(value) <= highest:
            yield f"{variable} is {balancer[key]}: use a number of seconds from {lowest} to {highest}."
    if isinstance(acme, Mapping) and acme.get("challenge") == "http-01":
        yield (
            "orthweb_acme has the challenge http-01, and the load balancer would lead the CA to any of the hosts. Use "
            "dns-01, or set orthweb_balancer to absent."
        )
    twice = sorted({zone for zone in zones if list(zones).count(zone) > 1})
    if twice:
        yield (
            f"orthweb_public_subnet_ids has several subnets in {', '.join(twice)}, and a load balancer takes one in "
            "each zone. Name one in each, or set orthweb_balancer to absent."
        )
