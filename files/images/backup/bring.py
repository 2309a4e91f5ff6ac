# SPDX-License-Identifier: GPL-3.0-or-later
"""Brings attachments that the storage area has lost, or has damaged, back from the newest backup that has them.

Each backup is restored aside as it was when it ended, without the WAL since, in which the loss may be. What it has is
taken only if its MD5 is the one in the archive's index.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import server
from drill import aside, empty
from keeper import Places, Settings, alone
from repository import FailedError, Repository
from restore import Choice, put
from schedule import Backup

# On its own timeline: what came later may have been given up.
AS_IT_ENDED = {"timeline": "current", "recovery_target": "immediate", "recovery_target_action": "pause"}
PIECE = 16 << 20  # bytes of a large object that are read at once
WANTED = "SELECT uuid, compressedhash, filetype FROM attachedfiles WHERE uuid = ANY(%s) AND compressedhash <> ''"
STILL_THERE = "SELECT true FROM attachedfiles WHERE uuid = %s"  # and not removed meanwhile
OWNER = "SELECT tableowner FROM pg_tables WHERE tablename = 'storagearea' AND schemaname = ANY(current_schemas(false))"


def bring(settings: Settings, places: Places, uuids: list[str]) -> dict[str, Any]:
    """Which were brought from which backup, which no backup has, and what a repository or a backup said instead."""
    import psycopg

    with server.connection(settings.database) as opened:
        wanted = {uuid: (md5, kind) for uuid, md5, kind in opened.execute(WANTED, [uuids]).fetchall()}
    brought: dict[str, str] = {}
    said: list[str] = []
    with alone(places, "drill"):
        for repository, backup in newest_first(settings.repositories, said):
            left = {uuid: known for uuid, known in wanted.items() if uuid not in brought}
            if not left:
                break
            try:
                for uuid in from_backup(settings, places, repository, backup, left):
                    brought[uuid] = f"{backup.label} in {repository.name}"
            except (FailedError, psycopg.Error) as failure:  # such as of an archive that had no images yet
                said.append(f"{backup.label} in {repository.name}: {' '.join(str(failure).split())}")
            finally:
                empty(places.drill)
    return {"brought": brought, "absent": sorted(set(uuids) - set(brought)), "said": said}


def newest_first(repositories: tuple[Repository, ...], said: list[str]) -> list[tuple[Repository, Backup]]:
    found: list[tuple[Repository, Backup]] = []
    for repository in repositories:
        try:
            found += [(repository, backup) for backup in repository.backups()]
        except FailedError as failure:
            said.append(str(failure))
    return sorted(found, key=lambda each: each[1].stop, reverse=True)


def from_backup(
    settings: Settings, places: Places, repository: Repository, backup: Backup, wanted: dict[str, tuple[str, int]]
) -> Iterator[str]:
    """Those that the backup has, each of them once it is in the archive."""
    restored = aside(places, backup)
    put(Choice(repository, backup), restored, **AS_IT_ENDED)
    with restored.running():
        restored.recovered(list)
        with restored.connection(settings.database) as there, server.connection(settings.database) as here:
            owner = here.execute(OWNER).fetchone()[0]
            here.execute("SELECT set_config('role', %s, false)", [owner])  # Orthanc can remove what is its own only
            here.commit()
            for uuid, (md5, kind) in wanted.items():
                if copied(there, here, uuid, md5, kind):
                    yield uuid


def copied(there: Any, here: Any, uuid: str, md5: str, kind: int) -> bool:
    """Whether the backup has it undamaged, and it is in the archive now."""
    import psycopg

    found = there.execute("SELECT content FROM storagearea WHERE uuid = %s", [uuid]).fetchone()
    there.rollback()
    if not found:
        return False
    digest, number = hashlib.md5(usedforsecurity=False), here.execute("SELECT lo_create(0)").fetchone()[0]
    for offset, piece in pieces(there, found[0]):
        digest.update(piece)
        here.execute("SELECT lo_put(%s, %s, %s)", [number, offset, piece])
    if digest.hexdigest() != md5 or not here.execute(STILL_THERE, [uuid]).fetchone():
        here.rollback()
        return False
    # What was there stays as a large object without a name if it cannot be removed: reconcile finds it.
    before = here.execute("SELECT content FROM storagearea WHERE uuid = %s", [uuid]).fetchone()
    if before:
        here.execute("UPDATE storagearea SET content = %s WHERE uuid = %s", [number, uuid])
        with suppress(psycopg.DatabaseError), here.transaction():
            here.execute("SELECT lo_unlink(%s)", [before[0]])
    else:
        here.execute("INSERT INTO storagearea (uuid, content, type) VALUES (%s, %s, %s)", [uuid, number, kind])
    here.commit()
    return True


def pieces(opened: Any, large_object: int) -> Iterator[tuple[int, bytes]]:
    """Of one that is absent, or damaged in the backup, too, as far as it can be read."""
    import psycopg

    offset = 0
    with suppress(psycopg.DatabaseError), opened.transaction():
        while piece := opened.execute("SELECT lo_get(%s, %s, %s)", [large_object, offset, PIECE]).fetchone()[0]:
            yield offset, piece
            offset += len(piece)
