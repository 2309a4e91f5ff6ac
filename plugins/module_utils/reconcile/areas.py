# SPDX-License-Identifier: GPL-3.0-or-later
"""The storage areas that can be compared with the index: a table of large objects, and a folder of files."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from ..orthanc_storage import UUID, Archive, StorageError, file_of, quoted, select
from .compare import Held, Wanted

_OBJECT = "large object "
_LONGEST = 1_000_000_000  # bytes that PostgreSQL hands out at once
_BATCH = 1000  # names in a command: an argument has 128 KiB at most

# Each row: what it is, uuid, md5, bytes, place, and the SOP instance UID or a complaint. Where a UID belongs, a sender
# can have written anything.
_SOP_INSTANCE_UID = "CASE WHEN d.value ~ '^[0-9.]{1,64}$' THEN d.value ELSE '' END"
_WANTED = f"""
SELECT 'wanted', a.uuid, coalesce(a.compressedhash, ''), a.compressedsize, a.filetype::text, {_SOP_INSTANCE_UID}
  FROM attachedfiles a LEFT JOIN dicomidentifiers d ON d.id = a.id AND d.taggroup = 8 AND d.tagelement = 24
UNION ALL
SELECT 'wanted', '', '', 0, '', {_SOP_INSTANCE_UID}
  FROM resources r LEFT JOIN dicomidentifiers d ON d.id = r.internalid AND d.taggroup = 8 AND d.tagelement = 24
 WHERE r.resourcetype = 3 AND NOT EXISTS (SELECT FROM attachedfiles a WHERE a.id = r.internalid AND a.filetype = 1)"""
# Large objects of others, who share the database, are theirs. OFFSET 0: each is read once.
_HELD = f"""
SELECT 'held', s.uuid, coalesce(md5(c.bytes), ''), coalesce(octet_length(c.bytes), a.compressedsize, 0), s.type::text,
       CASE WHEN m.oid IS NULL THEN 'its row in storagearea has no large object' ELSE '' END
  FROM storagearea s
  LEFT JOIN pg_largeobject_metadata m ON m.oid = s.content
  LEFT JOIN attachedfiles a ON a.uuid = s.uuid
 CROSS JOIN LATERAL (
       SELECT CASE WHEN m.oid IS NOT NULL AND a.compressedsize < {_LONGEST} THEN lo_get(s.content) END AS bytes OFFSET 0
 ) c
UNION ALL
SELECT 'held', '{_OBJECT}' || m.oid, '', 0, '', 'no row in storagearea names it'
  FROM pg_largeobject_metadata m
 WHERE m.lomowner = (SELECT relowner FROM pg_class WHERE oid = 'storagearea'::regclass)
   AND NOT EXISTS (SELECT FROM storagearea s WHERE s.content = m.oid)"""


class StorageArea(Protocol):
    """What a storage area has to be able to do. All of it raises ``StorageError``."""

    def read(self) -> tuple[list[Wanted], list[Held]]:
        """Return all that the index names and all that is held. Nothing may look missing that was stored meanwhile."""

    def present(self, names: Sequence[str]) -> dict[str, bool]:
        """Return which of these are held now, and of each whether its bytes are there."""

    def remove(self, names: Sequence[str]) -> None:
        """Remove of these what is held, and not named by the index at that moment."""


class Database:
    """Large objects, and the table ``storagearea`` with their names."""

    def __init__(self, archive: Archive) -> None:
        self.archive = archive

    def read(self) -> tuple[list[Wanted], list[Held]]:
        wanted, held = [], []
        # As one statement, it sees one moment.
        for kind, uuid, md5, size, place, rest in select(self.archive, f"{_WANTED}\nUNION ALL {_HELD}"):
            if kind == "wanted":
                wanted.append(Wanted(uuid, md5, int(size), place, rest))
            else:
                foreign = not is_name(uuid)
                held.append(Held(uuid, md5, int(size), place, complaint=rest, foreign=foreign))
        return wanted, held

    def present(self, names: Sequence[str]) -> dict[str, bool]:
        found: dict[str, bool] = {}
        for batch in _batches(names):
            rows = select(
                self.archive,
                "SELECT s.uuid, m.oid IS NOT NULL FROM storagearea s "
                f"LEFT JOIN pg_largeobject_metadata m ON m.oid = s.content WHERE s.uuid IN ({quoted(batch)}) UNION ALL "
                f"SELECT '{_OBJECT}' || oid, true FROM pg_largeobject_metadata "
                f"WHERE '{_OBJECT}' || oid IN ({quoted(batch)})",
            )
            found |= {name: complete == "t" for name, complete in rows}
        return found

    def remove(self, names: Sequence[str]) -> None:
        uuids = [name for name in names if UUID.fullmatch(name)]
        for batch in _batches(uuids):
            mine = f"s.uuid IN ({quoted(batch)}) AND NOT EXISTS (SELECT FROM attachedfiles a WHERE a.uuid = s.uuid)"
            # A rule of Orthanc's plugin removes the large object with the row, and fails if there is none.
            select(
                self.archive,
                f"SELECT lo_create(s.content) FROM storagearea s WHERE {mine} "
                "AND NOT EXISTS (SELECT FROM pg_largeobject_metadata m WHERE m.oid = s.content); "
                f"DELETE FROM storagearea s WHERE {mine}",
            )
        objects = [name.removeprefix(_OBJECT) for name in names if re.fullmatch(_OBJECT + "[0-9]+", name)]
        for batch in _batches(objects):
            select(
                self.archive,
                f"SELECT lo_unlink(m.oid) FROM pg_largeobject_metadata m WHERE m.oid IN ({', '.join(batch)}) "
                "AND NOT EXISTS (SELECT FROM storagearea s WHERE s.content = m.oid)",
            )


class Files:
    """A folder of files in Orthanc's container, ``ab/cd/abcd…`` by the UUID of the attachment."""

    _LIST = r"""cd "$0" && find . -type f -printf 'file|%T@|%s|%P\n' && find . -type f -exec md5sum {} +"""

    def __init__(self, archive: Archive) -> None:
        self.archive = archive

    def read(self) -> tuple[list[Wanted], list[Held]]:
        # What is stored meanwhile has its file first, its entry afterwards: it looks missing, and is looked for again.
        listed = self._run(["sh", "-c", self._LIST, self.archive.directory])
        wanted = [
            Wanted(uuid, md5, int(size), f"{uuid[:2]}/{uuid[2:4]}", uid)
            for _kind, uuid, md5, size, _type, uid in select(self.archive, _WANTED)
        ]
        return wanted, list(_held_files(listed.splitlines()))

    def present(self, names: Sequence[str]) -> dict[str, bool]:
        found: dict[str, bool] = {}
        for batch in _batches([name for name in names if UUID.fullmatch(name)]):
            paths = [file_of(self.archive.directory, uuid) for uuid in batch]
            said = self._run(["stat", "--format=%n", *paths])
            found |= {path.rpartition("/")[2]: True for path in said.splitlines()}
        return found

    def remove(self, names: Sequence[str]) -> None:
        for batch in _batches([name for name in names if UUID.fullmatch(name)]):
            named = named_now(self.archive, batch)
            paths = [file_of(self.archive.directory, uuid) for uuid in batch if uuid not in named]
            if paths:
                self._run(["find", *paths, "-maxdepth", "0", "-type", "f", "-mmin", "+1440", "-delete"])

    def _run(self, command: list[str]) -> str:
        status, output, errors = self.archive.run(["docker", "exec", self.archive.container, *command])
        others = [line for line in errors.splitlines() if "No such file or directory" not in line]
        if status and (others or not errors):
            raise StorageError(
                f"The files of {self.archive.container} cannot be read: docker exec ended with status {status}: "
                f"{' '.join(others) or 'no message'}. Check that the container is running."
            )
        return output


def is_name(name: str) -> bool:
    """Return whether Orthanc can have given this name. Only these are put into a command."""
    return bool(UUID.fullmatch(name) or re.fullmatch(_OBJECT + "[0-9]+", name))


def area_of(archive: Archive) -> StorageArea:
    """Return the storage area of an archive."""
    return Database(archive) if archive.storage == "database" else Files(archive)


def named_now(archive: Archive, names: Sequence[str]) -> set[str]:
    """Return which of these the index names. Raises ``StorageError``."""
    return {
        uuid
        for batch in _batches(names)
        for [uuid] in select(archive, f"SELECT uuid FROM attachedfiles WHERE uuid IN ({quoted(batch)})")
    }


def _held_files(lines: Iterable[str]) -> Iterator[Held]:
    """What ``find`` and ``md5sum`` have printed, put together."""
    files: dict[str, tuple[float, int]] = {}
    sums: dict[str, str] = {}
    for line in lines:
        if line.startswith("file|"):
            _file, modified, length, path = line.split("|", 3)
            files[path] = (float(modified), int(length))
        else:
            md5, _spaces, path = line.partition("  ./")
            sums[path] = md5
    for path, (since, size) in files.items():
        if path in sums:  # or it was removed in between
            place, _slash, name = path.rpartition("/")
            foreign = not UUID.fullmatch(name) or place != f"{name[:2]}/{name[2:4]}"
            yield Held(name if UUID.fullmatch(name) else path, sums[path], size, place, since, foreign=foreign)


def _batches(names: Sequence[str]) -> Iterator[Sequence[str]]:
    return (names[start : start + _BATCH] for start in range(0, len(names), _BATCH))
