# SPDX-License-Identifier: GPL-3.0-or-later
"""Of what is wanted in an account, a module is called for what is not there like that, and for nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.cellcs.orthweb.plugins.plugin_utils.aws.drift import drift, ids

FOUND: dict[str, Any] = {
    "id": "x-1",
    "name": "one",
    "state": "available",
    "tags": {"orthweb:stack": "orthweb", "owner": "somebody"},
    "parameters": {"a": "1", "b": "2"},
    "ids": ["s-2", "s-1"],
    "days": 90,
    "open": False,
    "policy": {"Statement": [{"Action": ["a", "b"], "Effect": "Allow"}, {"Action": "c", "Effect": "Deny"}]},
}
WANTED = {key: value for key, value in FOUND.items() if key not in ("id", "state")}


def test_what_is_there_needs_nothing() -> None:
    assert drift([WANTED], [FOUND]) == []
    assert drift([], [FOUND]) == []


@pytest.mark.parametrize(
    "same",
    [
        {"tags": {"orthweb:stack": "orthweb"}},
        {"parameters": {"a": 1}},
        {"ids": ["s-1", "s-2"]},
        {"days": "90"},
        {"policy": {"Statement": [{"Effect": "Allow", "Action": ["b", "a"]}, {"Effect": "Deny", "Action": "c"}]}},
    ],
    ids=lambda same: next(iter(same)),
)
def test_what_means_the_same_is_the_same(same: dict[str, Any]) -> None:
    assert drift([WANTED | same], [FOUND]) == []


@pytest.mark.parametrize(
    "other",
    [
        {"tags": {"orthweb:stack": "clinic"}},
        {"tags": {"team": "imaging"}},
        {"parameters": {"a": "2"}},
        {"parameters": {"c": "1"}},
        {"ids": ["s-1"]},
        {"ids": ["s-1", "s-2", "s-3"]},
        {"days": 30},
        {"open": True},
        {"open": None},
        {"policy": {"Statement": [{"Action": "c", "Effect": "Deny"}, {"Action": ["a", "b"], "Effect": "Allow"}]}},
        {"policy": {"Statement": []}},
        {"not told": "anything"},
    ],
    ids=str,
)
def test_what_differs_is_named(other: dict[str, Any]) -> None:
    assert drift([WANTED | other], [FOUND]) == [WANTED | other]


def test_what_is_missing_or_there_twice_is_named() -> None:
    assert drift([WANTED], []) == [WANTED]
    assert drift([WANTED], [FOUND | {"name": "two"}]) == [WANTED]
    assert drift([WANTED], [FOUND, FOUND | {"id": "x-2"}]) == [WANTED]


def test_an_id_is_that_of_what_was_made_or_found() -> None:
    found = [{"name": "a", "id": "x-1"}, {"name": "b", "id": "x-2"}]
    assert ids(["b", "a", "c", "d"], found, {"a": "x-9", "b": "", "c": "x-3"}, "x-0") == ["x-2", "x-9", "x-3", "x-0"]
