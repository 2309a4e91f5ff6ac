# SPDX-License-Identifier: GPL-3.0-or-later
"""What the database server knows, asked at its socket."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from wal import SEGMENT_BYTES


@contextmanager
def connection(database: str = "postgres", host: Path = Path("/run/postgresql")) -> Iterator[Any]:
    import psycopg  # the image has it; what is tested without the image does not need it

    with psycopg.connect(
        host=str(host), user="postgres", dbname=database, connect_timeout=5, application_name="backup"
    ) as opened:
        yield opened


def is_up() -> bool:
    """Whether it takes writes: a server in recovery is not to be archived."""
    import psycopg

    try:
        with connection() as opened:
            return opened.execute("SELECT NOT pg_is_in_recovery()").fetchone()[0]
    except psycopg.Error:
        return False


def waiting(wal: Path, now: float | None = None) -> dict[str, int]:
    """WAL files that are not archived yet, from the server's own folder, which is there while the server is not."""
    now = time.time() if now is None else now
    since = []
    for ready in (wal / "archive_status").glob("*.ready"):
        try:
            since.append(ready.stat().st_mtime)
        except OSError:
            continue  # archived meanwhile
    return {
        "files": len(since),
        "bytes": len(since) * SEGMENT_BYTES,
        "oldest_seconds": int(max(0, now - min(since))) if since else 0,
    }
