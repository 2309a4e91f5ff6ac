# SPDX-License-Identifier: GPL-3.0-or-later
"""What is refused of a load balancer before anything is made."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.cellcs.orthweb.plugins.plugin_utils.aws_checks.balancer import balancer_problems

BALANCER = {"wanted": True, "ports": [443, "11112"], "idle_timeout_seconds": 3900, "drain_seconds": "300"}


def problems(stack: str = "clinic", acme: Any = None, zones: tuple[str, ...] = (), **changed: Any) -> list[str]:
    return list(balancer_problems({**BALANCER, **changed}, stack=stack, acme=acme or {}, zones=zones))


def test_what_is_right_is_not_refused() -> None:
    assert problems(zones=("a", "b"), acme={"challenge": "dns-01"}) == []
    assert problems(stack="x" * 26) == []
    assert problems(stack="x" * 28, ports=[443]) == []


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"stack": "x" * 27}, "it may have 26 characters"),
        ({"idle_timeout_seconds": 59}, "aws_balancer_idle_timeout_seconds is 59"),
        ({"idle_timeout_seconds": 6001}, "from 60 to 6000"),
        ({"idle_timeout_seconds": "1h"}, "aws_balancer_idle_timeout_seconds is 1h"),
        ({"drain_seconds": 3601}, "aws_balancer_drain_seconds is 3601"),
        ({"acme": {"challenge": "http-01"}}, "Use dns-01"),
        ({"zones": ("a", "b", "a")}, "several subnets in a,"),
    ],
)
def test_what_aws_would_refuse_is_said(given: dict[str, Any], said: str) -> None:
    (problem,) = problems(**given)
    assert said in problem


def test_without_a_balancer_nothing_is_asked() -> None:
    everything_wrong = {"stack": "x" * 31, "acme": {"challenge": "http-01"}, "idle_timeout_seconds": 1}
    assert problems(**everything_wrong, wanted="false") == []
    assert list(balancer_problems({}, stack="x" * 31, acme={})) == []
