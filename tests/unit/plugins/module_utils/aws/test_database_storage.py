# SPDX-License-Identifier: GPL-3.0-or-later
"""gp3 of RDS for PostgreSQL: what would be refused, what a new database has, and what makes one of what there is."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.cellcs.orthweb.plugins.module_utils.aws.database_storage import (
    Change,
    Storage,
    change,
    given,
    is_too_early,
    new,
    problems,
    put_off,
)


def wanted(gb: object = 50, limit: object = 0, iops: object = "", throughput: object = "") -> dict[str, object]:
    return {"storage_gb": gb, "limit_gb": limit, "iops": iops, "throughput": throughput}


def there(gb: int, limit: int | None = None, **more: Any) -> dict[str, Any]:
    striped = {"Iops": 12000, "StorageThroughput": 500} if gb >= 400 else {"Iops": 3000, "StorageThroughput": 125}
    limited = {"MaxAllocatedStorage": limit} if limit else {}
    return {"AllocatedStorage": gb, "DBInstanceStatus": "available", **striped, **limited, **more}


class TestProblems:
    @pytest.mark.parametrize(
        "fits",
        [
            wanted(20),
            wanted("50", "500"),
            wanted(50, 55),
            wanted(65536),
            wanted(59578, 65536),
            wanted(400, 0, 12000, 500),
            wanted(1000, 1100, "64000", "4000"),
            wanted(400, None, None, None),
            wanted(500, 0, 16000, 4000),
        ],
    )
    def test_what_rds_takes(self, fits: dict[str, object]) -> None:
        assert list(problems(fits)) == []

    @pytest.mark.parametrize(
        ("refused", "said"),
        [
            (wanted("much"), "aws_database_storage_gb is 'much': use a whole number."),
            (wanted(50, "-1"), "aws_database_storage_limit_gb is '-1': use a whole number."),
            (wanted(True), "aws_database_storage_gb is True: use a whole number."),
            (wanted(19), "aws_database_storage_gb is 19: RDS for PostgreSQL has 20 to 65536 GiB"),
            (wanted(65537), "aws_database_storage_gb is 65537"),
            (wanted(1000, 500), "so 1100 or more (1260 for room to grow), or 0 if it shall not grow by itself"),
            (wanted(50, 54), "aws_database_storage_limit_gb is 54, and aws_database_storage_gb is 50"),
            (wanted(50, 65537), "aws_database_storage_limit_gb is 65537: the most is 65536"),
            (wanted(60000, 65536), "Use 0 if the storage shall not grow by itself"),
            (wanted(399, 0, 12000), "aws_database_iops is 12000, but gp3 with less than 400 GiB (here 399)"),
            (wanted(399, 0, "", 500), "aws_database_throughput is 500, but gp3 with less than 400 GiB"),
            (wanted(400, 0, 11999), "aws_database_iops is 11999: gp3 of this size has 12000 to 64000."),
            (wanted(400, 0, 64001), "aws_database_iops is 64001"),
            (wanted(400, 0, "", 499), "aws_database_throughput is 499: gp3 of this size has 500 to 4000 MiB/s."),
            (wanted(400, 0, 16000, 4001), "aws_database_throughput is 4001"),
            (
                wanted(400, 0, "", 3001),
                "takes 12004 IOPS (4 for each MiB/s), and there are 12000: raise aws_database_iops",
            ),
        ],
    )
    def test_what_it_refuses_is_said_in_one_sentence(self, refused: dict[str, object], said: str) -> None:
        (problem,) = problems(refused)
        assert said in problem

    def test_every_setting_that_is_no_number_is_named(self) -> None:
        assert len(list(problems(wanted("a", "b", "c", "d")))) == 4

    def test_storage_that_has_grown_may_have_iops_whatever_it_began_with(self) -> None:
        grown = {"allocated_storage": 450, "max_allocated_storage": 500}
        assert list(problems(wanted(50, 500, 16000), grown)) == []

    def test_a_limit_that_is_set_anew_must_be_above_what_there_is(self) -> None:
        grown = {"allocated_storage": 480, "max_allocated_storage": 1000}
        (problem,) = problems(wanted(50, 500), grown)
        assert "aws_database_storage_limit_gb is 500, and what the database has is 480" in problem

    def test_a_limit_that_was_there_may_be_nearly_reached(self) -> None:
        assert list(problems(wanted(50, 500), {"allocated_storage": 480, "max_allocated_storage": 500})) == []
        assert list(problems(wanted(50, 500), {"allocated_storage": 500, "max_allocated_storage": None})) == []


class TestNew:
    def test_nothing_is_chosen_below_400(self) -> None:
        assert new(given(wanted(50, 500))) == {"allocated_storage": 50, "max_allocated_storage": 500}

    def test_the_least_from_400_on(self) -> None:
        assert new(given(wanted("400"))) == {"allocated_storage": 400, "iops": 12000, "storage_throughput": 500}

    def test_as_much_as_was_asked_for(self) -> None:
        assert new(Storage(1000, 2000, 20000, 1000)) == {
            "allocated_storage": 1000,
            "max_allocated_storage": 2000,
            "iops": 20000,
            "storage_throughput": 1000,
        }


class TestChange:
    @pytest.mark.parametrize(
        ("storage", "has"),
        [
            (Storage(50), there(50)),
            (Storage(50, 500), there(50, 500)),
            (Storage(400), there(400)),
            (Storage(50, 500), there(450, 500)),
            (Storage(500, 0, 20000), there(500, Iops=20000)),
            # What RDS was asked for already.
            (Storage(60), there(50, PendingModifiedValues={"AllocatedStorage": 60, "MasterUserPassword": "***"})),
            # Grown up to the limit, which then can be set no more.
            (Storage(50, 500), there(500)),
        ],
    )
    def test_nothing_is_asked_for_twice(self, storage: Storage, has: dict[str, Any]) -> None:
        assert change(storage, has).options == {}

    def test_growth_below_400_names_no_iops(self) -> None:
        assert change(Storage(100), there(50)).options == {"AllocatedStorage": 100}

    def test_growth_over_400_brings_the_least_performance(self) -> None:
        wants = {"AllocatedStorage": 500, "Iops": 12000, "StorageThroughput": 500, "MaxAllocatedStorage": 1000}
        assert change(Storage(500, 1000), there(50, 500)).options == wants

    def test_growth_from_there_names_the_iops_again(self) -> None:
        """ModifyDBInstance: "you must also specify the Iops parameter. You can use the current value"."""
        wants = {"AllocatedStorage": 1000, "Iops": 12000, "StorageThroughput": 500}
        assert change(Storage(1000), there(500)).options == wants

    @pytest.mark.parametrize("storage", [Storage(500, 0, 20000), Storage(500, 0, 0, 600)])
    def test_performance_names_the_size(self, storage: Storage) -> None:
        assert change(storage, there(500)).options["AllocatedStorage"] == 500

    def test_what_somebody_bought_by_hand_is_given_back(self) -> None:
        assert change(Storage(500), there(500, Iops=20000)).options["Iops"] == 12000

    def test_a_growth_of_less_than_a_tenth_is_rounded_up_and_not_asked_for_again(self) -> None:
        first = change(Storage(505), there(500))
        assert first.options["AllocatedStorage"] == 550
        assert "from 500 to 550 GiB, not to 505" in " ".join(first.said)
        assert change(Storage(505), there(550)).options == {}

    def test_it_never_shrinks_and_says_so(self) -> None:
        found = change(Storage(50, 500), there(120, 500))
        assert found.options == {}
        assert "The database has 120 GiB, and aws_database_storage_gb is 50. It stays as it is" in found.said[0]
        assert "never shrinks" in found.said[0]

    def test_growth_by_itself_is_switched_off_by_a_limit_that_equals_the_storage(self) -> None:
        assert change(Storage(50), there(50, 500)).options == {"MaxAllocatedStorage": 50}
        assert change(Storage(60), there(50, 500)).options == {"AllocatedStorage": 60, "MaxAllocatedStorage": 60}

    @pytest.mark.parametrize("status", ["storage-optimization", "modifying"])
    def test_nothing_is_asked_for_while_rds_is_busy_with_the_storage(self, status: str) -> None:
        found = change(Storage(500, 1000), there(100, 500, DBInstanceStatus=status))
        assert found.options == {}
        assert f'the database is "{status}"' in found.said[0]
        assert change(Storage(100, 500), there(100, 500, DBInstanceStatus=status)).said == []

    def test_a_limit_that_leaves_little_room_is_mentioned(self) -> None:
        assert "less than 26 % above" in change(Storage(100, 120), there(100, 120)).said[0]
        assert change(Storage(100, 126), there(100, 126)).said == []


class TestTooEarly:
    @pytest.mark.parametrize(
        "words",
        [
            "You can't currently modify the storage of this DB instance. Try again after approximately 1 hours.",
            "You can't currently modify the storage of this DB instance because the previous storage change is being "
            "optimized.",
        ],
    )
    def test_what_rds_says_for_six_hours_and_while_it_optimizes(self, words: str) -> None:
        assert is_too_early(RuntimeError(f"An error occurred (InvalidParameterCombination): {words}"))

    def test_what_it_will_never_take_is_no_matter_of_time(self) -> None:
        assert not is_too_early(RuntimeError("Invalid storage size for engine name postgres and storage type gp3: 19"))

    def test_it_is_put_off_with_all_that_was_to_be_said(self) -> None:
        found = put_off(Change({"AllocatedStorage": 600}, ["first"]), "clinic", RuntimeError("Try later."))
        assert found.options == {}
        assert found.said[0] == "first"
        assert "(AllocatedStorage 600), and RDS refuses that for now: Try later. After a change" in found.said[1]
