# SPDX-License-Identifier: GPL-3.0-or-later
"""Corrections of gp3 storage of RDS for PostgreSQL: moto takes any number, and a change is done at once.

On AWS, storage of 400 GiB and more is striped over four volumes. Below that nobody can choose IOPS and throughput;
from there on each change of the storage has to name the IOPS. A change takes the instance to modifying and, for
minutes or hours, to storage-optimization: it works as ever, and its storage cannot be changed. Nor can it be for six
hours, whatever the state. Where the storage is full, nothing but the storage can be changed.
"""

from __future__ import annotations

import math
import time
from typing import Any

from moto.rds import models
from moto.rds.exceptions import RDSClientError

from ..settings import settings
from .rds_life import becomes, refuse
from .replace import replaces

STRIPED = 400
SHOWN = {"allocated_storage": "AllocatedStorage", "iops": "Iops", "storage_throughput": "StorageThroughput"}
KEYS = tuple(SHOWN)
OF_STORAGE = {*KEYS, "max_allocated_storage", "storage_type", "apply_immediately", "db_instance_identifier"}
WHERE = "engine name postgres and storage type gp3"


def refused(text: str) -> RDSClientError:
    return RDSClientError("InvalidParameterCombination", text)


def check(size: int, iops: int | None, throughput: int | None, limit: int | None) -> None:
    """What AWS refuses of gp3 storage, new or changed."""
    if not 20 <= size <= 65536:
        raise refused(f"Invalid storage size for {WHERE}: {size}")
    if size < STRIPED and (iops or throughput):
        raise refused(
            f"You can't specify IOPS or storage throughput for engine postgres and a storage size less than {STRIPED}."
        )
    if iops and not 12000 <= iops <= 64000:
        raise refused(f"Invalid iops value for {WHERE}: {iops}")
    if throughput and not 500 <= throughput <= 4000:
        raise refused(f"Invalid storage throughput value for {WHERE}: {throughput}")
    if throughput and iops and throughput * 4 > iops:
        raise refused(f"Invalid storage throughput to iops ratio for {WHERE}: {throughput / iops}")
    # Equal to the storage, it switches the growth off.
    if limit and limit != size and (limit > 65536 or limit < size * 1.1):
        raise refused(f"Invalid max storage size for {WHERE}: {limit}")


def is_gp3(storage_type: Any, engine: Any) -> bool:
    return storage_type == "gp3" and engine == "postgres"


@replaces(models.RDSBackend, "create_db_instance")
def create_db_instance(original: Any, rds: Any, db_kwargs: dict[str, Any]) -> Any:
    if is_gp3(db_kwargs.get("storage_type"), db_kwargs.get("engine")):
        # A restored instance has what its source had: where that was the baseline, nobody asked for it.
        if db_kwargs.get("rehearsal_origin") and int(db_kwargs["allocated_storage"]) < STRIPED:
            db_kwargs = {**db_kwargs, "iops": None, "storage_throughput": None}
        check(*(db_kwargs.get(key) for key in (*KEYS, "max_allocated_storage")))
    return original(rds, db_kwargs)


# What nobody asked for is the baseline of the size, and is reported. Without it, the module stops with a KeyError.
@replaces(models.DBInstance, "__init__")
def init(original: Any, database: Any, *args: Any, **kwargs: Any) -> None:
    original(database, *args, **kwargs)
    if is_gp3(getattr(database, "storage_type", None), database.engine):
        striped = database.allocated_storage >= STRIPED
        database.iops = database.iops or (12000 if striped else 3000)
        database.storage_throughput = database.storage_throughput or (500 if striped else 125)


def changed(database: Any, wanted: dict[str, Any]) -> dict[str, Any]:
    """What this really changes of the storage, after AWS has looked at it."""
    given = {key: int(wanted[key]) for key in KEYS if wanted.get(key) is not None}
    limit = wanted.get("max_allocated_storage")
    has = database.allocated_storage
    size = given.get("allocated_storage", has)
    if size < has:
        raise refused(f"Requested storage size ({size}) cannot be less than the current storage size ({has}).")
    if has < size < has * 1.1:
        size = math.ceil(round(has * 1.1, 6))
        given["allocated_storage"] = size
    check(size, given.get("iops"), given.get("storage_throughput"), limit)
    new = {key: value for key, value in given.items() if value != int(getattr(database, key) or 0)}
    if new and size >= STRIPED and not {"allocated_storage", "iops"} <= given.keys():
        raise refused(
            "You must specify both the storage size and iops when modifying the storage size or iops on a DB instance "
            "that has iops."
        )
    if new and database.status == "storage-optimization":
        raise refused(
            "You can't currently modify the storage of this DB instance because the previous storage change is being "
            "optimized."
        )
    if new and (hours := again_in(database)) > 0:
        raise refused(
            f"You can't currently modify the storage of this DB instance. Try again after approximately {hours} hours."
        )
    return new


def again_in(database: Any) -> int:
    """Hours until AWS takes another change."""
    since = time.monotonic() - getattr(database, "rehearsal_storage_changed", float("-inf"))
    return math.ceil((settings.storage_again_seconds - since) / 3600) if since < settings.storage_again_seconds else 0


@replaces(models.RDSBackend, "modify_db_instance")
def modify_db_instance(original: Any, rds: Any, db_instance_identifier: str, db_kwargs: dict[str, Any]) -> Any:
    database = rds.describe_db_instances(db_instance_identifier)[0]
    if any(value is not None for key, value in db_kwargs.items() if key not in OF_STORAGE):
        refuse(database, {"storage-full"})
    if not is_gp3(db_kwargs.get("storage_type") or database.storage_type, database.engine):
        return original(rds, db_instance_identifier, db_kwargs)
    new = changed(database, db_kwargs)
    # moto refuses a limit that is below the storage as it was.
    rest = {key: value for key, value in db_kwargs.items() if key not in KEYS}
    before = database.allocated_storage
    database.allocated_storage = new.get("allocated_storage", before)
    try:
        original(rds, db_instance_identifier, rest)
    except Exception:
        database.allocated_storage = before
        raise
    for key, value in new.items():
        setattr(database, key, value)
    if new:
        database.rehearsal_storage_changed = time.monotonic()
        follow = ("storage-optimization", settings.storage_seconds)
        if database.status == "storage-full":
            becomes(database, "storage-full", settings.change_begins_seconds, ("modifying", 0), follow)
            database.rehearsal_pending = {name: new[key] for key, name in SHOWN.items() if key in new}
        else:
            becomes(database, "modifying", 0, follow)
    return database
