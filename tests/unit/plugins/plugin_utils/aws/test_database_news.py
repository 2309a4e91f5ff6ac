# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said about a database that works."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.cellcs.orthweb.plugins.plugin_utils.aws.database_news import news

TODAY = "2026-11-29"
FOUND = {
    "db_instance_identifier": "clinic",
    "engine_version": "17.5",
    "preferred_maintenance_window": "sun:04:00-sun:05:00",
    "db_parameter_groups": [{"db_parameter_group_name": "clinic-postgres17", "parameter_apply_status": "in-sync"}],
    "certificate_details": {"ca_identifier": "rds-ca-rsa2048-g1", "valid_till": "2027-09-01T10:00:00+00:00"},
}


def said(outlook: dict[str, Any] | None = None, **found: Any) -> list[str]:
    return news({**FOUND, **found}, {"arn": "arn:aws:rds:x:1:db:clinic", **(outlook or {})}, TODAY)


def test_nothing_is_said_where_nothing_is_pending() -> None:
    assert said() == []
    assert news({"db_instance_identifier": "clinic"}, {}, TODAY) == []
    assert news({}, {}, TODAY) == []


@pytest.mark.parametrize("status", ["applying", "in-sync"])
def test_parameters_that_are_in_force_or_soon_will_be(status: str) -> None:
    assert said(db_parameter_groups=[{"db_parameter_group_name": "a", "parameter_apply_status": status}]) == []


def test_parameters_that_wait_for_a_restart() -> None:
    (sentence,) = said(
        db_parameter_groups=[{"db_parameter_group_name": "a", "parameter_apply_status": "pending-reboot"}]
    )
    assert "The parameter group a has values that are not in force" in sentence
    assert "-e aws_database_reboot=true" in sentence


def test_parameters_that_could_not_be_applied() -> None:
    (sentence,) = said(
        db_parameter_groups=[{"db_parameter_group_name": "a", "parameter_apply_status": "failed-to-apply"}]
    )
    assert "RDS could not apply the parameter group a" in sentence
    assert "aws rds describe-events --source-type db-instance --source-identifier clinic" in sentence


def test_a_version_that_somebody_has_asked_for() -> None:
    (sentence,) = said(pending_modified_values={"engine_version": "18.1"})
    assert "RDS is going to upgrade the database clinic from PostgreSQL 17.5 to 18.1" in sentence
    assert said(pending_modified_values={"master_user_password": "****"}) == []


def upgrade(version: str, major: bool = False, automatic: bool = False) -> dict[str, Any]:
    return {"version": version, "major": major, "automatic": automatic}


def test_the_newest_minor_version() -> None:
    targets = [upgrade("17.9"), upgrade("17.10"), upgrade("18.1", major=True)]
    (sentence,) = said({"upgrades": targets})
    assert "PostgreSQL 17.10 is available for the database clinic, which runs 17.5: RDS does not install it" in sentence
    assert "--engine-version 17.10 --apply-immediately" in sentence


def test_a_minor_version_that_comes_by_itself() -> None:
    (sentence,) = said({"upgrades": [upgrade("17.6", automatic=True)]})
    assert "RDS installs it by itself, in a maintenance window (sun:04:00-sun:05:00, UTC)" in sentence


def test_a_minor_version_of_what_ran_before_an_upgrade() -> None:
    assert said({"engine_version": "16.10", "upgrades": [upgrade("16.11")]}) == []


def test_a_major_version_is_nobodys_news() -> None:
    assert said({"upgrades": [upgrade("18.1", major=True)]}) == []


def test_maintenance_with_its_dates() -> None:
    action = {"action": "system-update", "description": "New OS", "date": "2026-12-06", "forced_date": "2027-01-01"}
    (sentence,) = said({"maintenance": [action]})
    assert (
        "system-update (New OS), in the maintenance window of 2026-12-06 or after, on 2027-01-01 at the latest"
        in sentence
    )
    assert "--resource-identifier arn:aws:rds:x:1:db:clinic --apply-action system-update" in sentence
    (sentence,) = said({"maintenance": [{**action, "date": "", "forced_date": ""}]})
    assert "(New OS). To have it now" in sentence


@pytest.mark.parametrize(
    ("ends", "expected"),
    [("2026-12-29", "ends on 2026-12-29"), ("2026-11-29", "ends on"), ("2026-11-28", "has ended on")],
)
def test_a_certificate_that_was_not_renewed(ends: str, expected: str) -> None:
    (sentence,) = said(certificate_details={"ca_identifier": "rds-ca-2019", "valid_till": f"{ends}T00:00:00+00:00"})
    assert expected in sentence
    assert "(CA rds-ca-2019)" in sentence
    assert "aws_database_ca_identifier" in sentence


def test_a_certificate_that_rds_will_still_renew() -> None:
    assert said(certificate_details={"ca_identifier": "a", "valid_till": "2026-12-30T00:00:00+00:00"}) == []
