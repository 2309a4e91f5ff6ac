# SPDX-License-Identifier: GPL-3.0-or-later
"""The program that archives: names of WAL files, which are missing, and who may ask for what."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from support.checkout import ROOT
from support.image_programs import loaded

wal, repository, pushes = loaded("backup", "wal", "repository", "pushes")

CLIENT = ROOT / "files/images/postgresql/pgbackrest_push.pl"
SEGMENT = "0000000100000000000000A3"


def missing(names: Iterable[str], since: str, history: Any = None) -> list[str]:
    return wal.Archive(wal.segments_of(names), history or wal.History()).missing(since)


def archived(name: str) -> str:
    return f"17-1/{name[:16]}/{name}-{'a' * 40}.zst".rpartition("/")[2]


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
        assert missing([archived(last), archived(first)], last) == []

    def test_a_gap(self) -> None:
        names = [f"0000000100000000000000{number:02X}" for number in range(3, 9)]
        there = [archived(name) for name in names if not name.endswith(("05", "06"))]
        assert missing(there, names[0]) == names[2:4]
        assert missing(there, names[4]) == []

    def test_labels_and_halves_are_no_segments(self) -> None:
        names = [f"0000000100000000000000{number:02X}" for number in (3, 4, 5)]
        there = [
            archived(names[0]),
            f"{names[1]}.00000028.backup",
            f"{names[1]}.partial-{'a' * 40}",
            archived(names[2]),
        ]
        assert missing(there, names[0]) == [names[1]]


class TestTimelines:
    """After a restore to a moment there are two segments of one number, and one of them was given up."""

    HISTORY = wal.History.parsed(
        "00000003.history", "1\t0/3000110\tbefore 2026-11-28 14:03:00+00\n\n2\t0/5000000\tno recovery target given\n"
    )
    GIVEN_UP = [f"0000000100000000000000{number:02X}" for number in (1, 2, 3, 4, 5, 6, 7, 8, 9)]

    def test_where_each_was_left(self) -> None:
        assert wal.History(3, ((1, 3), (2, 5))) == self.HISTORY

    def test_what_was_given_up_fills_no_gap(self) -> None:
        kept = ["000000020000000000000003", "000000020000000000000004", "000000030000000000000005"]
        names = [*map(archived, self.GIVEN_UP), *map(archived, kept)]
        assert missing(names, self.GIVEN_UP[0], self.HISTORY) == []
        names = [name for name in names if not name.startswith(kept[1])]
        assert missing(names, self.GIVEN_UP[0], self.HISTORY) == ["000000030000000000000004"]

    @pytest.mark.parametrize(
        ("first", "leads"),
        [
            ("000000010000000000000002", True),
            ("000000010000000000000003", False),
            ("000000020000000000000003", True),
            ("000000020000000000000005", False),
            ("000000030000000000000007", True),
        ],
    )
    def test_which_backups_lead_to_the_newest_state(self, first: str, leads: bool) -> None:
        assert wal.Archive(frozenset(), self.HISTORY).leads_on(first) is leads


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
