# SPDX-License-Identifier: GPL-3.0-or-later
"""The program that keeps the audit trail: nothing is lost, nothing is kept for too long."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from support.image_programs import loaded

sender, audit = loaded("audit", "sender", "audit")

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
TODAY = NOW.date()
SETTINGS = audit.Settings(keep_years=10, file_bytes=1000, reserve_bytes=1 << 20, collector={}, prints=False)


@pytest.fixture
def places(tmp_path: Path) -> Any:
    places = audit.Places(tmp_path / "trail", tmp_path / "spool")
    for source in audit.SOURCES:
        (places.spool / source).mkdir(parents=True)
        (places.trail / source).mkdir(parents=True)
    places.state.mkdir()
    return places


@pytest.fixture
def positions(places: Any) -> Any:
    return audit.Positions(places.state / "positions.json")


def spooled(places: Any, text: str | bytes, day: date = TODAY, source: str = "nginx") -> Path:
    path: Path = places.spool / source / f"{day}.jsonl"
    with path.open("ab") as file:
        file.write(text if isinstance(text, bytes) else text.encode())
    return path


def trail(places: Any, source: str = "nginx") -> list[dict[str, Any]]:
    files = sorted((places.trail / source).glob("*.jsonl"))
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


def aged(path: Path, days: float) -> Path:
    then = (NOW - timedelta(days=days)).timestamp()
    os.utime(path, (then, then))
    return path


class TestTaking:
    def test_each_line_comes_once(self, places: Any, positions: Any) -> None:
        spooled(places, '{"n":1}\n{"n":2}\n')
        audit.take_all(places, positions)
        spooled(places, '{"n":3}\n')
        audit.take_all(places, positions)
        audit.take_all(places, positions)
        assert [event["n"] for event in trail(places)] == [1, 2, 3]
        assert trail(places)[0]["source"] == "nginx"

    def test_half_a_line_waits_for_its_end(self, places: Any, positions: Any) -> None:
        spooled(places, '{"n":1}\n{"n"')
        audit.take_all(places, positions)
        assert len(trail(places)) == 1
        spooled(places, ":2}\n")
        audit.take_all(places, positions)
        assert [event["n"] for event in trail(places)] == [1, 2]

    def test_it_goes_on_where_it_was_after_a_restart(self, places: Any, positions: Any) -> None:
        spooled(places, '{"n":1}\n')
        audit.take_all(places, positions)
        spooled(places, '{"n":2}\n')
        audit.take_all(places, audit.Positions(positions.path))
        assert [event["n"] for event in trail(places)] == [1, 2]

    @pytest.mark.parametrize(
        "line",
        [b"no JSON", b"[1]", b"\xff\xfe", b'{"a":"\x1b[2J"}', b"[" * 5000, b'{"a":1}{"source":"orthanc"}'],
    )
    def test_whatever_was_sent_is_one_object_in_one_line(self, places: Any, positions: Any, line: bytes) -> None:
        spooled(places, line + b'\n{"n":2}\n')
        audit.take_all(places, positions)
        [odd, good] = trail(places)
        assert "unreadable" in odd and odd["source"] == "nginx"
        assert good["n"] == 2

    def test_a_source_cannot_pretend_to_be_another(self, places: Any, positions: Any) -> None:
        spooled(places, '{"source":"orthanc","received":"1999"}\n')
        audit.take_all(places, positions)
        [event] = trail(places)
        assert event["source"] == "nginx" and event["received"] > "2026"

    def test_a_line_longer_than_all_that_is_read_at_once(self, places: Any, positions: Any) -> None:
        spooled(places, '{"a":"' + "x" * (audit.CHUNK + 10) + '"}\n{"n":2}\n')
        audit.take_all(places, positions)
        assert trail(places)[-1]["n"] == 2

    def test_many_lines(self, places: Any, positions: Any) -> None:
        spooled(places, "".join(f'{{"n":{number},"pad":"{"x" * 100}"}}\n' for number in range(10000)))
        audit.take_all(places, positions)
        assert [event["n"] for event in trail(places)] == list(range(10000))

    def test_a_spool_that_was_cut_short_is_an_event(self, places: Any, positions: Any) -> None:
        path = spooled(places, '{"n":1}\n{"n":2}\n')
        audit.take_all(places, positions)
        os.truncate(path, 0)
        spooled(places, '{"n":3}\n')
        audit.take_all(places, positions)
        assert [event.get("action") or event["n"] for event in trail(places)] == [1, 2, "spool truncated", 3]

    def test_what_cannot_be_written_waits(self, places: Any, positions: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        spooled(places, '{"n":1}\n')
        audit.take_all(places, positions)
        spooled(places, '{"n":2}\n')
        with monkeypatch.context() as full:
            write = os.write
            full.setattr(os, "write", lambda handle, data: write(handle, data[:5]))
            with pytest.raises(OSError, match="No space left"):
                audit.take_all(places, positions)
        assert [event["n"] for event in trail(places)] == [1], "Nothing of it was left behind"
        audit.take_all(places, positions)
        assert [event["n"] for event in trail(places)] == [1, 2]


class TestPrinting:
    """For the engine's log driver, which copies it to CloudWatch Logs."""

    @pytest.fixture
    def output(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
        """A pipe as the standard output. Returns the end that the engine has."""
        ours, theirs = os.pipe()
        monkeypatch.setattr(audit, "OUTPUT", theirs)
        monkeypatch.setattr(audit, "ENGINE_SECONDS", 0.1)
        yield ours
        for end in (ours, theirs):
            with suppress(OSError):
                os.close(end)

    def test_what_is_in_the_trail_once(self, places: Any, positions: Any, output: int) -> None:
        path = spooled(places, '{"n":1}\n{"n":2}\n{"n"')
        audit.take_all(places, positions, audit.print_lines)
        audit.take_all(places, positions, audit.print_lines)
        os.truncate(path, 0)
        spooled(places, '{"n":3}\n')
        audit.take_all(places, positions, audit.print_lines)
        printed = [json.loads(line) for line in os.read(output, 1 << 16).splitlines()]
        assert printed == trail(places)
        assert [event.get("n") for event in printed] == [1, 2, None, 3]

    def test_nothing_that_the_disk_has_refused(
        self, places: Any, positions: Any, output: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        spooled(places, '{"n":1}\n')
        with monkeypatch.context() as full:
            write = os.write
            full.setattr(os, "write", lambda handle, data: write(handle, data[:5]))
            with pytest.raises(OSError, match="No space left"):
                audit.take_all(places, positions, audit.print_lines)
        os.set_blocking(output, False)
        with pytest.raises(BlockingIOError):
            os.read(output, 100)

    def test_an_engine_that_does_not_read_stops_nothing(self, places: Any, positions: Any, output: int) -> None:
        spooled(places, "".join(f'{{"n":{number},"pad":"{"x" * 1000}"}}\n' for number in range(1000)))
        spooled(places, '{"n":1000,"pad":"' + "x" * 70000 + '"}\n')
        audit.take_all(places, positions, audit.print_lines)
        assert len(trail(places)) == 1001
        printed = os.read(output, 1 << 20).splitlines()
        assert 10 < len(printed) < 100
        assert [json.loads(line)["n"] for line in printed] == list(range(len(printed)))

    def test_an_engine_that_is_gone_stops_nothing(self, places: Any, positions: Any, output: int) -> None:
        spooled(places, '{"n":1}\n')
        os.close(output)
        audit.take_all(places, positions, audit.print_lines)
        assert len(trail(places)) == 1

    def test_elsewhere_nothing_is_printed(self, places: Any, positions: Any, output: int) -> None:
        spooled(places, '{"n":1}\n')
        audit.take_all(places, positions)
        os.set_blocking(output, False)
        with pytest.raises(BlockingIOError):
            os.read(output, 100)


class TestReserve:
    def test_files_of_today_and_tomorrow_have_it(self, places: Any) -> None:
        audit.reserve_all(places, SETTINGS, TODAY)
        for folder in (places.spool, places.trail):
            for day in (TODAY, TODAY + timedelta(days=1)):
                status = (folder / "orthanc" / f"{day}.jsonl").stat()
                assert (status.st_size, status.st_blocks * 512 >= 1 << 20) == (0, True)

    def test_it_grows_with_the_file(self, places: Any) -> None:
        audit.reserve_all(places, SETTINGS, TODAY)
        path = spooled(places, "x" * (900 << 10))
        audit.reserve_all(places, SETTINGS, TODAY)
        assert path.stat().st_size == 900 << 10
        assert path.stat().st_blocks * 512 > 1900 << 10


class TestArchive:
    def test_a_day_that_is_over_is_compressed(self, places: Any) -> None:
        path = places.trail / "nginx" / "2026-11-27.jsonl"
        path.write_text('{"n":1}\n')
        audit.archive(places, SETTINGS, NOW)
        assert path.exists(), "It may still be written to"
        aged(path, 1)
        audit.archive(places, SETTINGS, NOW)
        assert not path.exists()
        assert gzip.decompress(path.with_name("2026-11-27.jsonl.gz").read_bytes()) == b'{"n":1}\n'

    def test_today_is_not(self, places: Any) -> None:
        path = places.trail / "nginx" / f"{TODAY}.jsonl"
        path.write_text("{}\n")
        audit.archive(places, SETTINGS, NOW)
        assert aged(path, 0.2).exists()

    def test_a_large_one_is_continued_in_another(self, places: Any, positions: Any) -> None:
        for number in range(3):
            spooled(places, json.dumps({"n": number, "pad": "x" * 1000}) + "\n")
            audit.take_all(places, positions)
            audit.split_large(places, SETTINGS, datetime.now(UTC).date())
        names = sorted(path.name.split(".", 1)[1] for path in (places.trail / "nginx").iterdir())
        assert names == ["01.jsonl", "02.jsonl", "03.jsonl"]
        assert [event["n"] for event in trail(places)] == [0, 1, 2]

    @pytest.mark.parametrize(
        ("day", "kept"),
        [("2016-11-29", True), ("2016-11-28", False), ("2026-11-28", True), ("2027-01-01", True)],
    )
    def test_how_long_it_is_kept(self, places: Any, day: str, kept: bool) -> None:
        path = places.trail / "nginx" / f"{day}.jsonl.gz"
        path.write_bytes(b"")
        audit.archive(places, SETTINGS, NOW)
        assert path.exists() is kept

    def test_on_29_february(self) -> None:
        assert audit.years_before(date(2028, 2, 29), 10) == date(2018, 2, 28)

    def test_what_the_collector_does_not_have_yet_stays_readable(self, places: Any) -> None:
        path = places.trail / "nginx" / "2026-11-27.jsonl"
        path.write_text('{"n":1}\n')
        aged(path, 1)
        settings = replace(SETTINGS, collector={"host": "siem"})
        audit.archive(places, settings, NOW)
        assert path.exists()
        assert audit.waiting(places, settings) == 8
        sent = sender.Sent(places.sent)
        sent.offsets[path.stat().st_ino] = 8
        sent.save([path])
        assert audit.waiting(places, settings) == 0
        audit.archive(places, settings, NOW)
        assert not path.exists()


class TestSending:
    def send(self, places: Any) -> list[bytes]:
        frames: list[bytes] = []
        sender.send_new(list(audit.trail_files(places)), sender.Sent(places.sent), "pacs", frames.append)
        return frames

    def test_each_line_once_with_its_length(self, places: Any, positions: Any) -> None:
        spooled(places, '{"n":1}\n{"n":2}\n')
        audit.take_all(places, positions)
        [both] = self.send(places) + self.send(places)
        length, _space, rest = both.partition(b" ")
        first, second = rest[: int(length)], rest[int(length) :]
        assert first.startswith(b"<110>1 20") and b" pacs orthweb - nginx - {" in first and first.endswith(b"}")
        assert json.loads(second[second.index(b"{") :])["n"] == 2

    def test_what_was_not_acknowledged_is_sent_again(self, places: Any, positions: Any) -> None:
        spooled(places, '{"n":1}\n')
        audit.take_all(places, positions)

        def fail(_frames: bytes) -> None:
            raise ConnectionResetError

        with pytest.raises(ConnectionResetError):
            sender.send_new(list(audit.trail_files(places)), sender.Sent(places.sent), "pacs", fail)
        assert len(self.send(places)) == 1

    def test_a_file_that_is_put_aside_is_not_sent_again(self, places: Any, positions: Any) -> None:
        spooled(places, '{"n":1}\n')
        audit.take_all(places, positions)
        assert len(self.send(places)) == 1
        [path] = [path for path in audit.trail_files(places) if path.stat().st_size]
        path.rename(path.with_name(path.name.replace(".jsonl", ".01.jsonl")))
        assert self.send(places) == []


class TestSpools:
    def test_what_was_read_goes_and_what_was_not_stays(self, places: Any, positions: Any) -> None:
        yesterday = TODAY - timedelta(days=1)
        path = spooled(places, '{"n":1}\n', yesterday)
        os.utime(path, (0, 0))
        audit.clean_spools(places, positions, TODAY)
        assert path.exists() and audit.unread(places, positions) == 8
        audit.take_all(places, positions)
        audit.clean_spools(places, positions, TODAY)
        assert not path.exists() and audit.unread(places, positions) == 0

    def test_foreign_files_are_left_alone(self, places: Any, positions: Any, tmp_path: Path) -> None:
        secret = tmp_path / "secret"
        secret.write_text('{"n":"secret"}\n')
        (places.spool / "nginx" / "2026-11-28.jsonl").symlink_to(secret)
        (places.spool / "nginx" / "notes.txt").write_text("x\n")
        audit.take_all(places, positions)
        audit.clean_spools(places, positions, TODAY)
        assert trail(places) == []


def test_a_note_is_one_event_a_line(places: Any, positions: Any) -> None:
    audit.note(places, iter(['{"action":"deployed"}\n', "\n"]))
    audit.take_all(places, positions)
    [event] = trail(places, "deployment")
    assert (event["action"], event["source"]) == ("deployed", "deployment")
    with pytest.raises(ValueError, match="Expecting value"):
        audit.note(places, iter(["no JSON"]))
