# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether an upgrade has been done, is still to come, or was given up."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.cellcs.orthweb.plugins.plugin_utils.aws.database_upgrade import upgrade

BEFORE = {"engine_version": "16.10", "state": "available"}
UNDER_WAY = {"under_way": True, "given_up": False}
GIVEN_UP = {"under_way": False, "given_up": True}
NEITHER = {"under_way": False, "given_up": False}


def found(status: str, version: str = "16.10", pending: str = "") -> dict[str, Any]:
    values = {"engine_version": pending} if pending else {}
    return {"db_instance_status": status, "engine_version": version, "pending_modified_values": values}


@pytest.mark.parametrize("status", ["available", "backing-up", "upgrading"])
def test_one_that_is_pending_is_under_way_whatever_the_state(status: str) -> None:
    assert upgrade(found(status, pending="17.6"), BEFORE, "17") == UNDER_WAY


def test_one_that_rds_works_on() -> None:
    assert upgrade(found("upgrading"), BEFORE, 17) == UNDER_WAY
    assert upgrade(found("upgrading"), {**BEFORE, "state": "upgrading"}, "17") == UNDER_WAY


def test_the_old_version_and_nothing_pending_is_the_end_of_it() -> None:
    assert upgrade(found("available"), BEFORE, "17") == GIVEN_UP
    assert upgrade(found("available"), {**BEFORE, "state": "upgrading"}, "17") == GIVEN_UP


@pytest.mark.parametrize("status", ["rebooting", "modifying", "backing-up"])
def test_nothing_is_given_up_in_between(status: str) -> None:
    """RDS makes a backup before and after."""
    assert upgrade(found(status), BEFORE, "17") == UNDER_WAY
    assert upgrade(found(status, "17.6"), BEFORE, "17") == NEITHER


def test_one_that_is_done() -> None:
    assert upgrade(found("available", "17.6"), BEFORE, "17.6") == NEITHER
    assert upgrade({**found("available", "17.6"), "pending_modified_values": None}, BEFORE, "17") == NEITHER


def test_no_upgrade_was_expected() -> None:
    """A minor version that RDS is to install in the maintenance window is waited for by nobody."""
    assert upgrade(found("available", pending="16.11"), BEFORE, "16") == NEITHER
    assert upgrade(found("available"), {}, "17") == NEITHER
    assert upgrade({}, BEFORE, "17") == NEITHER
