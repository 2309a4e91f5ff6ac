# SPDX-License-Identifier: GPL-3.0-or-later
"""What pgBackRest is asked to do. Passphrases and keys are in its configuration, never among its arguments."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import IO, Any

from schedule import Backup
from wal import HISTORY, Archive, History, segments_of

Run = Callable[..., str]


ABSENT = 1  # what archive-get ends with where a file is not in the repository


class FailedError(Exception):
    """What pgBackRest said, and what it ended with."""

    def __init__(self, said: str, code: int | None = None) -> None:
        super().__init__(said)
        self.code = code


def pgbackrest(*arguments: str, seconds: float | None = None, given: IO[bytes] | None = None) -> str:
    """Its output, as text; see `output`."""
    return output(*arguments, seconds=seconds, given=given).decode(errors="replace")


def output(*arguments: str, seconds: float | None = None, given: IO[bytes] | None = None) -> bytes:
    """What pgBackRest prints.

    :param seconds: after which it is ended
    :param given: its standard input
    """
    try:
        done = subprocess.run(
            ["pgbackrest", *arguments],
            stdin=given or subprocess.DEVNULL,
            capture_output=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise FailedError(f"pgbackrest {arguments[-1]} took more than {seconds:.0f} seconds.") from None
    if done.returncode:
        said = (done.stderr or done.stdout).decode(errors="replace").strip()
        said = said or f"pgbackrest {arguments[-1]} ended with {done.returncode} and said nothing."
        raise FailedError(said, done.returncode)
    return done.stdout


@dataclass(frozen=True)
class Repository:
    number: int  # pgBackRest's: repo1, repo2, ...
    name: str
    stanza: str
    path: str
    run: Run = pgbackrest

    @property
    def manifests(self) -> str:
        """The folder of the lists beside its backups (manifest.py)."""
        return f"manifest/{self.stanza}"

    def ask(self, *arguments: str, seconds: float | None = None, given: IO[bytes] | None = None) -> str:
        return self.run(f"--stanza={self.stanza}", f"--repo={self.number}", *arguments, seconds=seconds, given=given)

    def ask_bytes(self, *arguments: str) -> bytes:
        return output(f"--stanza={self.stanza}", f"--repo={self.number}", *arguments)

    def backups(self) -> list[Backup]:
        """Those that succeeded, the oldest first."""
        [found] = json.loads(self.ask("--output=json", "info", seconds=120)) or [{}]
        # A repository that cannot be read has no backups in this answer, and that must not look like a new one.
        for part in found.get("repo", []):
            if part["key"] == self.number and part["status"]["code"] not in (0, 1, 2):
                raise FailedError(f"repository {self.name}: {part['status']['message']}")
        made = [_backup(given) for given in found.get("backup", []) if not given["error"]]
        return sorted(made, key=lambda backup: backup.stop)

    def usable(self, moment: datetime | None = None) -> tuple[list[Backup], Archive]:
        """The backups that lead to the database as it was at that moment, or is now; and the WAL for them.

        A backup that was made before a restore to an earlier moment, and after that moment, leads to what was given up.
        """
        made = self.backups()
        archive = self.archive(moment) if made else Archive()
        return [each for each in made if archive.leads_on(each.first_wal)], archive

    def archive(self, moment: datetime | None = None) -> Archive:
        """The WAL that is in the repository itself, and which of its timelines was the newest one at that moment."""
        folder = f"archive/{self.stanza}"
        files = json.loads(self.ask("--recurse", "--output=json", "repo-ls", folder, seconds=600))
        segments = segments_of(map(name_of, files))
        timelines = sorted({segment.timeline for segment in segments}) or [1]
        histories = {name_of(path): path for path in files if HISTORY.fullmatch(name_of(path))}
        known = [name for name, path in histories.items() if not moment or files[path]["time"] <= moment.timestamp()]
        if known:
            newest = max(known)
            history = History.parsed(newest, self.ask("repo-get", f"{folder}/{histories[newest]}", seconds=120))
        elif histories:
            history = History(timelines[0])  # the moment was before the first of them
        else:
            history = History(timelines[-1])  # a repository that was declared after a restore never gets its history
        return Archive(segments, history)

    def back_up(self, kind: str) -> Backup:
        """Make one, remove those whose time is over, and give what it is."""
        self.ask(f"--type={kind}", "backup")
        return self.backups()[-1]


def name_of(path: str) -> str:
    return path.rpartition("/")[2]


def prepare(stanza: str, run: Run = pgbackrest) -> None:
    """Make the repositories ready for this database. They refuse another one than theirs."""
    run(f"--stanza={stanza}", "stanza-create", seconds=300)


def check(stanza: str, run: Run = pgbackrest) -> None:
    """Archive a segment, and find it in each repository."""
    run(f"--stanza={stanza}", "check", seconds=300)


def _backup(given: dict[str, Any]) -> Backup:
    start, stop = (datetime.fromtimestamp(given["timestamp"][each], UTC) for each in ("start", "stop"))
    return Backup(
        label=given["label"],
        kind=given["type"],
        start=start,
        stop=stop,
        size=given["info"]["size"],
        stored=given["info"]["repository"]["delta"],
        first_wal=given["archive"]["start"],
    )
