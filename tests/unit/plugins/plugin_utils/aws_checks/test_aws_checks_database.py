# SPDX-License-Identifier: GPL-3.0-or-later
"""Storage that RDS would refuse, and an upgrade that nobody has agreed to."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.cellcs.orthweb.plugins.plugin_utils.aws_checks.database import database_problems

STORAGE = {"storage_gb": 50, "limit_gb": 500, "iops": "", "throughput": ""}
THERE = {
    "id": "clinic",
    "engine_version": "16.10",
    "state": "available",
    "upgrades": [{"version": "16.11", "major": False}, {"version": "17.6", "major": True}],
}


def said(version: object = "16", agreed: object = "", storage: Any = None, **there: Any) -> list[str]:
    databases = [{"id": "another", "engine_version": "12.1"}, {**THERE, **there}]
    more = {
        "stack": "clinic",
        "storage": STORAGE if storage is None else storage,
        "engine_version": version,
        "major_upgrade": agreed,
    }
    return list(database_problems(databases, **more))


@pytest.mark.parametrize("version", ["16", 16, "16.4"])
def test_the_same_major_version(version: object) -> None:
    assert said(version) == []
    assert said(version, agreed="17") == []


def test_storage_is_looked_at_with_and_without_a_database() -> None:
    wrong = {**STORAGE, "storage_gb": 1000}
    assert "aws_database_storage_limit_gb is 500" in said(storage=wrong)[0]
    more = {"stack": "clinic", "engine_version": "17", "major_upgrade": ""}
    assert "aws_database_storage_limit_gb is 500" in next(database_problems([], storage=wrong, **more))
    assert list(database_problems([], storage=STORAGE, **more)) == []


def test_nothing_is_said_where_the_database_is_not_ours() -> None:
    assert said("17", storage={}) == []


def test_an_upgrade_takes_an_agreement() -> None:
    (problem,) = said("17")
    assert "the database clinic runs PostgreSQL 16.10" in problem
    assert "add -e orthweb_rds_major_upgrade=17; to stay, set orthweb_rds_engine_version: 16." in problem
    assert said("17", agreed="16") == [problem]
    assert said("17", agreed="17") == said(17, agreed=17) == []


def test_there_is_no_way_back() -> None:
    (problem,) = said("15", agreed="15")
    assert "RDS never goes back. Set it to 16." in problem


def test_a_version_that_rds_cannot_upgrade_to() -> None:
    (problem,) = said("18", agreed="18")
    assert "which RDS can upgrade to 17." in problem
    (problem,) = said("17", agreed="17", upgrades=[])
    assert "which RDS can upgrade to no other major version." in problem


def test_a_version_that_is_none() -> None:
    assert said("latest") == ['orthweb_rds_engine_version is "latest": use a major version, such as 17.']


def test_an_upgrade_begins_with_a_database_that_is_available() -> None:
    (problem,) = said("17", agreed="17", state="storage-optimization")
    assert '"storage-optimization"; RDS upgrades it only when it is "available"' in problem


def test_an_upgrade_that_is_under_way_is_none_to_agree_to() -> None:
    assert said("17", state="upgrading") == []
