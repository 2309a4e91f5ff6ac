# SPDX-License-Identifier: GPL-3.0-or-later
"""Which state of RDS lets clients work, which can be deleted or copied, and which needs a person."""

from __future__ import annotations

import pytest
from ansible_collections.cellcs.orthweb.plugins.plugin_utils.aws import database_states
from ansible_collections.cellcs.orthweb.plugins.plugin_utils.aws.database_states import state


@pytest.mark.parametrize("name", ["available", "storage-optimization", "storage-initialization"])
def test_what_is_settled_can_be_used_changed_and_deleted(name: str) -> None:
    """The last two can last up to a day."""
    found = state(name)
    assert (found["usable"], found["settled"], found["dead_end"]) == (True, True, False)


@pytest.mark.parametrize("name", ["backing-up", "configuring-log-exports", "configuring-enhanced-monitoring"])
def test_clients_work_while_rds_is_busy_for_a_moment(name: str) -> None:
    found = state(name)
    assert (found["usable"], found["settled"], found["dead_end"]) == (True, False, False)


@pytest.mark.parametrize(
    "name",
    ["creating", "modifying", "upgrading", "rebooting", "maintenance", "starting", "deleting", "missing", "a new one"],
)
def test_all_else_is_waited_for(name: str) -> None:
    found = state(name)
    assert (found["usable"], found["settled"], found["dead_end"]) == (False, False, False)


@pytest.mark.parametrize("name", database_states.DEAD_ENDS)
def test_what_does_not_pass_is_neither_used_nor_waited_for(name: str) -> None:
    found = state(name)
    assert (found["usable"], found["settled"], found["dead_end"]) == (False, False, True)


def test_full_storage_that_is_being_enlarged_passes() -> None:
    """RDS reports the old state until it has begun; without a change under way, a person has to do something."""
    assert state("storage-full", growing=True)["dead_end"] is False
    assert state("storage-full")["dead_end"]
    assert state("stopped", growing=True)["dead_end"]


def test_advice_where_there_is_some() -> None:
    assert "aws rds start-db-instance" in state("stopped")["advice"]
    assert "deleted while the playbook was running" in state("missing")["advice"]
    assert state("available")["advice"] == ""


def test_rds_takes_a_final_snapshot_in_two_states() -> None:
    """CreateDBSnapshot: "must be in the available or storage-optimization state"."""
    every = {*database_states.SETTLED, *database_states.BUSY, *database_states.DEAD_ENDS, "creating", "a new one"}
    assert {name for name in every if state(name)["snapshot"]} == {"available", "storage-optimization"}
