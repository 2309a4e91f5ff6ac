# SPDX-License-Identifier: GPL-3.0-or-later
"""Where Orthanc keeps instances: the entry of each in its index, and the bytes of each in its storage area.

The index is in PostgreSQL. The storage area is there too (table ``storagearea``, a large object for each attachment),
or it is a folder of files: ``ab/cd/abcd….`` by the UUID of the attachment.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Storage = Literal["database", "filesystem"]
# Runs a command on the host: its exit status, standard output and standard error.
Run = Callable[[list[str]], tuple[int, str, str]]

_UID = re.compile(r"[0-9.]{1,64}", re.ASCII)
UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
# The options by which a module is told of an archive, and what goes with them.
ARCHIVE_OPTIONS: dict[str, dict[str, Any]] = {
    "storage": {"type": "str", "choices": ["database", "filesystem"], "required": True},
    "psql": {"type": "list", "elements": "str", "required": True},
    "container": {"type": "str"},
    "directory": {"type": "str", "default": "/var/lib/orthanc/storage"},
}
ARCHIVE_REQUIRED_IF = [("storage", "filesystem", ("container",))]


class StorageError(Exception):
    """Index or storage area cannot be asked; ``str()`` says what was asked, what came back, what to do."""


@dataclass(frozen=True)
class Archive:
    """How index and storage area are reached from the host.

    ``psql``: the command that the options of a query are added to. ``container``: Orthanc's. ``directory``: the storage
    area in it, for files.
    """

    run: Run = field(repr=False)
    storage: Storage
    psql: tuple[str, ...]
    container: str
    directory: str

    @classmethod
    def of_options(cls, run: Run, options: Mapping[str, Any]) -> Archive:
        """From the options of a module: see ``ARCHIVE_OPTIONS``."""
        return cls(
            run=run,
            storage=options["storage"],
            psql=tuple(options["psql"]),
            container=options["container"] or "",
            directory=options["directory"].rstrip("/"),
        )


@dataclass(frozen=True)
class Attachment:
    """What the index says about the bytes of an instance."""

    sop_instance_uid: str
    uuid: str
    bytes: int


def option_problems(instances: Sequence[str], attachments: Sequence[str]) -> list[str]:
    """Return all that cannot be looked for."""
    problems = [f"instances: {uid!r} is not a UID (PS3.5 §9.1)" for uid in instances if not _UID.fullmatch(uid)]
    problems += [f"attachments: {uuid!r} is no UUID" for uuid in attachments if not UUID.fullmatch(uuid)]
    return problems if instances else ["instances: is empty", *problems]


def indexed(archive: Archive, instances: Sequence[str]) -> list[Attachment]:
    """Return the attachments that the index has for these SOP instance UIDs. Raises ``StorageError``."""
    rows = select(
        archive,
        "SELECT d.value, a.uuid, a.compressedsize FROM dicomidentifiers d JOIN attachedfiles a ON a.id = d.id "
        f"WHERE d.taggroup = 8 AND d.tagelement = 24 AND d.value IN ({quoted(instances)})",
    )
    return [Attachment(uid, uuid, int(size)) for uid, uuid, size in rows]


def kept(archive: Archive, uuids: Sequence[str]) -> dict[str, int]:
    """Return how many bytes the storage area holds of each attachment that it has. Raises ``StorageError``."""
    if not uuids:
        return {}
    return _large_objects(archive, uuids) if archive.storage == "database" else _files(archive, uuids)


def problems_of_kept(
    instances: Sequence[str], attachments: Sequence[Attachment], sizes: dict[str, int], where: str
) -> list[str]:
    """Return what is missing of instances that must be there."""
    known = {attachment.sop_instance_uid for attachment in attachments}
    problems = [f"{uid} has no entry in the index" for uid in instances if uid not in known]
    for attachment in attachments:
        found = sizes.get(attachment.uuid)
        if found is None:
            problems.append(f"{attachment.sop_instance_uid}: {attachment.uuid} is not in {where}")
        elif found != attachment.bytes:
            problems.append(
                f"{attachment.sop_instance_uid}: {attachment.uuid} has {found} bytes in {where}, and the index says "
                f"{attachment.bytes}"
            )
    return problems


def problems_of_gone(attachments: Sequence[Attachment], sizes: dict[str, int], where: str) -> list[str]:
    """Return what is left of instances that must be gone."""
    problems = [f"{each.sop_instance_uid} still has an entry in the index ({each.uuid})" for each in attachments]
    return problems + [f"{uuid} is still in {where} ({size} bytes)" for uuid, size in sizes.items()]


def place(archive: Archive) -> str:
    """Name the storage area."""
    if archive.storage == "database":
        return "PostgreSQL's storagearea"
    return f"{archive.container}:{archive.directory}"


def file_of(directory: str, uuid: str) -> str:
    """Return the path of an attachment in Orthanc's storage area of files."""
    return f"{directory}/{uuid[:2]}/{uuid[2:4]}/{uuid}"


def _large_objects(archive: Archive, uuids: Sequence[str]) -> dict[str, int]:
    query = f"SELECT uuid, octet_length(lo_get(content)) FROM storagearea WHERE uuid IN ({quoted(uuids)})"
    return {uuid: int(size) for uuid, size in select(archive, query)}


def _files(archive: Archive, uuids: Sequence[str]) -> dict[str, int]:
    paths = {file_of(archive.directory, uuid): uuid for uuid in uuids}
    status, output, errors = archive.run(["docker", "exec", archive.container, "stat", "--format=%n|%s", *paths])
    others = [line for line in errors.splitlines() if "No such file or directory" not in line]
    if status and (others or not errors):
        raise StorageError(
            f"The files of {archive.container} cannot be read: docker exec ended with status {status}: "
            f"{' '.join(others) or 'no message'}. Check that the container is running."
        )
    found = (line.rpartition("|") for line in output.splitlines())
    return {paths[path]: int(size) for path, _bar, size in found}


def select(archive: Archive, query: str) -> list[list[str]]:
    """Return the rows of a query, as texts. Raises ``StorageError``."""
    command = [*archive.psql, "--no-align", "--tuples-only", "--field-separator=|", f"--command={query}"]
    status, output, errors = archive.run(command)
    if status:
        hint = "Check that PostgreSQL is running, and that this is Orthanc's database."
        if '"storagearea" does not exist' in errors:
            hint = (
                "Orthanc has never stored an image in this database. "
                "Check whether it is deployed with orthweb_storage: filesystem."
            )
        raise StorageError(f"PostgreSQL did not answer the query ({errors.strip() or f'status {status}'}). {hint}")
    return [line.split("|") for line in output.splitlines() if line]


def quoted(values: Sequence[str]) -> str:
    """Put identifiers, which ``option_problems`` or the index have vouched for, into a list of SQL's."""
    return ", ".join(f"'{value}'" for value in values)
