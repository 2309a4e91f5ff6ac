# SPDX-License-Identifier: GPL-3.0-or-later
"""The program that archives and makes backups: what is due, which WAL is missing, what is an alarm."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from support.checkout import ROOT
from support.image_programs import loaded

wal, schedule, repository, pushes, server, report, manifest, keeper, backup = loaded(
    "backup", "wal", "schedule", "repository", "pushes", "server", "report", "manifest", "keeper", "backup"
)

CLIENT = ROOT / "files/images/postgresql/pgbackrest_push.pl"
NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
PLAN = schedule.Plan(full_days=7, differential_days=1, incremental_hours=0, hour=2)
SEGMENT = "0000000100000000000000A3"


def archived(name: str) -> str:
    return f"17-1/{name[:16]}/{name}-{'a' * 40}.zst".rpartition("/")[2]


def made(kind: str, hours_ago: float, label: str = "x") -> Any:
    stop = NOW - timedelta(hours=hours_ago)
    return schedule.Backup(label, kind, stop - timedelta(minutes=1), stop, 100, 10, SEGMENT)


class TestNames:
    @pytest.mark.parametrize("name", [SEGMENT, f"{SEGMENT}.partial", f"{SEGMENT}.00000028.backup", "00000002.history"])
    def test_what_postgresql_archives(self, name: str) -> None:
        assert wal.is_wal(name)

    @pytest.mark.parametrize(
        "name",
        [
            "",
            "..",
            "../" + SEGMENT,
            SEGMENT + "\n",
            SEGMENT.lower(),
            SEGMENT + "/x",
            "PG_VERSION",
            "expire",
            SEGMENT[1:],
        ],
    )
    def test_what_it_does_not(self, name: str) -> None:
        assert not wal.is_wal(name)

    @pytest.mark.parametrize("name", [SEGMENT, "0000000A00000002000000FF", "000000010000000100000000"])
    def test_numbers_and_back(self, name: str) -> None:
        assert wal.Segment.named(name).name == name

    def test_the_next_one_is_in_the_next_log(self) -> None:
        last, first = "0000000100000000000000FF", "000000010000000100000000"
        assert wal.missing([archived(last), archived(first)], last) == []

    def test_a_gap(self) -> None:
        names = [f"0000000100000000000000{number:02X}" for number in range(3, 9)]
        there = [archived(name) for name in names if not name.endswith(("05", "06"))]
        assert wal.missing(there, names[0]) == names[2:4]
        assert wal.missing(there, names[4]) == []

    def test_labels_and_halves_are_no_segments(self) -> None:
        names = [f"0000000100000000000000{number:02X}" for number in (3, 4, 5)]
        there = [
            archived(names[0]),
            f"{names[1]}.00000028.backup",
            f"{names[1]}.partial-{'a' * 40}",
            archived(names[2]),
        ]
        assert wal.missing(there, names[0]) == [names[1]]

    def test_a_new_timeline_goes_on(self) -> None:
        there = ["000000010000000000000003", "000000020000000000000004", "000000020000000000000005"]
        assert wal.missing(map(archived, there), there[0]) == []


class TestDue:
    def test_the_first_one_is_full_at_once(self) -> None:
        assert schedule.due(PLAN, [], NOW, gap=False) == "full"

    def test_a_day_later_a_differential_one(self) -> None:
        assert schedule.due(PLAN, [made("full", 9)], NOW, gap=False) is None  # since 3 o'clock today
        assert schedule.due(PLAN, [made("full", 11)], NOW, gap=False) == "diff"  # before 2 o'clock
        assert schedule.due(PLAN, [made("full", 34), made("diff", 9)], NOW, gap=False) is None

    def test_a_week_later_a_full_one(self) -> None:
        assert schedule.due(PLAN, [made("full", 7 * 24 + 9), made("diff", 9)], NOW, gap=False) == "full"
        assert schedule.due(PLAN, [made("full", 6 * 24 + 9), made("diff", 9)], NOW, gap=False) is None

    def test_weeks_later_one_and_not_several(self) -> None:
        assert schedule.due(PLAN, [made("full", 2000)], NOW, gap=False) == "full"
        assert schedule.due(PLAN, [made("full", 2000), made("full", 1)], NOW, gap=False) is None

    def test_incremental_ones_between(self) -> None:
        plan = schedule.Plan(full_days=7, differential_days=1, incremental_hours=2, hour=2)
        assert schedule.due(plan, [made("full", 9), made("incr", 2.1)], NOW, gap=False) == "incr"
        assert schedule.due(plan, [made("full", 9), made("incr", 1.5)], NOW, gap=False) is None

    def test_none_between_full_ones(self) -> None:
        plan = schedule.Plan(full_days=7, differential_days=0, incremental_hours=0, hour=2)
        assert schedule.due(plan, [made("full", 100)], NOW, gap=False) is None

    def test_a_gap_needs_another_one(self) -> None:
        assert schedule.due(PLAN, [made("full", 1)], NOW, gap=True) == "diff"

    def test_waits_grow(self) -> None:
        waits = [schedule.retry_after(failures) for failures in range(9)]
        assert waits == sorted(waits) and waits[0] == timedelta() and waits[-1] == timedelta(hours=1)


class TestPushes:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        (tmp_path / "pg_wal" / "archive_status").mkdir(parents=True)
        (tmp_path / "pg_wal" / SEGMENT).write_text("wal")
        (tmp_path / "pg_wal" / "other").write_text("not WAL")
        (tmp_path / "secret").write_text("secret")
        return tmp_path / "pg_wal"

    def asked(self, folder: Path, question: bytes) -> tuple[str, list[Path]]:
        taken: list[Path] = []
        return pushes.answer(question, folder, taken.append), taken

    def test_a_segment(self, folder: Path) -> None:
        assert self.asked(folder, f"push {SEGMENT}\n".encode()) == (f"archived {SEGMENT}", [folder / SEGMENT])

    @pytest.mark.parametrize(
        "question",
        [
            b"",
            b"push\n",
            f"push {SEGMENT}".encode(),
            f"push {SEGMENT} \n".encode(),
            f"push ../pg_wal/{SEGMENT}\n".encode(),
            b"push ../secret\n",
            b"push other\n",
            f"push --repo=1 {SEGMENT}\n".encode(),
            f"get {SEGMENT}\n".encode(),
            b"expire\n",
            b"stanza-delete\n",
            b"push 0000000100000000000000A4\n",
            b"\xff\xfe\n",
        ],
    )
    def test_nothing_else(self, folder: Path, question: bytes) -> None:
        said, taken = self.asked(folder, question)
        assert said.startswith("failed") and taken == []

    def test_no_link_to_another_file(self, folder: Path) -> None:
        name = "0000000100000000000000A5"
        (folder / name).symlink_to(folder.parent / "secret")
        said, taken = self.asked(folder, f"push {name}\n".encode())
        assert said.startswith("failed") and taken == []

    def test_what_pgbackrest_says_is_handed_on(self, folder: Path) -> None:
        def push(_path: Path) -> None:
            raise repository.FailedError("ERROR: [041]: no space\nHINT: make some")

        assert (
            pushes.answer(f"push {SEGMENT}\n".encode(), folder, push)
            == "failed: ERROR: [041]: no space HINT: make some"
        )


@pytest.mark.skipif(not Path("/usr/bin/perl").exists(), reason="needs perl")
class TestClient:
    """What PostgreSQL runs: it must never take a file for archived that is not."""

    def run(self, name: str, door: Path, seconds: str = "5") -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "BACKUP_SOCKET": str(door), "BACKUP_SECONDS": seconds}
        return subprocess.run(
            ["perl", str(CLIENT), name], env=environment, capture_output=True, text=True, timeout=10, check=False
        )

    @pytest.fixture
    def answering(self, tmp_path: Path) -> Iterator[Any]:
        """A server at a socket that says what it is told to."""
        door = socket.socket(socket.AF_UNIX)
        door.bind(str(tmp_path / "door"))
        door.listen()
        answers: dict[str, Any] = {"said": b"", "heard": b""}

        def serve() -> None:
            while True:
                try:
                    peer = door.accept()[0]
                except OSError:
                    return
                answers["heard"] = peer.recv(100)
                if answers["said"] is None:
                    answers["peer"] = peer  # it stays open and silent
                    continue
                peer.sendall(answers["said"])
                peer.close()

        threading.Thread(target=serve, daemon=True).start()
        yield tmp_path / "door", answers
        door.close()

    def test_archived(self, answering: Any) -> None:
        door, answers = answering
        answers["said"] = f"archived {SEGMENT}\n".encode()
        assert self.run(SEGMENT, door).returncode == 0
        assert answers["heard"] == f"push {SEGMENT}\n".encode()

    @pytest.mark.parametrize(
        "said",
        [
            b"",
            b"\n",
            b"archived\n",
            f"archived {SEGMENT}".encode(),
            b"archived 0000000100000000000000A4\n",
            b"failed: no space\n",
            f" archived {SEGMENT}\n".encode(),
        ],
    )
    def test_anything_else_is_not(self, answering: Any, said: bytes) -> None:
        door, answers = answering
        answers["said"] = said
        ran = self.run(SEGMENT, door)
        assert ran.returncode == 1 and f"WAL file {SEGMENT} is not archived" in ran.stderr

    def test_silence_ends(self, answering: Any) -> None:
        door, answers = answering
        answers["said"] = None
        ran = self.run(SEGMENT, door, seconds="1")
        assert ran.returncode == 1 and "no answer for 1 seconds" in ran.stderr

    def test_nobody_is_there(self, tmp_path: Path) -> None:
        assert "does not answer" in self.run(SEGMENT, tmp_path / "door").stderr
        assert self.run(SEGMENT, tmp_path / "door").returncode == 1

    def test_with_our_server(self, tmp_path: Path) -> None:
        (tmp_path / "archive_status").mkdir()
        (tmp_path / SEGMENT).touch()
        taken: list[Path] = []
        with pushes.serve(tmp_path, taken.append, tmp_path / "door") as ours:
            threading.Thread(target=ours.serve_forever, daemon=True).start()
            assert self.run(SEGMENT, tmp_path / "door").returncode == 0
            assert self.run("postgresql.conf", tmp_path / "door").returncode == 1
            ours.shutdown()
        assert taken == [tmp_path / SEGMENT]


def status(**changed: Any) -> dict[str, Any]:
    last = keeper.described(made("full", 1, "20261130-110000F"))
    return {
        "stack": "clinic",
        "written": NOW.isoformat(),
        "prepared": True,
        "error": "",
        "restorable": NOW.isoformat(),
        "wal": {"files": 0, "bytes": 0, "oldest_seconds": 0},
        "repositories": {"nas": repository_status(last={"full": last})},
        **changed,
    }


def repository_status(**changed: Any) -> dict[str, Any]:
    return {"since": "2026-11-01T00:00:00+00:00", "last": {}, "absent_wal": [], "error": "", "failures": 0, **changed}


class TestAlarms:
    LIMITS = {"max_age_hours": 26, "wal_minutes": 15}

    def said(self, **changed: Any) -> list[str]:
        return report.alarms(status(**changed), self.LIMITS, NOW)

    def test_all_is_well(self) -> None:
        assert self.said() == []

    def test_too_old(self) -> None:
        old = repository_status(last={"full": keeper.described(made("full", 27))})
        [sentence] = self.said(repositories={"nas": old})
        assert "nas: the newest backup is 27 hours old" in sentence
        both = repository_status(last={**old["last"], "incr": keeper.described(made("incr", 2))})
        assert self.said(repositories={"nas": both}) == []

    def test_none_yet(self) -> None:
        [sentence] = self.said(repositories={"nas": repository_status()})
        assert "there is no backup yet" in sentence
        new = repository_status(since=(NOW - timedelta(hours=1)).isoformat())
        assert self.said(repositories={"nas": new}) == []

    def test_one_of_two_is_enough_for_none(self) -> None:
        well = status()["repositories"]["nas"]
        [sentence] = self.said(repositories={"nas": well, "away": repository_status()})
        assert sentence.startswith("Repository away")

    def test_archiving_is_stuck(self) -> None:
        [sentence] = self.said(wal={"files": 3, "bytes": 3 << 24, "oldest_seconds": 901})
        assert "3 WAL files (48.0 MiB) wait, the oldest for 15 minutes" in sentence
        assert self.said(wal={"files": 3, "bytes": 3 << 24, "oldest_seconds": 899}) == []

    def test_wal_is_missing(self) -> None:
        gap = {**status()["repositories"]["nas"], "absent_wal": [SEGMENT]}
        [sentence] = self.said(repositories={"nas": gap})
        assert f"WAL is missing from {SEGMENT} on" in sentence

    def test_the_program_is_gone(self) -> None:
        [sentence] = self.said(written=(NOW - timedelta(minutes=6)).isoformat())
        assert "has not written its status since 2026-11-30 11:54" in sentence

    def test_another_database_s_repository(self) -> None:
        [sentence] = self.said(prepared=False, error="ERROR: [028]: do not match the database")
        assert "ERROR: [028]" in sentence

    def test_the_page_says_it(self) -> None:
        said = self.said(wal={"files": 3, "bytes": 3 << 24, "oldest_seconds": 901})
        page = report.page(status(), said, NOW)
        assert "20261130-110000F" in page and f"ALARM: {said[0]}" in page
        assert "No alarms." in report.page(status(), [], NOW)

    def test_metrics(self) -> None:
        lines = report.metrics(status(), ["one"]).splitlines()
        assert 'orthweb_backup_alarms{stack="clinic"} 1' in lines
        assert 'orthweb_backup_last_size_bytes{stack="clinic",repository="nas",type="full"} 100' in lines


class TestRepository:
    INFO = {
        "name": "clinic",
        "repo": [{"key": 1, "status": {"code": 0, "message": "ok"}}],
        "backup": [
            {
                "label": label,
                "type": "full",
                "error": error,
                "timestamp": {"start": 1, "stop": 61},
                "info": {"size": 5, "repository": {"delta": 2}},
                "archive": {"start": SEGMENT, "stop": SEGMENT},
            }
            for label, error in (("one", False), ("two", True))
        ],
    }

    def of(self, answer: Any) -> tuple[Any, list[tuple[str, ...]]]:
        asked: list[tuple[str, ...]] = []

        def run(*arguments: str, **_more: Any) -> str:
            asked.append(arguments)
            return json.dumps(answer)

        return repository.Repository(1, "nas", "clinic", "/repositories/nas", run), asked

    def test_backups_with_damaged_pages_do_not_count(self) -> None:
        ours, asked = self.of([self.INFO])
        assert [each.label for each in ours.backups()] == ["one"]
        assert asked == [("--stanza=clinic", "--repo=1", "--output=json", "info")]

    def test_one_that_cannot_be_read_is_not_empty(self) -> None:
        broken = {**self.INFO, "backup": [], "repo": [{"key": 1, "status": {"code": 99, "message": "unable to open"}}]}
        with pytest.raises(repository.FailedError, match="nas: unable to open"):
            self.of([broken])[0].backups()

    def test_a_program_that_fails_says_why(self) -> None:
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(
                repository.subprocess, "run", lambda *_a, **_k: subprocess.CompletedProcess([], 41, b"", b"ERROR")
            )
            with pytest.raises(repository.FailedError, match="ERROR"):
                repository.pgbackrest("info")


class TestKeeper:
    @pytest.fixture
    def places(self, tmp_path: Path) -> Any:
        for name in ("status", "run", "data/pg_wal/archive_status"):
            (tmp_path / name).mkdir(parents=True)
        return keeper.Places(tmp_path / "status", tmp_path / "run")

    def keeper(self, places: Any, run: Any) -> Any:
        ours = repository.Repository(1, "nas", "clinic", "/repositories/nas", run)
        limits = {"max_age_hours": 26, "wal_minutes": 15}
        data = places.status.parent / "data"
        return keeper.Keeper(keeper.Settings("clinic", (ours,), PLAN, limits, data, "orthanc"), places)

    @pytest.fixture(autouse=True)
    def up(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(server, "is_up", lambda: True)
        monkeypatch.setattr(manifest, "lines", lambda _database, label: iter([label]))

    def test_it_makes_the_first_one_and_then_none(self, places: Any) -> None:
        asked: list[str] = []
        had: list[dict[str, Any]] = []

        def run(*arguments: str, **_more: Any) -> str:
            asked.append(arguments[-1] if arguments[-1] in ("info", "backup") else arguments[-2])
            if "backup" in arguments:
                had.append(
                    {
                        **TestRepository.INFO["backup"][0],
                        "timestamp": {"start": keeper.now().timestamp() - 5, "stop": keeper.now().timestamp()},
                    }
                )
            if "info" in arguments:
                return json.dumps([{**TestRepository.INFO, "backup": had}])
            return json.dumps({archived(SEGMENT): {}})

        ours = self.keeper(places, run)
        ours.work(lambda _stanza: None)
        ours.work(lambda _stanza: None)
        assert asked.count("backup") == 1
        ours.write_down()
        written = json.loads(places.json.read_text())
        assert written["alarms"] == [] and written["repositories"]["nas"]["last"]["full"]["label"] == "one"
        assert places.json.stat().st_mode & 0o777 == 0o644

    def test_a_failure_is_said_and_tried_again_later(self, places: Any) -> None:
        asked: list[str] = []

        def run(*arguments: str, **_more: Any) -> str:
            asked.append(arguments[-1])
            raise repository.FailedError("ERROR: no space")

        ours = self.keeper(places, run)
        ours.work(lambda _stanza: None)
        ours.work(lambda _stanza: None)
        assert asked == ["info"]
        known = ours.status()["repositories"]["nas"]
        assert "no space" in known["error"] and known["failures"] == 1
        ours.known["nas"].tried = keeper.now() - timedelta(minutes=2)
        ours.work(lambda _stanza: None)
        assert asked == ["info", "info"]

    def test_nothing_is_made_in_another_database_s_repository(self, places: Any) -> None:
        def refuse(_stanza: str) -> None:
            raise repository.FailedError("do not match the database")

        def run(*arguments: str, **_more: Any) -> str:
            if "info" in arguments:
                return json.dumps([{**TestRepository.INFO, "backup": []}])
            raise repository.FailedError("does not match")  # as pgBackRest does for a backup, too

        ours = self.keeper(places, run)
        ours.work(refuse)
        ours.write_down()
        status = json.loads(places.json.read_text())
        [alarm] = status["alarms"]
        assert "do not match the database" in alarm
        assert status["repositories"]["nas"]["last"] == {}

    def test_one_repository_that_is_away_does_not_stop_the_other(self, places: Any) -> None:
        def away(_stanza: str) -> None:
            raise repository.FailedError("repo2: unable to connect")

        asked: list[str] = []

        def run(*arguments: str, **_more: Any) -> str:
            asked.append(f"{arguments[1]} {arguments[-1]}")
            if "--repo=2" in arguments:
                raise repository.FailedError("unable to connect")
            if "repo-ls" in arguments:
                return json.dumps({archived(SEGMENT): {}})
            made = TestRepository.INFO["backup"] if "--repo=1 backup" in asked else []
            return json.dumps([{**TestRepository.INFO, "backup": made}])

        ours = self.keeper(places, run)
        other = repository.Repository(2, "away", "clinic", "/away", run)
        settings = replace(ours.settings, repositories=(other, *ours.settings.repositories))
        ours = keeper.Keeper(settings, places)
        ours.work(away)
        assert "--repo=2 info" in asked and "--repo=1 backup" in asked

    def test_it_remembers_how_long_there_is_none(self, places: Any) -> None:
        first = self.keeper(places, pytest.fail)
        first.known["nas"].since = NOW
        first.pushed = NOW
        first.write_down()
        second = self.keeper(places, pytest.fail)
        assert second.known["nas"].since == NOW and second.pushed == NOW

    def test_wal_that_waits(self, places: Any) -> None:
        ready = places.status.parent / "data/pg_wal/archive_status" / f"{SEGMENT}.ready"
        ready.touch()
        os.utime(ready, (1000, 1000))
        found = server.waiting(ready.parents[1], 1900)
        assert found == {"files": 1, "bytes": 1 << 24, "oldest_seconds": 900}
        assert pushes.finished(ready.parents[1] / SEGMENT) == datetime.fromtimestamp(1000, UTC)
