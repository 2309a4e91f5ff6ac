# SPDX-License-Identifier: GPL-3.0-or-later
"""What is refused of the settings for a load balancer before several hosts."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.cellcs.orthweb.plugins.plugin_utils.preflight.balancer import balancer_problems


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"orthweb_balancer_ranges": [], "orthweb_direct_name": "", "orthweb_acme": {"names": ["pacs.example"]}},
        {"orthweb_balancer_ranges": ["192.0.2.11", "10.42.0.0/18"], "orthweb_direct_name": "pacs1.example"},
        {"orthweb_direct_name": "192.0.2.21", "orthweb_acme": {}},
        {"orthweb_direct_name": "pacs1.example", "orthweb_acme": {"names": ["pacs.example", "pacs1.example"]}},
        {"orthweb_balancer_ranges": "192.0.2.11", "orthweb_direct_name": ["pacs1.example"]},  # types are said elsewhere
    ],
)
def test_good_ones(settings: dict[str, Any]) -> None:
    assert list(balancer_problems(settings)) == []


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (
            {"orthweb_balancer_ranges": ["10.0.0.0/8", "balancer.example"]},
            "orthweb_balancer_ranges has 'balancer.example'",
        ),
        ({"orthweb_balancer_ranges": ["192.0.2.11/24"]}, "192.0.2.11/24 has host bits set. Use networks or addresses"),
        ({"orthweb_direct_name": "https://pacs1.example"}, "orthweb_direct_name: 'https://pacs1.example' is a URL"),
        (
            {"orthweb_direct_name": "pacs1.example", "orthweb_acme": {"names": ["pacs.example"]}},
            "orthweb_direct_name is pacs1.example, which orthweb_acme.names lacks",
        ),
    ],
)
def test_bad_ones(settings: dict[str, Any], said: str) -> None:
    (problem,) = balancer_problems(settings)
    assert said in problem
