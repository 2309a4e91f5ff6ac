# SPDX-License-Identifier: GPL-3.0-or-later
"""The program that makes backups: what is due, what is an alarm, and what it does when something fails."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from support.image_programs import loaded

wal, schedule, repository, server, report, manifest, keeper, pushes, backup = loaded(
    "backup", "wal", "schedule", "repository", "server", "report", "manifest", "keeper", "pushes", "backup"
)

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
PLAN = schedule.Plan(full_days=7, differential_days=1, incremental_hours=0, hour=2)
SEGMENT = "0000000100000000000000A3"


def archived(name: str) -> str:
    return f"17-1/{name[:16]}/{name}-{'a' * 40}.zst".rpartition("/")[2]


def made(kind: str, hours_ago: float, label: str = "x") -> Any:
    stop = NOW - timedelta(hours=hours_ago)
    return schedule.Backup(label, kind, stop - timedelta(minutes=1), stop, 100, 10, SEGMENT)


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


DRILL = {
    "time": "2026-11-30T02:00:00+00:00",
    "seconds": 60,
    "repository": "nas",
    "backup": "20261130-020000F",
    "lsn": "0/5000060",
    **{"equal": 8, "missing": 0, "damaged": 0, "unverified": 0, "named": [], "indexes": []},
}


class TestDrills:
    def test_one_is_due_after_so_many_days(self) -> None:
        plan = replace(PLAN, drill_days=7)
        days = [NOW - timedelta(days=days) for days in (6, 7, 30)]
        assert [schedule.drill_due(plan, last, NOW, NOW) for last in days] == [False, True, True]
        assert [schedule.drill_due(plan, None, since, NOW) for since in days] == [False, True, True]
        assert not schedule.drill_due(PLAN, None, days[2], NOW)

    @pytest.mark.parametrize(
        ("found", "said"),
        [
            ({}, ""),
            ({"damaged": 1, "named": ["damaged: 1.2.3"]}, "1 damaged; damaged: 1.2.3"),
            ({"indexes": ["heap table is corrupt"]}, "heap table is corrupt"),
        ],
    )
    def test_what_is_wrong_is_an_alarm(self, found: dict[str, Any], said: str) -> None:
        drilled = {**DRILL, **found}
        assert report.wrong_in(drilled) == said
        told = report.alarms(status(drill=drilled), {"max_age_hours": 26, "wal_minutes": 15}, NOW)
        assert [f"could not restore everything: {said}" in each for each in told] == ([True] if said else [])
        passed = f'orthweb_backup_drill_passed{{stack="clinic"}} {0 if said else 1}\n'
        assert passed in report.metrics(status(drill=drilled), told)

    def test_one_that_did_not_end_says_why(self) -> None:
        failed = {"time": DRILL["time"], "seconds": 3, "failed": "No room."}
        assert report.wrong_in(failed) == "No room."
        assert "  NOT PASSED: No room." in list(report.drill_lines(failed))
        assert "Last drill: 2026-11-30T02:00, 60 s" in report.page(status(drill=DRILL), [], NOW)


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

    @pytest.mark.parametrize("timeline", ["00000001", "00000002"])
    def test_one_that_was_declared_after_a_restore_has_no_history(self, timeline: str) -> None:
        segment = f"{timeline}{SEGMENT[8:]}"
        ours, _asked = self.of({f"17-1/{archived(segment)}": {"time": 1}})
        assert ours.archive().leads_on(segment)
        assert not ours.archive().leads_on(f"00000003{SEGMENT[8:]}")

    def test_the_newest_history_decides_what_is_there(self) -> None:
        asked: list[tuple[str, ...]] = []

        def run(*arguments: str, **_more: Any) -> str:
            asked.append(arguments)
            if "repo-get" in arguments:
                return "1\t0/A3000100\tbefore 2026-11-28 14:03:00+00\n"
            files = {f"17-1/{archived(SEGMENT)}": 1, "17-1/00000002.history": NOW.timestamp(), "17-1": 2}
            return json.dumps({path: {"time": time} for path, time in files.items()})

        ours = repository.Repository(1, "nas", "clinic", "/repositories/nas", run)
        found = ours.archive()
        assert asked[-1][-2:] == ("repo-get", "archive/clinic/17-1/00000002.history")
        assert not found.leads_on(SEGMENT) and found.leads_on(f"00000002{SEGMENT[8:]}")
        assert ours.archive(NOW - timedelta(seconds=1)).leads_on(SEGMENT), "It was on the first timeline then"

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
        return keeper.Keeper(keeper.Settings("clinic", (ours,), PLAN, limits, 28, data, "orthanc"), places)

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

    def test_one_that_is_of_no_use_is_not_made_again_and_again(self, places: Any) -> None:
        asked: list[str] = []

        def run(*arguments: str, **_more: Any) -> str:
            asked.append(arguments[-1])
            if "repo-get" in arguments:
                return "1\t0/1000000\tno recovery target specified\n"
            if "info" in arguments:
                return json.dumps([{**TestRepository.INFO, "backup": TestRepository.INFO["backup"][:1]}])
            return json.dumps({f"17-1/{archived(SEGMENT)}": {}, "17-1/00000002.history": {}})

        ours = self.keeper(places, run)
        ours.work(lambda _stanza: None)
        ours.work(lambda _stanza: None)
        assert asked.count("backup") == 1
        assert "not on the newest timeline" in ours.status()["repositories"]["nas"]["error"]

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
