# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks every half minute at what is due and at what there is, makes backups, and writes the status down."""

from __future__ import annotations

import fcntl
import json
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import manifest
import report
import server
from repository import FailedError, Repository
from schedule import Backup, Plan, drill_due, due, retry_after

LOOK_SECONDS = 30
QUICK_TRIES = 5  # at the start
ASK_AGAIN = timedelta(minutes=10)  # the repositories, what they have


@dataclass(frozen=True)
class Settings:
    stack: str
    repositories: tuple[Repository, ...]
    plan: Plan
    limits: dict[str, int]
    keep_days: int
    data: Path
    database: str

    @classmethod
    def read(cls, path: Path = Path("/etc/pgbackrest/settings.json")) -> Settings:
        given = json.loads(path.read_text())
        those = enumerate(given["repositories"], 1)
        return cls(
            stack=given["stack"],
            repositories=tuple(
                Repository(number, each["name"], given["stack"], each["path"]) for number, each in those
            ),
            plan=Plan(**given["plan"]),
            limits=given["limits"],
            keep_days=given["keep_days"],
            data=Path(given["data"]),
            database=given["database"],
        )


@dataclass(frozen=True)
class Places:
    status: Path = Path("/var/lib/backup")  # a folder of the host
    run: Path = Path("/run/backup")
    drill: Path = Path("/var/lib/drill")

    @property
    def json(self) -> Path:
        return self.status / "status.json"

    @property
    def made(self) -> Path:
        """Touched when a person has had a backup made."""
        return self.run / "made"


@dataclass
class Known:
    """What is known of a repository."""

    since: datetime
    made: list[Backup] = field(default_factory=list)
    absent_wal: list[str] = field(default_factory=list)
    asked: datetime | None = None
    error: str = ""
    failures: int = 0
    tried: datetime | None = None


def now() -> datetime:
    return datetime.now(UTC)


def write(path: Path, text: str) -> None:
    """Whole or not at all."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.write_text(text)
    partial.chmod(0o644)
    partial.rename(path)


def complain(message: str) -> None:
    print(f"backup: {message}", file=sys.stderr, flush=True)


@contextmanager
def alone(places: Places, what: str = "backup") -> Iterator[None]:
    """One at a time, whoever asks for it; waits for the one that is being made."""
    with (places.run / f"{what}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


class Keeper:
    def __init__(self, settings: Settings, places: Places) -> None:
        self.settings, self.places = settings, places
        self.prepared = False
        self.error = ""
        self.failures = 0
        self.tried: datetime | None = None
        before = self._before()
        self.pushed = report.parsed(before.get("pushed"))  # the end of the newest WAL that is archived
        had = before.get("repositories", {})
        self.drilling: threading.Thread | None = None
        self.known = {
            each.name: Known(report.parsed(had.get(each.name, {}).get("since")) or now())
            for each in settings.repositories
        }

    def _before(self) -> dict[str, Any]:
        """What the program wrote down before it was restarted."""
        with suppress(OSError, ValueError):
            return dict(json.loads(self.places.json.read_text()))
        return {}

    # --- what there is

    def ask(self, repository: Repository, *, again: bool = False) -> None:
        """Ask a repository what it has, unless it said so a while ago."""
        known = self.known[repository.name]
        if not again and known.asked and now() - known.asked < ASK_AGAIN and not self._made_since(known.asked):
            return
        known.asked = now()
        known.made, archive = repository.usable()
        known.absent_wal = archive.missing(known.made[-1].first_wal) if known.made else []

    def _made_since(self, moment: datetime) -> bool:
        with suppress(OSError):
            return self.places.made.stat().st_mtime > moment.timestamp()
        return False

    def status(self) -> dict[str, Any]:
        made = [known for known in self.known.values() if known.made]
        ends = [known.made[-1].stop for known in made]
        if self.pushed and any(not known.absent_wal for known in made):
            ends.append(self.pushed)
        restorable = max(ends, default=None)
        return {
            "stack": self.settings.stack,
            "written": _text(now()),
            "prepared": self.prepared,
            "error": self.error,
            "pushed": _text(self.pushed),
            "restorable": _text(restorable),
            "wal": server.waiting(self.settings.data / "pg_wal"),
            "drill": self.drilled(),
            "repositories": {name: _repository(known) for name, known in self.known.items()},
        }

    def write_down(self) -> None:
        status = self.status()
        said = report.alarms(status, self.settings.limits, now())
        write(self.places.json, json.dumps({**status, "alarms": said}, indent=1) + "\n")
        write(self.places.status / "orthweb-backup.prom", report.metrics(status, said))

    # --- what is to be done

    def work(self, prepare: Any) -> None:
        """Once. What fails is tried again later, and does not keep another repository from its backups."""
        if not self.prepared and server.is_up():
            self._prepare(prepare)
        if self.prepared or self.error:
            for repository in self.settings.repositories:
                self._serve(repository)

    def _prepare(self, prepare: Any) -> None:
        if self.tried and now() < self.tried + retry_after(self.failures - QUICK_TRIES):
            return
        try:
            prepare(self.settings.stack)
            self.prepared, self.error = True, ""
            complain("the repositories are ready.")
        except FailedError as failure:
            if str(failure) != self.error:
                complain(str(failure))
            self.error = str(failure)
            self.failures += 1
        self.tried = now()

    def _serve(self, repository: Repository) -> None:
        known = self.known[repository.name]
        if known.tried and now() < known.tried + retry_after(known.failures):
            return
        try:
            self.ask(repository)
            if not self._due(known) or not server.is_up():
                return
            with alone(self.places):
                self.ask(repository, again=True)  # one may have been made meanwhile
                if kind := self._due(known):
                    complain(f"{repository.name}: a {report.KINDS[kind]} backup begins.")
                    backup = back_up(self.settings, self.places, repository, kind)
                    complain(f"{repository.name}: {backup.label} is made.")
                    self.ask(repository, again=True)
                    if backup.label not in {each.label for each in known.made}:
                        raise FailedError(
                            f"{backup.label} is not on the newest timeline of which the repository has WAL."
                        )
            known.error, known.failures = "", 0
        except FailedError as failure:
            known.error = f"{now():%Y-%m-%d %H:%M} {failure}"
            known.failures += 1
            complain(f"{repository.name}: {failure}")
        known.tried = now()

    def _due(self, known: Known) -> str | None:
        return due(self.settings.plan, known.made, now(), gap=bool(known.absent_wal))

    def drilled(self) -> dict[str, Any] | None:
        """The report of the last drill."""
        with suppress(OSError, ValueError):
            return dict(json.loads((self.places.status / "drill.json").read_text()))
        return None

    def look_for_drill(self, drill: Any) -> None:
        """Beside the backups, which it may outlast."""
        if self.drilling and self.drilling.is_alive():
            return
        last = report.parsed((self.drilled() or {}).get("time"))
        made = [known.made[0].stop for known in self.known.values() if known.made]
        if made and drill_due(self.settings.plan, last, min(made), now()):
            self.drilling = threading.Thread(target=drill, daemon=True)
            self.drilling.start()

    def run(self, prepare: Any, drill: Any) -> None:
        """For ever."""
        worker: threading.Thread | None = None
        while True:
            if worker is None or not worker.is_alive():
                worker = threading.Thread(target=self.work, args=(prepare,), daemon=True)
                worker.start()
                worker.join(LOOK_SECONDS / 3)
                self.look_for_drill(drill)
            self.write_down()
            time.sleep(LOOK_SECONDS / 3)


def back_up(settings: Settings, places: Places, repository: Repository, kind: str) -> Backup:
    """Make one, and the list of instances beside it."""
    backup = repository.back_up(kind)
    manifest.write(repository, settings.database, backup.label, places.status)
    return backup


def _text(moment: datetime | None) -> str | None:
    return moment.isoformat(timespec="seconds") if moment else None


def _repository(known: Known) -> dict[str, Any]:
    last = {backup.kind: backup for backup in known.made}
    return {
        "since": _text(known.since),
        "last": {kind: described(last[kind]) for kind in report.KINDS if kind in last},
        "absent_wal": known.absent_wal,
        "error": known.error,
        "failures": known.failures,
    }


def described(backup: Backup) -> dict[str, Any]:
    return {
        **asdict(backup),
        "start": _text(backup.start),
        "stop": _text(backup.stop),
        "seconds": round((backup.stop - backup.start).total_seconds()),
    }
