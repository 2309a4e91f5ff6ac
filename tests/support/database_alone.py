# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests ask of a stack of which only the embedded database and its backups run."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .stack import Stack, docker

UID = 5432  # of PostgreSQL in its container
# What of Orthanc's tables the list of instances and a drill look at: a patient, a study, a series and two instances.
INDEX = (
    "CREATE TABLE resources AS SELECT id AS internalid, least(id, 3) AS resourcetype FROM generate_series(0, 4) id",
    "CREATE TABLE metadata AS SELECT 7 AS type, '20261130T120000' AS value",
    "CREATE TABLE dicomidentifiers (id bigint, taggroup int, tagelement int, value text)",
    "INSERT INTO dicomidentifiers VALUES (3, 8, 24, '1.2.3'), (4, 8, 24, '1.2.4'), (2, 32, 14, '1.2')",
    "CREATE TABLE storagearea AS SELECT uuid, lo_from_bytea(0, uuid::bytea) AS content, 1 AS type"
    " FROM unnest(ARRAY['a', 'b']) uuid",
    "CREATE TABLE attachedfiles AS SELECT ascii(uuid) - 94 AS id, 1 AS filetype, uuid, 1 AS compressedsize,"
    " md5(uuid) AS compressedhash FROM storagearea",
    "INSERT INTO attachedfiles VALUES (3, 3, 'c', 9, md5('c'))",
)


def within(seconds: float, condition: Callable[[], Any]) -> Any:
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "It did not come to that."
        time.sleep(1)
    return found


def status(stack: Stack) -> dict[str, Any]:
    return json.loads(Path("/etc/orthweb", stack.name, "backup-status", "status.json").read_text())


def sql(stack: Stack, *statements: str, database: str = "postgres") -> list[str]:
    commands = [f"--command={statement}" for statement in statements]
    psql = ["psql", "--username=postgres", f"--dbname={database}", "--no-align", "--tuples-only", "--quiet"]
    return docker("exec", stack.container("postgresql"), *psql, *commands).splitlines()


def new_wal(stack: Stack) -> str:
    """The name of a segment that is full now."""
    message, switch = "pg_logical_emit_message(false, 't', 'x')", "pg_walfile_name(pg_switch_wal() - 1)"
    return sql(stack, f"SELECT {message}", f"SELECT {switch}")[-1]
