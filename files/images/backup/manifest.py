# SPDX-License-Identifier: GPL-3.0-or-later
"""A list beside each backup of every SOP instance that the index has, with its MD5: what a restore is compared with.

JSON lines, compressed, encrypted with the repository's passphrase. The first one says what it is: the backup's label,
when the list was made, how many instances it has, and between which two positions of the WAL.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

import server
from encrypted import decrypted
from repository import FailedError, Repository

SUFFIX = ".jsonl.gz"
INSTANCES = """
SELECT identifier.value, file.compressedhash, file.compressedsize
  FROM attachedfiles AS file JOIN dicomidentifiers AS identifier USING (id)
 WHERE file.filetype = 1 AND identifier.taggroup = 8 AND identifier.tagelement = 24
 ORDER BY 1
"""
COUNTS = """
SELECT count(*) FILTER (WHERE resourcetype = 0), count(*) FILTER (WHERE resourcetype = 1),
       count(*) FILTER (WHERE resourcetype = 2), count(*) FILTER (WHERE resourcetype = 3)
  FROM resources
"""
LEVELS = ("patients", "studies", "series", "instances")


def lines(database: str, label: str) -> Iterator[str]:
    """Of the index as it is now; only the first one if Orthanc has made no index yet."""
    with server.connection(database) as opened:
        begun = opened.execute("SELECT pg_current_wal_lsn()::text").fetchone()[0]
        opened.commit()
        opened.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        there = opened.execute("SELECT to_regclass('attachedfiles') IS NOT NULL").fetchone()[0]
        counts = opened.execute(COUNTS).fetchone() if there else (0, 0, 0, 0)
        ended = opened.execute("SELECT pg_current_wal_lsn()::text").fetchone()[0]
        about = {"backup": label, "time": datetime.now(UTC).isoformat(timespec="seconds"), "lsn": [begun, ended]}
        yield json.dumps({**about, **dict(zip(LEVELS, counts, strict=True))})
        if there:
            with opened.cursor(name="instances") as cursor:
                cursor.itersize = 10000
                for uid, md5, size in cursor.execute(INSTANCES):
                    yield json.dumps({"sop": uid, "md5": md5, "size": size}, separators=(",", ":"))
        # A recovery as far as the list pauses at a record after it, which an idle archive would not write.
        opened.rollback()
        opened.execute("SELECT pg_logical_emit_message(false, 'orthweb', 'list')")


def packed(text: Iterable[str], file: IO[bytes]) -> None:
    with gzip.GzipFile(filename="", fileobj=file, mode="wb", mtime=0) as out:
        for line in text:
            out.write(line.encode() + b"\n")
    file.seek(0)


def write(repository: Repository, database: str, label: str, scratch: Path) -> None:
    """Put it into the repository, and remove those of backups that are no longer there.

    :param scratch: a folder on a disk
    """
    with TemporaryFile(dir=scratch) as file:
        try:
            packed(lines(database, label), file)
        except Exception as problem:  # of psycopg, which is not there without the image
            raise FailedError(f"The list of instances beside {label} was not made: {problem}") from problem
        repository.ask("repo-put", f"{repository.path}/{repository.manifests}/{label}{SUFFIX}", given=file)
    kept = {f"{backup.label}{SUFFIX}" for backup in repository.backups()}
    for name in repository.ask("repo-ls", repository.manifests).split():
        if name.endswith(SUFFIX) and name not in kept:
            repository.ask("repo-rm", f"{repository.manifests}/{name}")


def read(repository: Repository, label: str) -> Iterator[dict[str, Any]]:
    """The lines of one."""
    name = f"{repository.manifests}/{label}{SUFFIX}"
    for line in gzip.decompress(decrypted(repository, name)).splitlines():
        yield json.loads(line)
