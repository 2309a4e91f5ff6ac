# SPDX-License-Identifier: GPL-3.0-or-later
"""The program that restores: which backup, which WAL, and when the end has come."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from support.image_programs import loaded

schedule, repository, recovery, restored_server, restore, wal = loaded(
    "backup", "schedule", "repository", "recovery", "restored_server", "restore", "wal"
)

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
SEGMENT = "0000000100000000000000A3"
OTHER, LAST = "0000000100000000000000A4", "0000000100000000000000A5"


class Repository(repository.Repository):
    """One with backups that ended so many hours ago, and with files."""

    history = wal.History()

    def __init__(self, name: str, *ends: int, files: dict[str, bytes] | None = None, error: str = "") -> None:
        super().__init__(1, name, "clinic", "/x")
        self.__dict__ |= {"ends": ends, "files": files or {}, "error": error}

    def backups(self) -> list[Any]:
        if self.error:
            raise repository.FailedError(self.error)
        made = [NOW - timedelta(hours=hours) for hours in sorted(self.ends, reverse=True)]
        return [schedule.Backup(f"{stop:%H}F", "full", stop, stop, 1, 1, SEGMENT) for stop in made]

    def archive(self, _moment: datetime | None = None) -> Any:
        return wal.Archive(frozenset(), self.history)

    def ask(self, *arguments: str, **_more: Any) -> str:
        if self.error:
            raise repository.FailedError(self.error, 56)
        _pg1_path, _archive_get, name, path = arguments
        if name not in self.files:
            raise repository.FailedError("unable to find", repository.ABSENT)
        Path(path).write_bytes(self.files[name])
        return ""


class TestWhichBackup:
    def test_the_newest_of_all(self) -> None:
        found = restore.choose([Repository("nas", 30, 6), Repository("away", 30, 5)], None)
        assert (found.repository.name, found.backup.label) == ("away", "07F")

    def test_the_last_one_before_the_moment(self) -> None:
        found = restore.choose([Repository("nas", 30, 6, 1)], NOW - timedelta(hours=6))
        assert found.backup.stop == NOW - timedelta(hours=6)

    def test_not_one_that_leads_to_what_was_given_up(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(Repository, "history", wal.History(2, ((1, 0xA3),)))
        with pytest.raises(repository.FailedError, match="there is no backup"):
            restore.choose([Repository("nas", 30, 6)], None)

    def test_not_one_of_a_repository_that_got_the_newest_history_later(self) -> None:
        nas, away = Repository("nas", 6), Repository("away", 5)
        nas.__dict__["history"] = wal.History(2, ((1, 0xA4),))
        assert restore.choose([nas, away], NOW).repository.name == "nas"

    def test_one_that_does_not_answer_does_not_matter_if_another_does(self) -> None:
        found = restore.choose([Repository("nas", error="no route"), Repository("away", 30)], None)
        assert found.repository.name == "away"

    def test_why_there_is_none(self) -> None:
        there = [Repository("nas", 2, 1), Repository("away", error="away: no route"), Repository("new")]
        with pytest.raises(repository.FailedError) as told:
            restore.choose(there, NOW - timedelta(hours=3))
        said = str(told.value)
        assert "repository nas: the earliest moment is 2026-11-30T10:00:00+00:00" in said
        assert "away: no route" in said
        assert "repository new: there is no backup of clinic" in said


class TestBring:
    @pytest.fixture
    def bring(self, tmp_path: Path) -> Any:
        (tmp_path / "kept").mkdir()
        (tmp_path / "kept" / OTHER).write_bytes(b"wal")

        def bring(held: Any, name: str, kept: str = "kept") -> tuple[bool, str]:
            path = tmp_path / "RECOVERYXLOG"
            path.unlink(missing_ok=True)
            brought = recovery.bring(held, name, path, tmp_path / "asked", tmp_path / kept if kept else None)
            return brought, path.read_text() if path.exists() else ""

        return bring

    def test_a_file(self, bring: Any) -> None:
        assert bring(Repository("nas", files={SEGMENT: b"there"}), SEGMENT) == (True, "there")

    def test_what_the_damaged_server_had_not_archived(self, bring: Any) -> None:
        assert bring(Repository("nas"), OTHER) == (True, "wal")
        assert bring(Repository("nas"), OTHER, "") == (False, "")

    def test_a_repository_that_does_not_answer_is_not_the_end(self, bring: Any, tmp_path: Path) -> None:
        for _time in range(3):
            assert bring(Repository("nas", error="no\nroute"), SEGMENT) == (False, "")
        assert recovery.asked(tmp_path / "asked") == recovery.Asked(SEGMENT, "no route", 3)
        assert recovery.asked(tmp_path / "asked").failed

    def test_how_often_it_was_asked_for(self, bring: Any, tmp_path: Path) -> None:
        assert recovery.asked(tmp_path / "asked") == recovery.Asked()
        for name in (SEGMENT, LAST, "00000002.history", LAST):
            bring(Repository("nas", files={SEGMENT: b""}), name)
        assert recovery.asked(tmp_path / "asked") == recovery.Asked(LAST, "absent", 2)


def test_what_is_not_archived_is_kept_when_the_files_are_replaced(tmp_path: Path) -> None:
    data, kept = tmp_path / "17", tmp_path / "kept"
    status = data / "pg_wal" / "archive_status"
    status.mkdir(parents=True)
    names = [f"0000000100000000000000A{number}" for number in range(4)]
    for name in names:
        (data / "pg_wal" / name).write_text(name)
    (status / f"{names[0]}.done").touch()
    (status / f"{names[1]}.ready").touch()
    (status / f"{names[2]}.ready").touch()
    assert recovery.keep(data, kept) == [kept / names[1], kept / names[2]]
    for name in names:
        (data / "pg_wal" / name).unlink()
    assert {path.name: path.read_text() for path in kept.iterdir()} == {name: name for name in names[1:]}
    assert recovery.keep(data, kept) == []


@pytest.mark.parametrize(("lsn", "missing"), [("0/A3000100", True), ("0/A4000000", True), ("0/A5000000", False)])
def test_an_end_before_later_wal_is_found(lsn: str, missing: bool) -> None:
    if missing:
        with pytest.raises(repository.FailedError, match=f"{OTHER} is missing, although later WAL"):
            restored_server.complete([OTHER], lsn)
    else:
        restored_server.complete([OTHER], lsn)


def test_the_server_of_a_backup_has_what_its_wal_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = "max_connections setting:    60\nmax_locks_per_xact setting:   64\nwal_level setting:    replica\n"
    done = subprocess.CompletedProcess([], 0, said)
    monkeypatch.setattr(restored_server.subprocess, "run", lambda *_arguments, **_options: done)
    settings = restored_server.Server(tmp_path, tmp_path, archives=False).settings()
    assert (settings["max_connections"], settings["max_locks_per_transaction"]) == ("60", "64")
    assert (settings["archive_mode"], settings["listen_addresses"]) == ("off", "")
    assert restored_server.Server(tmp_path, tmp_path, archives=True).settings()["archive_mode"] == "on"
