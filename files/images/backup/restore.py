# SPDX-License-Identifier: GPL-3.0-or-later
"""Restores a backup into the folder of a PostgreSQL that does not run.

restore folder   the newest copy of the controller's folder, in Base64
restore look     which backup would be restored from which repository, as JSON
restore run      replaces the files, recovers, has the server take writes, and says what it has, as JSON
restore wal NUMBER NOTED NAME PATH [KEPT]
                 for the server that recovers: brings a WAL file from the repository of that number (recovery.py)
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import controller
import recovery
import server
from keeper import Places, Settings, described
from manifest import COUNTS, LEVELS
from repository import FailedError, Repository
from restored_server import Server
from schedule import Backup
from wal import Archive

NEWEST = "SELECT max(value) FROM metadata WHERE type = 7"  # when a study, as Orthanc calls it, was last updated


@dataclass(frozen=True)
class Wanted:
    """:ivar name: of the repository, or empty
    :ivar moment: as far as which to recover, or None for the end
    :ivar own: whether it was the same server's backup: what that has not archived yet belongs to it
    """

    name: str
    moment: datetime | None
    own: bool

    @classmethod
    def read(cls, path: Path = Path("/etc/pgbackrest/restore.json")) -> Wanted:
        given = json.loads(path.read_text())
        moment = datetime.fromisoformat(given["moment"]) if given["moment"] else None
        return cls(given["repository"], moment, given["own"])


@dataclass(frozen=True)
class Choice:
    """:ivar moment: as far as which to recover, or None for the end"""

    repository: Repository
    backup: Backup
    archive: Archive = field(default_factory=Archive)
    moment: datetime | None = None

    def missing(self) -> list[str]:
        """Segments that are not in the repository now, although later ones are."""
        return self.repository.archive(self.moment).missing(self.backup.first_wal)

    @property
    def timeline(self) -> str:
        """That of the moment, not of today."""
        history = self.archive.history
        return "latest" if self.moment is None else str(history.timeline) if history.left else "current"


def choose(repositories: list[Repository], moment: datetime | None) -> Choice:
    """The newest backup that ends before the moment, in whichever repository answers."""
    choices: list[Choice] = []
    said: list[str] = []
    for repository in repositories:
        try:
            made, archive = repository.usable(moment)
        except FailedError as failure:
            said.append(str(failure))
            continue
        fit = [each for each in made if not moment or each.stop <= moment]
        if fit:
            choices.append(Choice(repository, fit[-1], archive, moment))
        elif made:
            earliest = made[0].stop.isoformat(timespec="seconds")
            said.append(f"repository {repository.name}: the earliest moment is {earliest}")
        else:
            said.append(f"repository {repository.name}: there is no backup of {repository.stanza}")
    if not choices:
        raise FailedError("No backup can be restored. " + "; ".join(said) + ".")
    # One repository may have got a history later than another, and not know of a timeline of that moment.
    newest = max(choice.archive.history.timeline for choice in choices)
    return max((each for each in choices if each.archive.history.timeline == newest), key=lambda each: each.backup.stop)


def named(settings: Settings, wanted: Wanted) -> list[Repository]:
    return [each for each in settings.repositories if wanted.name in ("", each.name)]


def look(settings: Settings, wanted: Wanted) -> dict[str, Any]:
    choice = choose(named(settings, wanted), wanted.moment)
    # With a moment, nobody knows whether what is missing comes after it; the recovery will say.
    if not wanted.moment and (absent := choice.archive.missing(choice.backup.first_wal)):
        raise FailedError(
            f"Repository {choice.repository.name}: after backup {choice.backup.label}, WAL is missing from {absent[0]} "
            f"on ({len(absent)} segments). A restore would end there. Restore from another repository, or as far as a "
            "moment before that."
        )
    there = (settings.data / "PG_VERSION").exists()
    found = {"repository": choice.repository.name, "backup": described(choice.backup)}
    return {**found, "there": there, "now": has(settings)}


def has(settings: Settings) -> dict[str, Any] | None:
    """What the database has now; None if it does not answer."""
    import psycopg

    try:
        return contents(server.connection, settings.database)
    except psycopg.Error:
        return None


def contents(connection: Any, database: str) -> dict[str, Any]:
    """How many patients, studies, series and instances there are, and when a study last got one."""
    none = {**dict.fromkeys(LEVELS, 0), "newest": None}
    with connection() as opened:
        if not opened.execute("SELECT FROM pg_database WHERE datname = %s", [database]).fetchall():
            return none
    with connection(database) as opened:
        if not opened.execute("SELECT to_regclass('metadata') IS NOT NULL").fetchone()[0]:
            return none
        counts = dict(zip(LEVELS, opened.execute(COUNTS).fetchone(), strict=True))
        return {**counts, "newest": opened.execute(NEWEST).fetchone()[0]}


def put(choice: Choice, restored: Server, kept: Path | None = None, *, timeline: str = "latest", **target: str) -> None:
    """Replace the files. What is equal already stays, so that one that was interrupted goes on.

    :param restored: the server that will run on them
    :param kept: the folder of what was not archived
    :param timeline: its number, "latest", or "current" for that of the backup
    :param target: how far it has to recover, as PostgreSQL's settings
    """
    data = restored.data
    data.mkdir(mode=0o700, exist_ok=True)
    (data / "postmaster.pid").unlink(missing_ok=True)  # no server runs
    bring = f'/usr/local/bin/restore wal {choice.repository.number} "{restored.noted}" "%f" "%p"'
    if kept:
        bring += f' "{kept}"'
    options = [f"--recovery-option={name}={text}" for name, text in {"restore_command": bring, **target}.items()]
    # As a standby: a server that only recovers takes a repository that does not answer for the end of the WAL.
    options += [f"--pg1-path={data}", f"--set={choice.backup.label}", f"--target-timeline={timeline}"]
    choice.repository.ask("--delta", "--type=standby", *options, "restore")


def archive(repository: Repository, filled: list[Path]) -> list[Path]:
    """Else a later restore would find a gap. What could not be archived, and is recovered from where it is kept."""
    for number, path in enumerate(filled):
        try:
            repository.run(f"--stanza={repository.stanza}", "archive-push", str(path), seconds=recovery.SECONDS)
        except FailedError as failure:
            print(f"restore: {path.name} is not archived, but kept in {path.parent}: {failure}", file=sys.stderr)
            return filled[number:]
    return []


def run(settings: Settings, places: Places, wanted: Wanted) -> dict[str, Any]:
    kept = settings.data.parent / recovery.KEPT if wanted.own else None
    left = archive(settings.repositories[0], recovery.keep(settings.data, kept)) if kept else []
    choice = choose(named(settings, wanted), wanted.moment)  # with what was archived just now
    restored = Server(settings.data, places.run, archives=True)
    moment = {"recovery_target_time": wanted.moment.isoformat(sep=" ")} if wanted.moment else {}
    put(choice, restored, kept, timeline=choice.timeline, recovery_target_action="pause", **moment)
    with restored.running():
        position = restored.recovered(choice.missing)
        found = contents(restored.connection, settings.database)
        restored.promote()
    archive(choice.repository, left)  # a damaged server had nothing by which pgBackRest could tell whose they are
    return {**found, **asdict(position)}


def main(arguments: list[str]) -> int:
    import psycopg

    settings, places = Settings.read(), Places()
    try:
        match arguments:
            case ["folder"]:
                print(controller.newest(named(settings, Wanted.read())).decode())
            case ["look"]:
                print(json.dumps(look(settings, Wanted.read())))
            case ["run"]:
                print(json.dumps(run(settings, places, Wanted.read())))
            case ["wal", number, noted, name, path, *kept]:
                repository = settings.repositories[int(number) - 1]
                folder = Path(kept[0]) if kept else None
                return 0 if recovery.bring(repository, name, Path(path), Path(noted), folder) else 1
            case _:
                print(__doc__, file=sys.stderr)
                return 2
    except (FailedError, psycopg.Error) as failure:
        print(failure, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
