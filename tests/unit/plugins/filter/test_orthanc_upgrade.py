# SPDX-License-Identifier: GPL-3.0-or-later
"""Which version of Orthanc may take over which database."""

from __future__ import annotations

import pytest
from ansible_collections.cellcs.orthweb.plugins.filter.orthanc_upgrade import upgrade

RUNNING = "Orthanc 1.12.7\nCopyright (C) 2012-2016 Sebastien Jodogne"


def image(plugin: str, orthanc: str = "1.13.0") -> str:
    return (
        f"Orthanc {orthanc}\nW1128 18:36:13.134913 MAIN PluginsManager.cpp:287] "
        f"Registering plugin 'postgresql-index' (version {plugin})"
    )


def database(revision: int | None, schema: int = 6) -> str:
    return "\n".join([f"1|{schema}", "10|1", *([f"4|{revision}"] if revision else [])])


@pytest.mark.parametrize(
    ("plugin", "revision"), [("5.0", 1), ("4.0", 1), ("5.0", None), ("6.2", 2), ("7.1", 3), ("7.2", 4), ("10.3", 10)]
)
def test_the_same_schema_has_a_way_back(plugin: str, revision: int | None) -> None:
    decided = upgrade(image(plugin), database(revision), RUNNING)
    assert (decided.problem, decided.irreversible) == ("", False)
    assert "Orthanc 1.12.7 → 1.13.0" in decided.message
    assert "and you can go back" in decided.message


@pytest.mark.parametrize(
    ("plugin", "revision", "target"), [("6.0", 1, "2"), ("10.3", 1, "10"), ("10.0", 6, "10"), ("11.0", 10, "11")]
)
def test_a_newer_schema_has_none(plugin: str, revision: int, target: str) -> None:
    decided = upgrade(image(plugin), database(revision), RUNNING)
    assert (decided.problem, decided.irreversible) == ("", True)
    assert f"from schema revision {revision} to {target}" in decided.message


def test_a_plugin_that_is_newer_than_this_collection() -> None:
    decided = upgrade(image("12.0"), database(11), RUNNING)
    assert decided.irreversible
    assert "an unknown revision" in decided.message


@pytest.mark.parametrize(
    ("plugin", "revision", "known"), [("5.0", 10, 1), ("5.0", 2, 1), ("7.1", 4, 3), ("9.0", 10, 6)]
)
def test_an_older_plugin_is_refused(plugin: str, revision: int, known: int) -> None:
    problem = upgrade(image(plugin), database(revision), RUNNING).problem
    assert f"schema revision {revision}" in problem
    assert f"supports none above {known}" in problem
    assert "Orthanc was not changed" in problem


def test_an_image_without_the_plugin_is_refused() -> None:
    assert "does not load its PostgreSQL plugin" in upgrade("Orthanc 1.13.0\n", database(1)).problem


def test_a_schema_of_long_ago_is_refused() -> None:
    assert "Orthanc's schema 5" in upgrade(image("5.0"), database(1, schema=5)).problem


@pytest.mark.parametrize(("orthanc", "new"), [("1.12.7", False), ("1.13.0", True)])
def test_a_rebuilt_image_is_no_new_version(orthanc: str, new: bool) -> None:
    assert upgrade(image("5.0", orthanc), database(1), RUNNING).new_version is new


def test_nothing_runs() -> None:
    decided = upgrade(image("5.0"), database(1))
    assert decided.new_version
    assert "Orthanc of an unknown version → 1.13.0" in decided.message
