# SPDX-License-Identifier: GPL-3.0-or-later
"""The gp3 storage of RDS for PostgreSQL: what AWS accepts, and which change makes one of what there is.

Below 400 GiB it has one volume with 3,000 IOPS and 125 MiB/s, and nothing can be chosen. From there on it has four,
with four times of both at least, and more costs extra ("Amazon RDS DB instance storage" in AWS's documentation). A
growth takes a few minutes; for six hours afterwards, and as long as the storage is being optimized, RDS refuses another
one ("Increasing DB instance storage capacity").
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

SMALLEST_GB, LARGEST_GB = 20, 65536
STRIPED_FROM_GB = 400
BASELINE_IOPS, MOST_IOPS = 12000, 64000
BASELINE_THROUGHPUT, MOST_THROUGHPUT = 500, 4000
IOPS_FOR_A_MIB = 4
# RDS wants the limit this much above the storage, and sends warnings where it is less than the second.
MARGIN, QUIET_MARGIN = 1.10, 1.26
GROWTH = 1.10  # the least that RDS grows by
BUSY = ("modifying", "storage-optimization")
SETTING = {"storage_gb": "storage_gb", "limit_gb": "storage_limit_gb", "iops": "iops", "throughput": "throughput"}
KEYS = ("AllocatedStorage", "Iops", "StorageThroughput")


@dataclass(frozen=True)
class Storage:
    """GiB, GiB, operations and MiB a second; a limit of 0 for no growth by itself, 0 for what comes with the size."""

    gb: int
    limit_gb: int = 0
    iops: int = 0
    throughput: int = 0


@dataclass(frozen=True)
class Change:
    """What to hand to ModifyDBInstance, and what to tell a person; either may be empty."""

    options: dict[str, int]
    said: list[str]


def problems(wanted: Mapping[str, object], there: Mapping[str, Any] | None = None) -> Iterator[str]:
    """A sentence for each thing that RDS would refuse.

    :param wanted: ``storage_gb``, ``limit_gb``, ``iops`` and ``throughput`` as a person gave them
    :param there: the database, if there is one, with ``allocated_storage`` and ``max_allocated_storage``
    """
    wrong = [key for key, value in wanted.items() if not _is_number(value)]
    if wrong:
        yield from (f"aws_database_{SETTING[key]} is {wanted[key]!r}: use a whole number." for key in wrong)
        return
    storage = given(wanted)
    if not SMALLEST_GB <= storage.gb <= LARGEST_GB:
        yield (
            f"aws_database_storage_gb is {storage.gb}: RDS for PostgreSQL has {SMALLEST_GB} to {LARGEST_GB} GiB "
            "(64 TiB) of gp3."
        )
        return
    yield from _limit_problems(storage, there or {})
    yield from _performance_problems(storage, max(storage.gb, (there or {}).get("allocated_storage") or 0))


def given(wanted: Mapping[str, object]) -> Storage:
    """What a person gave; nothing is 0."""
    numbers = {key: int(str(value or 0)) for key, value in wanted.items()}
    return Storage(numbers["storage_gb"], numbers["limit_gb"], numbers["iops"], numbers["throughput"])


def _is_number(value: object) -> bool:
    text = str(value or 0)
    return not isinstance(value, bool) and text.isascii() and text.isdigit()


def _limit_problems(storage: Storage, there: Mapping[str, Any]) -> Iterator[str]:
    """RDS looks at the limit when it is set: one that was there before the storage grew by itself may be nearer."""
    if not storage.limit_gb:
        return
    has, gb = there.get("allocated_storage") or 0, storage.gb
    if has > gb and there.get("max_allocated_storage") not in (None, storage.limit_gb):
        gb = has
    least = math.ceil(round(gb * MARGIN, 6))
    if storage.limit_gb > LARGEST_GB or least > LARGEST_GB:
        yield (
            f"aws_database_storage_limit_gb is {storage.limit_gb}: the most is {LARGEST_GB} (64 TiB), and it must be "
            f"10 % above the storage ({gb} GiB). Use 0 if the storage shall not grow by itself."
        )
    elif storage.limit_gb < least:
        which = "aws_database_storage_gb" if gb == storage.gb else "what the database has"
        yield (
            f"aws_database_storage_limit_gb is {storage.limit_gb}, and {which} is {gb}: RDS wants the limit at least "
            f"10 % above the storage, so {least} or more ({min(math.ceil(gb * QUIET_MARGIN), LARGEST_GB)} for room to "
            "grow), or 0 if it shall not grow by itself."
        )


def _performance_problems(storage: Storage, gb: int) -> Iterator[str]:
    iops, throughput = storage.iops or BASELINE_IOPS, storage.throughput or BASELINE_THROUGHPUT
    if gb < STRIPED_FROM_GB:
        for name, value in (("iops", storage.iops), ("throughput", storage.throughput)):
            if value:
                yield (
                    f"aws_database_{name} is {value}, but gp3 with less than {STRIPED_FROM_GB} GiB (here {gb}) has "
                    "3000 IOPS and 125 MiB/s, and RDS lets nobody choose. Leave it empty, or raise "
                    "aws_database_storage_gb."
                )
    elif not BASELINE_IOPS <= iops <= MOST_IOPS:
        yield f"aws_database_iops is {iops}: gp3 of this size has {BASELINE_IOPS} to {MOST_IOPS}."
    elif not BASELINE_THROUGHPUT <= throughput <= MOST_THROUGHPUT:
        yield (
            f"aws_database_throughput is {throughput}: gp3 of this size has {BASELINE_THROUGHPUT} to {MOST_THROUGHPUT} "
            "MiB/s."
        )
    elif throughput * IOPS_FOR_A_MIB > iops:
        yield (
            f"aws_database_throughput is {throughput}, which takes {throughput * IOPS_FOR_A_MIB} IOPS "
            f"({IOPS_FOR_A_MIB} for each MiB/s), and there are {iops}: raise aws_database_iops."
        )


def performance(storage: Storage, gb: int) -> dict[str, int]:
    """IOPS and throughput that RDS is told for storage of this size: none where it lets nobody choose."""
    if gb < STRIPED_FROM_GB:
        return {}
    return {"Iops": storage.iops or BASELINE_IOPS, "StorageThroughput": storage.throughput or BASELINE_THROUGHPUT}


def new(storage: Storage) -> dict[str, int]:
    """What a database is made with, in the words of amazon.aws.rds_instance."""
    chosen = performance(storage, storage.gb)
    return {
        "allocated_storage": storage.gb,
        **({"max_allocated_storage": storage.limit_gb} if storage.limit_gb else {}),
        **({"iops": chosen["Iops"], "storage_throughput": chosen["StorageThroughput"]} if chosen else {}),
    }


def change(storage: Storage, there: Mapping[str, Any]) -> Change:
    """What to change in a database.

    Storage, IOPS and throughput go together, changed or not: from 400 GiB on, RDS refuses the first without the second.

    :param there: the database as DescribeDBInstances has it
    """
    # What was asked for before and is not done yet counts as done.
    has = {**there, **{key: value for key, value in there.get("PendingModifiedValues", {}).items() if key in KEYS}}
    gb, said = _size(storage.gb, has["AllocatedStorage"])
    wanted = {"AllocatedStorage": gb, **performance(storage, gb)}
    options = wanted if any(has.get(key) != value for key, value in wanted.items()) else {}
    limit, more = _limit(storage.limit_gb, has.get("MaxAllocatedStorage"), gb)
    options, said = {**options, **limit}, said + more
    if options and there.get("DBInstanceStatus") in BUSY:
        options = {}
        said.append(
            f'The storage is to be changed, but the database is "{there["DBInstanceStatus"]}": RDS is busy with the '
            "change "
            "before, which can take a day, and refuses another one until then. Run the playbook again later."
        )
    return Change(options, said)


def is_too_early(error: Exception) -> bool:
    """Whether RDS refuses a change because of the one before: while it is optimizing, and for six hours in any state.

    The code is InvalidParameterCombination, as for what will never be taken; only the text tells.
    """
    return "currently modify the storage of this DB instance" in str(error)


def put_off(wanted: Change, name: str, error: Exception) -> Change:
    """Nothing, and why."""
    sentence = (
        f"The storage of the database {name} is to be changed ({_shown(wanted.options)}), and RDS refuses that for "
        f"now: {error} After a change of the storage, also one of its own, RDS takes no other one for six hours. "
        "Everything else goes on. Run the playbook again then."
    )
    return Change({}, [*wanted.said, sentence])


def _shown(options: Mapping[str, int]) -> str:
    return ", ".join(f"{key} {value}" for key, value in options.items())


def _size(wanted: int, has: int) -> tuple[int, list[str]]:
    if wanted < has:
        return has, [
            f"The database has {has} GiB, and aws_database_storage_gb is {wanted}. It stays as it is: RDS grows "
            "storage, by itself too, and never shrinks it. Less storage takes a new database and a copy of the data."
        ]
    least = math.ceil(round(has * GROWTH, 6))
    if has < wanted < least:
        return least, [f"RDS grows storage by 10 % at least: from {has} to {least} GiB, not to {wanted}."]
    return wanted, []


def _limit(wanted: int, has: int | None, gb: int) -> tuple[dict[str, int], list[str]]:
    """The limit to set, if it is another; without one, RDS takes one that equals the storage, and reports none."""
    if not wanted:
        return ({"MaxAllocatedStorage": gb} if has else {}), []
    said = []
    if wanted < gb * QUIET_MARGIN:
        said.append(
            f"aws_database_storage_limit_gb ({wanted}) is less than 26 % above the storage ({gb} GiB): RDS sends "
            "warnings, and when the storage is full, nothing can be stored any more. Raise it."
        )
    # Storage that has grown up to the limit leaves no room for this limit to be set once more.
    return ({"MaxAllocatedStorage": wanted} if has != wanted and wanted >= gb * MARGIN else {}), said
