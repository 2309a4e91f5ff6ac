# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wanted against what is held."""

from __future__ import annotations

import pytest
from ansible_collections.cellcs.orthweb.plugins.module_utils.reconcile.compare import (
    KEPT_SECONDS,
    Difference,
    Held,
    Wanted,
    aged,
    compared,
    removable,
)

WANTED = Wanted("a", "md5-a", 10, "1", "1.2.3")
HELD = Held("a", "md5-a", 10, "1")
NOW = 1_000_000_000.0


def test_equal() -> None:
    comparison = compared([WANTED], [HELD])
    assert comparison.differences == []
    assert comparison.count() == {
        "equal": 1,
        "unverified": 0,
        "missing": 0,
        "orphaned": 0,
        "damaged": 0,
        "misplaced": 0,
    }


@pytest.mark.parametrize(
    ("wanted", "held"),
    [
        (Wanted("a", "", 10, "1", "1.2.3"), HELD),
        (WANTED, Held("a", "", 10, "1")),
    ],
    ids=["no hash in the index", "too large to be read"],
)
def test_what_has_no_hash_is_not_said_to_be_equal(wanted: Wanted, held: Held) -> None:
    comparison = compared([wanted], [held])
    assert (comparison.equal, comparison.unverified, comparison.differences) == (0, 1, [])


@pytest.mark.parametrize(
    ("held", "state", "reason"),
    [
        ([], "missing", "the storage area does not have it"),
        ([Held("a", "", 0, "1", complaint="no large object")], "missing", "no large object"),
        ([Held("a", "md5-a", 9, "1")], "damaged", "it has 9 bytes, and the index says 10"),
        ([Held("a", "", 9, "1")], "damaged", "it has 9 bytes, and the index says 10"),
        ([Held("a", "md5-b", 10, "1")], "damaged", "its MD5 is md5-b, and the index says md5-a"),
        ([Held("a", "md5-a", 10, "2")], "misplaced", "it is in 2, and Orthanc looks for it in 1"),
        ([Held("a", "md5-b", 10, "2")], "damaged", "its MD5 is md5-b, and the index says md5-a"),
    ],
)
def test_what_is_wrong_with_it(held: list[Held], state: str, reason: str) -> None:
    comparison = compared([WANTED], held)
    assert comparison.differences == [Difference(state, "a", "1.2.3", reason)]  # type: ignore[arg-type]
    assert (comparison.equal, comparison.unverified) == (0, 0)
    assert comparison.count()[state] == 1


def test_a_further_copy_hides_nothing() -> None:
    """Whichever is listed first."""
    copy = Held("a", "md5-b", 10, "2")
    further = Difference("misplaced", "a", "1.2.3", "a further copy is in 2")
    assert compared([WANTED], [HELD, copy]) == compared([WANTED], [copy, HELD])
    comparison = compared([WANTED], [copy, HELD])
    assert (comparison.equal, comparison.differences) == (1, [further])


def test_an_instance_without_an_attachment() -> None:
    [difference] = compared([Wanted("", "", 0, "", "1.2.3")], []).differences
    assert (difference.state, difference.sop_instance_uid) == ("missing", "1.2.3")


def test_orphans() -> None:
    held = [HELD, Held("b", "md5-b", 1, "1"), Held("c", "", 0, "", complaint="no row names it")]
    assert compared([WANTED], held).differences == [
        Difference("orphaned", "b", "", "the index does not name it"),
        Difference("orphaned", "c", "", "no row names it"),
    ]


class TestAge:
    DAY = KEPT_SECONDS

    def orphan(self, since: float | None, **options: bool) -> list[Difference]:
        return [Difference("orphaned", "b", "", "", since, **options)]

    def test_a_file_has_a_time(self) -> None:
        assert aged(self.orphan(NOW - 5), {"b": 0.0}, NOW) == {"b": NOW - 5}

    def test_a_large_object_counts_from_when_it_was_first_seen(self) -> None:
        assert aged(self.orphan(None), {}, NOW) == {"b": NOW}
        assert aged(self.orphan(None), {"b": NOW - 5}, NOW) == {"b": NOW - 5}

    def test_a_clock_that_was_ahead_makes_nothing_younger_for_ever(self) -> None:
        assert aged(self.orphan(None), {"b": NOW + 5 * self.DAY}, NOW) == {"b": NOW}

    def test_what_is_no_orphan_any_more_is_forgotten(self) -> None:
        assert aged([], {"b": NOW}, NOW) == {}

    def test_nothing_but_orphans_is_ever_removed(self) -> None:
        others = [Difference(state, "b", "", "", 0.0) for state in ("missing", "damaged", "misplaced")]  # type: ignore[arg-type]
        assert aged(others, {"b": 0.0}, NOW) == {}
        assert aged(self.orphan(0.0, foreign=True), {}, NOW) == {}

    def test_a_day(self) -> None:
        assert removable({"b": NOW - self.DAY}, NOW) == []
        assert removable({"b": NOW - self.DAY - 1, "a": 0.0, "c": NOW}, NOW) == ["a", "b"]
