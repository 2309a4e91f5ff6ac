# SPDX-License-Identifier: GPL-3.0-or-later
"""Backs up PostgreSQL from the container beside it.

backup keep             what the container runs: archives WAL, makes what is due, writes the status down
backup now [KIND]       makes one at once in each repository, full, diff or incr, and says what it is, as JSON
backup status [--json]  one page; ends with 1 if something is wrong
backup manifest NAME [LABEL]
                        the list of instances beside a backup in a repository, the newest one, as JSON lines
backup drill            restores the newest backup aside, compares each image, and ends with 1 if something is wrong
backup bring            brings attachments that the storage area has lost back, given and answered as JSON
backup controller       keeps what only the controller has, from standard input, in each repository
backup ready            waits until the repositories can be used, and says why if they cannot
backup healthy          for the engine: ends with 1 if something is wrong
"""

from __future__ import annotations

import json
import sys
import threading
import time
from pathlib import Path
from typing import Any

import bring
import controller
import drill
import manifest
import pushes
import report
from keeper import Keeper, Places, Settings, alone, back_up, described, now
from repository import FailedError, check, pgbackrest, prepare
from schedule import Backup

READY_SECONDS = 120
ERROR_SECONDS = 40  # it is tried again meanwhile: the server may have been about to load its configuration


def keep(settings: Settings, places: Places) -> None:
    """For ever."""
    (places.run / "started").touch()
    keeper = Keeper(settings, places)

    def push(path: Path) -> None:
        finished = pushes.finished(path)
        pgbackrest(f"--stanza={settings.stack}", "archive-push", str(path), seconds=pushes.SECONDS)
        keeper.pushed = finished or keeper.pushed

    def prepare_and_check(stanza: str) -> None:
        prepare(stanza)
        check(stanza)

    door = pushes.serve(settings.data / "pg_wal", push)
    threading.Thread(target=door.serve_forever, daemon=True).start()
    keeper.run(prepare_and_check, lambda: drill.drill(settings, places))


def make(settings: Settings, places: Places, kind: str) -> int:
    """One in each repository, one after the other."""
    made: dict[str, Any] = {}
    failed: dict[str, str] = {}
    with alone(places):
        for repository in settings.repositories:
            try:
                backup = back_up(settings, places, repository, kind or wanted(repository.backups()))
                made[repository.name] = described(backup)
            except FailedError as failure:
                failed[repository.name] = str(failure)
    places.made.touch()
    status, _said = state(settings, places)
    ends = [backup["stop"] for backup in made.values()] + [status["restorable"] or ""]
    print(json.dumps({"made": made, "failed": failed, "restorable": max(ends)}))
    return 1 if failed else 0


def wanted(made: list[Backup]) -> str:
    """What a person gets who does not say which."""
    return "incr" if made else "full"


def state(settings: Settings, places: Places) -> tuple[dict[str, Any], list[str]]:
    """What the program has written down, and what is wrong now."""
    try:
        status = json.loads(places.json.read_text())
    except (OSError, ValueError):
        sys.exit("The backup program has written no status yet.")
    return status, report.alarms(status, settings.limits, now())


def show(settings: Settings, places: Places, *, as_json: bool) -> int:
    status, said = state(settings, places)
    print(json.dumps({**status, "alarms": said}) if as_json else report.page(status, said, now()), end="")
    return 1 if said else 0


def show_manifest(settings: Settings, name: str, label: str) -> int:
    """Of a backup in the repository of that name."""
    for repository in settings.repositories:
        if repository.name == name:
            for line in manifest.read(repository, label or repository.backups()[-1].label):
                print(json.dumps(line))
            return 0
    sys.exit(f"There is no repository {name}.")


def keep_controller(settings: Settings, packed: bytes) -> int:
    """In each repository that has it not, and says in which, as JSON."""
    kept, failed = [], {}
    for repository in settings.repositories:
        try:
            if controller.keep(repository, packed, now(), settings.keep_days):
                kept.append(repository.name)
        except FailedError as failure:
            failed[repository.name] = str(failure)
    print(json.dumps({"kept": kept, "failed": failed}))
    return 1 if failed else 0


def ready(places: Places, begun: float) -> int:
    """Nothing if the repositories can be used; why not, otherwise."""
    started = int((places.run / "started").stat().st_mtime)
    error = ""
    while time.monotonic() < begun + (ERROR_SECONDS if error else READY_SECONDS):
        try:
            status = json.loads(places.json.read_text())
        except (OSError, ValueError):
            status = {"written": None}
        written = report.parsed(status["written"])
        if written and written.timestamp() >= started:
            if status["prepared"]:
                return 0
            error = status["error"]
        time.sleep(1)
    print(error or "The repositories were not asked yet, as the database does not answer.", file=sys.stderr)
    return 1


def main(arguments: list[str]) -> int:
    settings, places = Settings.read(), Places()
    match arguments:
        case ["keep"]:
            keep(settings, places)
        case ["now"]:
            return make(settings, places, "")
        case ["now", kind] if kind in report.KINDS:
            return make(settings, places, kind)
        case ["status", *rest]:
            return show(settings, places, as_json=rest == ["--json"])
        case ["manifest", name, *rest]:
            return show_manifest(settings, name, rest[0] if rest else "")
        case ["drill"]:
            found = drill.drill(settings, places)
            print("\n".join(report.drill_lines(found)))
            return 1 if report.wrong_in(found) else 0
        case ["bring"]:
            print(json.dumps(bring.bring(settings, places, json.load(sys.stdin))))
            return 0
        case ["controller"]:
            return keep_controller(settings, sys.stdin.buffer.read())
        case ["ready"]:
            return ready(places, time.monotonic())
        case ["healthy"]:
            _status, said = state(settings, places)
            print("\n".join(said))
            return 1 if said else 0
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
