# SPDX-License-Identifier: GPL-3.0-or-later
"""Which parameters are set at once, and which with the next restart."""

from __future__ import annotations

from typing import Any

from ansible_collections.cellcs.orthweb.plugins.plugin_utils.aws.parameters import changes

WANTED = {"name": "g", "family": "postgres17", "parameters": {"log_statement": "none", "max_connections": "200"}}


def found(**values: str) -> list[dict[str, Any]]:
    there = {"log_statement": "none", "max_connections": "200", **values}
    return [{"name": "g", "family": "postgres17", "parameters": there, "static": ["max_connections"]}]


def test_a_group_that_is_right_is_left_alone() -> None:
    assert changes([WANTED], found(work_mem="4")) == []


def test_a_new_group_has_no_database_that_could_restart() -> None:
    assert changes([WANTED], []) == [{**WANTED, "immediate": False}]


def test_dynamic_ones_are_set_at_once_and_static_ones_by_themselves() -> None:
    assert changes([WANTED], found(log_statement="all")) == [
        {**WANTED, "parameters": {"log_statement": "none"}, "immediate": True},
        {**WANTED, "parameters": {"max_connections": "200"}, "immediate": False},
    ]


def test_a_group_without_static_ones_is_there_once() -> None:
    wanted = {**WANTED, "parameters": {"log_statement": "none"}}
    assert changes([wanted], found(log_statement="all")) == [{**wanted, "immediate": True}]
