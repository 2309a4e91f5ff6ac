# SPDX-License-Identifier: GPL-3.0-or-later
"""What answers admins' questions to the audit trail: the latest events, in so much time and memory."""

from __future__ import annotations

import http.client
import json
import multiprocessing
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from support.image_programs import loaded

trail, formats, answers = loaded("audit", "trail", "formats", "answers")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "trail" / "nginx").mkdir(parents=True)
    lines = [
        {"time": f"2026-11-29T12:00:0{number}+00:00", "action": "accessed", "account": "rita", "study": f"1.{number}"}
        for number in range(5)
    ]
    path = tmp_path / "trail" / "nginx" / "2026-11-29.jsonl"
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return path.parents[1]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b"{",
        b"[" * 9000,
        b'{"study": "1.2*"}',
        b'{"study": 5}',
        b'{"since": "yesterday"}',
        b'{"until": "2026-11-29T25:00:00Z"}',
        b'{"account": "a\\nb"}',
        b'{"format": "xml"}',
        b'{"folder": "/etc"}',
        b"\xff",
    ],
)
def test_what_is_no_question(body: bytes) -> None:
    assert answers.question(body) is None


def test_what_is_one() -> None:
    asked = {"study": "1.2", "account": "Zoë", "since": "2026-11-01", "until": "2026-11-29T12:00:00", "format": "csv"}
    assert answers.question(json.dumps(asked).encode()) == asked
    assert answers.question(b"{}") == {"format": "rows"}


@pytest.mark.parametrize(
    ("most", "found", "more"), [(2, ["1.3", "1.4"], True), (5, [f"1.{n}" for n in range(5)], False)]
)
def test_the_latest_and_whether_there_are_more(
    folder: Path, monkeypatch: pytest.MonkeyPatch, most: int, found: list[str], more: bool
) -> None:
    monkeypatch.setattr(answers, "MOST", {"rows": most, "csv": most})
    rows = answers.answer(folder, {"format": "rows"})
    assert ([row["study"] for row in rows["events"]], rows["more"]) == (found, more)
    assert list(rows["events"][0]) == list(formats.COLUMNS)
    table = answers.answer(folder, {"format": "csv"})
    assert (len(table["csv"].splitlines()), table["more"]) == (1 + len(found), more)


class Socket(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("trail", timeout=30)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(str(self.path))


def listens(path: Path) -> bool:
    connection = Socket(path)
    try:
        connection.connect()
    except OSError:
        return False
    connection.close()
    return True


Ask = Callable[..., tuple[int, Any]]


@pytest.fixture
def ask(folder: Path, tmp_path: Path) -> Iterator[Callable[[], Ask]]:
    """Start it, and ask it."""
    path, running = tmp_path / "s", []

    def begin() -> Ask:
        running.append(multiprocessing.get_context("fork").Process(target=answers.run, args=(folder, path)))
        running[0].start()
        end = time.monotonic() + 10
        while not listens(path):
            assert time.monotonic() < end
            time.sleep(0.01)

        def question(**asked: str) -> tuple[int, Any]:
            connection = Socket(path)
            connection.request("POST", "/", json.dumps(asked))
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())

        return question

    yield begin
    running[0].terminate()
    running[0].join()


def address_space() -> int:
    return int(Path("/proc/self/statm").read_text().split()[0]) * 4096


def test_it_answers_one_after_the_other(ask: Callable[[], Ask], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "MEMORY_BYTES", address_space() + (64 << 20))
    question = ask()
    for number in range(3):
        status, answer = question(study=f"1.{number}")
        assert (status, [event["who"] for event in answer["events"]]) == (200, ["rita"])
    assert question(study="x")[0] == 400
    assert question(account="x" * answers.MOST_BYTES)[0] == 400


def too_long(*_given: object) -> list[Any]:
    end = time.monotonic() + 15
    while time.monotonic() < end:
        pass
    return []


def too_large(*_given: object) -> list[Any]:
    _kept = [bytes(1 << 20) for _megabyte in range(500)]
    return []


def gone(*_given: object) -> None:
    raise FileNotFoundError


@pytest.mark.parametrize(("happens", "seconds", "status"), [(too_long, 1, 422), (too_large, 10, 422), (gone, 10, 503)])
def test_a_question_ends(
    ask: Callable[[], Ask], monkeypatch: pytest.MonkeyPatch, happens: Callable[..., Any], seconds: int, status: int
) -> None:
    monkeypatch.setattr(answers, "MEMORY_BYTES", address_space() + (64 << 20))
    monkeypatch.setattr(answers, "SECONDS", seconds)
    monkeypatch.setattr(answers, "read", happens)
    question = ask()
    began = time.monotonic()
    said, answer = question()
    assert said == status and answer["error"]
    assert time.monotonic() - began < 10
    assert question(study="x")[0] == 400, "It goes on"
