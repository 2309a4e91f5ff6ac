# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the WAL comes from when a server recovers: from a repository, or what a damaged server had not archived yet."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

from keeper import write
from repository import ABSENT, FailedError, Repository
from wal import is_wal

SECONDS = 300  # for one file from a repository
KEPT = "wal-before-restore"  # beside the cluster's folder


@dataclass(frozen=True)
class Asked:
    """What the server asked for last, what it was told, and how often in a row."""

    name: str = ""
    answer: str = ""  # "there", "absent", or why it could not be had
    times: int = 0

    @property
    def failed(self) -> bool:
        return self.answer not in ("", "there", "absent")


def asked(noted: Path) -> Asked:
    """What `bring` has written down there."""
    try:
        return Asked(**json.loads(noted.read_text()))
    except (OSError, ValueError):
        return Asked()


def bring(repository: Repository, name: str, path: Path, noted: Path, kept: Path | None) -> bool:
    """Bring a file to where the server wants it; whether it is there.

    :param noted: a file in which what was asked for is written down
    :param kept: the folder of what was not archived
    """
    try:
        answer = "there" if _bring(repository, name, path, kept) else "absent"
    except (FailedError, OSError) as failure:
        answer = " ".join(str(failure).split())
    if not name.endswith(".history"):  # asked for again and again, to see whether there is another timeline
        before = asked(noted)
        times = before.times + 1 if (before.name, before.answer) == (name, answer) else 1
        write(noted, json.dumps(asdict(Asked(name, answer, times))))
    return answer == "there"


def _bring(repository: Repository, name: str, path: Path, kept: Path | None) -> bool:
    try:
        # The server is in its own folder, which is not that of the configuration in a drill.
        repository.ask(f"--pg1-path={Path.cwd()}", "archive-get", name, str(path), seconds=SECONDS)
    except FailedError as failure:
        if failure.code != ABSENT:
            raise
        if not (kept and (kept / name).is_file()):
            return False
        shutil.copyfile(kept / name, path)
    return True


def keep(data: Path, kept: Path) -> list[Path]:
    """Keep the WAL files of a server that does not run, and is about to be replaced, that are not archived.

    :param data: the cluster's folder
    :param kept: on the same filesystem
    :returns: those that the server had filled, so that they can be archived
    """
    wal = data / "pg_wal"
    filled = []
    for path in sorted(wal.glob("*")):
        status = wal / "archive_status" / path.name
        if not is_wal(path.name) or path.is_symlink() or status.with_name(f"{path.name}.done").exists():
            continue
        kept.mkdir(mode=0o700, exist_ok=True)
        link = kept / path.name
        link.unlink(missing_ok=True)
        link.hardlink_to(path)
        if status.with_name(f"{path.name}.ready").exists():
            filled.append(link)
    return filled
