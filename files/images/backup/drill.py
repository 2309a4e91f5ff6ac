# SPDX-License-Identifier: GPL-3.0-or-later
"""Restores the newest backup into a folder of its own, and compares each image with what the archive has, or had.

If the database answers, the list to compare with is made of it, and all WAL as far as that is archived first: so the
drill sees whether everything that is there now could be restored. Otherwise it is the list beside the backup.
"""

from __future__ import annotations

import gzip
import json
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import manifest
import server
from keeper import Places, Settings, alone, now, write
from repository import FailedError
from restore import Choice, choose, put
from restored_server import POSTGRESQL, Server
from schedule import Backup

ROOM = 1.15  # of the database's size
# Bytes that stay free: below that, on the archive's own disk, Orthanc refuses images (orthanc_reserved_mb).
LEFT = 2 << 30
ARCHIVE_SECONDS = 300
LONGEST = 1 << 30  # bytes that PostgreSQL reads of a large object at once
BATCH = 200
NAMED = 10  # SOP instances in the report
INDEX = """
  FROM attachedfiles AS file JOIN dicomidentifiers AS identifier USING (id)
"""
OF_THESE = """
 WHERE file.filetype = 1 AND identifier.taggroup = 8 AND identifier.tagelement = 24 AND identifier.value = ANY(%s)
"""
IN_DATABASE = (
    "SELECT identifier.value, file.compressedhash, storage.content"
    f"{INDEX} LEFT JOIN storagearea AS storage ON storage.uuid = file.uuid {OF_THESE}"
)
IN_FILES = f"SELECT identifier.value, file.compressedhash, 0 {INDEX} {OF_THESE}"  # which are not in the backup


@dataclass(frozen=True)
class Listed:
    """What must be there, as the manifest has it."""

    file: Path

    @property
    def about(self) -> dict[str, Any]:
        with gzip.open(self.file, "rt") as lines:
            return dict(json.loads(next(lines)))

    @property
    def lsn(self) -> str:
        """The position in the WAL at which it is so."""
        return str(self.about["lsn"][1])

    def instances(self) -> Iterator[dict[str, Any]]:
        with gzip.open(self.file, "rt") as lines:
            lines.readline()
            yield from map(json.loads, lines)


def drill(settings: Settings, places: Places) -> dict[str, Any]:
    """Its report, which is also written down."""
    begun, started = now(), time.monotonic()
    report: dict[str, Any] = {"time": begun.isoformat(timespec="seconds")}
    with alone(places, "drill"):
        try:
            report |= tried(settings, places)
        except Exception as failure:  # of psycopg and the system, too: a drill that did not end is no drill
            report["failed"] = " ".join(str(failure).split())
        finally:
            with suppress(OSError):
                empty(places.drill)
    report["seconds"] = round(time.monotonic() - started)
    write(places.status / "drill.json", json.dumps(report, indent=1) + "\n")
    return report


def empty(folder: Path) -> None:
    for path in folder.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def aside(places: Places, backup: Backup) -> Server:
    """A server for this backup, in the emptied folder for drills, which has to have room for it."""
    empty(places.drill)
    free, needed = shutil.disk_usage(places.drill).free, backup.size * ROOM + LEFT
    if free < needed:
        raise FailedError(
            f"{needed / 2**30:.1f} GiB are needed to restore the backup aside, and {free / 2**30:.1f} GiB are free in "
            "the folder for drills (backup_drill_directory)."
        )
    run = places.run / "drill"
    run.mkdir(mode=0o700, exist_ok=True)
    return Server(places.drill / "17", run, archives=False)


def tried(settings: Settings, places: Places) -> dict[str, Any]:
    choice = choose(list(settings.repositories), None)
    restored = aside(places, choice.backup)
    listed = of_the_database(settings, places.drill) if server.is_up() else of_the_backup(choice, places.drill)
    put(choice, restored, recovery_target_lsn=listed.lsn, recovery_target_action="pause")
    with restored.running():
        reached = restored.recovered(choice.missing)
        if not reached.paused:
            raise FailedError(f"The recovery ended at {reached.lsn}, before {listed.lsn}: WAL is missing.")
        restored.promote()
        found = compared(restored, settings.database, listed)
        wrong = indexes(restored.run)
    about = {"repository": choice.repository.name, "backup": choice.backup.label, "lsn": listed.lsn}
    return {**about, **found, "indexes": wrong}


def of_the_database(settings: Settings, folder: Path) -> Listed:
    """As it is now; ends when that is archived."""
    file = folder / "list.gz"
    with file.open("w+b") as out:
        manifest.packed(manifest.lines(settings.database, "now"), out)
    with server.connection() as opened:
        last = opened.execute("SELECT pg_walfile_name(pg_switch_wal() - 1)").fetchone()[0]
    end = time.monotonic() + ARCHIVE_SECONDS
    while not archived(last):
        if time.monotonic() > end:
            raise FailedError(f"{last} was not archived within {ARCHIVE_SECONDS} seconds.")
        time.sleep(1)
    return Listed(file)


def archived(segment: str) -> bool:
    with server.connection() as opened:
        query = "SELECT left(last_archived_wal, 24) >= %s FROM pg_stat_archiver"
        return bool(opened.execute(query, [segment]).fetchone()[0])


def of_the_backup(choice: Choice, folder: Path) -> Listed:
    file = folder / "list.gz"
    with file.open("w+b") as out:
        read = manifest.read(choice.repository, choice.backup.label)
        manifest.packed(map(json.dumps, read), out)
    return Listed(file)


def compared(restored: Server, database: str, listed: Listed) -> dict[str, Any]:
    """How many are equal, missing, damaged, or could not be verified; and which of them are missing or damaged."""
    counts: Counter[str] = Counter(equal=0, missing=0, damaged=0, unverified=0)
    named: list[str] = []
    if listed.about["instances"]:
        with restored.connection(database) as opened:
            opened.autocommit = True  # an error in one instance is no error in the next one
            for instance, what in judged(opened, listed.instances()):
                counts[what] += 1
                if what in ("missing", "damaged") and len(named) < NAMED:
                    named.append(f"{what}: {instance['sop']}")
    return {**counts, "named": named}


def judged(opened: Any, instances: Iterable[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], str]]:
    in_database = opened.execute("SELECT to_regclass('storagearea') IS NOT NULL").fetchone()[0]
    query = IN_DATABASE if in_database else IN_FILES
    remaining = iter(instances)
    while batch := list(islice(remaining, BATCH)):
        rows = opened.execute(query, [[each["sop"] for each in batch]]).fetchall()
        found = {(uid, md5): content for uid, md5, content in rows}
        uids = {uid for uid, _md5 in found}
        for each in batch:
            key = (each["sop"], each["md5"])
            if key not in found:
                yield each, "damaged" if each["sop"] in uids else "missing"
            elif not in_database or not each["md5"] or each["size"] >= LONGEST:
                yield each, "unverified"
            else:
                yield each, content(opened, found[key], each["md5"])


def content(opened: Any, large_object: int | None, md5: str) -> str:
    import psycopg

    if large_object is None:
        return "missing"
    try:
        found = opened.execute("SELECT md5(lo_get(%s))", [large_object]).fetchone()[0]
    except psycopg.errors.UndefinedObject:
        return "missing"
    except psycopg.DatabaseError:  # such as a page whose checksum is wrong
        return "damaged"
    return "equal" if found == md5 else "damaged"


def indexes(run: Path) -> list[str]:
    """What PostgreSQL's own check says of tables and indexes; nothing if they are in order."""
    command = [POSTGRESQL / "pg_amcheck", f"--host={run}", "--username=postgres", "--all", "--install-missing"]
    done = subprocess.run([*command, "--heapallindexed"], capture_output=True, text=True, check=False)
    said = (done.stdout + done.stderr).strip().splitlines()
    return [] if done.returncode == 0 else said[:NAMED] or [f"pg_amcheck ended with {done.returncode}."]
