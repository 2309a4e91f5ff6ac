# SPDX-License-Identifier: GPL-3.0-or-later
"""With files in a folder and the real find, md5sum and stat; psql is a function that answers as PostgreSQL does.

tests/integration/test_reconcile.py has a real database.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable
from hashlib import md5
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.cellcs.orthweb.plugins.module_utils.reconcile import areas, run
from ansible_collections.cellcs.orthweb.plugins.module_utils.reconcile.compare import Held
from ansible_collections.cellcs.orthweb.plugins.modules import orthanc_storage_reconcile

UUIDS = [f"{digit * 8}-0000-4000-8000-000000000000" for digit in "abcdef"]
CONTENT = b"0123456789"
TWO_DAYS_AGO = time.time() - 2 * 24 * 60 * 60


class Host:
    """Runs ``docker exec`` on this machine, and answers for psql with the index that it has."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.index = folder, dict[str, str]()
        self.before_the_index: Callable[[], None] = lambda: None

    def __call__(self, command: list[str]) -> tuple[int, str, str]:
        if command[0] == "psql":
            query = command[-1].removeprefix("--command=")
            if "'wanted'" in query:
                self.before_the_index()
                hashed = md5(CONTENT, usedforsecurity=False).hexdigest()
                rows = [f"wanted|{uuid}|{hashed}|{len(CONTENT)}|1|{uid}" for uuid, uid in self.index.items()]
                return 0, "\n".join(rows), ""
            assert query.startswith("SELECT uuid FROM attachedfiles WHERE uuid IN (")
            return 0, "\n".join(uuid for uuid in self.index if f"'{uuid}'" in query), ""
        assert command[:3] == ["docker", "exec", "orthanc"]
        environment = {**os.environ, "LC_ALL": "C"}
        done = subprocess.run(command[3:], capture_output=True, text=True, check=False, env=environment)
        return done.returncode, done.stdout, done.stderr

    def file(self, uuid: str, content: bytes = CONTENT, since: float | None = None, place: str = "") -> Path:
        file = self.folder / (place or f"{uuid[:2]}/{uuid[2:4]}") / uuid
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        if since:
            os.utime(file, (since, since))
        return file


@pytest.fixture
def host(tmp_path: Path) -> Host:
    (tmp_path / "storage").mkdir()
    host = Host(tmp_path / "storage")
    host.file(UUIDS[0])
    host.index[UUIDS[0]] = "1.2.3"
    return host


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    slept: list[float] = []
    monkeypatch.setattr(run.time, "sleep", slept.append)
    return slept


@pytest.fixture
def call(host: Host, pauses: list[float], new_process, monkeypatch, capsys, tmp_path: Path) -> Callable[..., dict]:
    module = orthanc_storage_reconcile

    def play(**options: Any) -> dict:
        new_process()
        monkeypatch.setattr(module.AnsibleModule, "run_command", lambda _self, command: host(command))
        given = {"psql": ["psql"], "container": "orthanc", "storage": "filesystem", "directory": str(host.folder)}
        given["journal"] = str(tmp_path / "state" / "orphans.json")
        with patch_module_args({**given, **options}), pytest.raises(SystemExit):
            module.main()
        result: dict = json.loads(capsys.readouterr().out)
        return result

    return play


def states(result: dict) -> list[tuple[str, str, str]]:
    return sorted((each["state"], each["attachment"], each["sop_instance_uid"]) for each in result["differences"])


def test_equal(call: Callable[..., dict], host: Host, pauses: list[float]) -> None:
    result = call()
    assert (result["changed"], result["differences"], result["removable"]) == (False, [], [])
    assert result["msg"].startswith(f"1 attachments are equal in the index and in orthanc:{host.folder}; 0 unverified")
    assert pauses == [], "There is nothing to wait for"


def test_each_kind(call: Callable[..., dict], host: Host) -> None:
    missing, damaged, short, misplaced, orphaned = UUIDS[1:]
    host.index |= {missing: "1.2.4", damaged: "1.2.5", short: "1.2.6", misplaced: "1.2.7"}
    host.file(damaged, b"0123456780")
    host.file(short, CONTENT[:-1])
    host.file(misplaced, place="zz")
    host.file(orphaned)
    result = call()
    assert states(result) == [
        ("damaged", damaged, "1.2.5"),
        ("damaged", short, "1.2.6"),
        ("misplaced", misplaced, "1.2.7"),
        ("missing", missing, "1.2.4"),
        ("orphaned", orphaned, ""),
    ]
    assert result["counts"] == {
        "equal": 1,
        "unverified": 0,
        "missing": 1,
        "orphaned": 1,
        "damaged": 2,
        "misplaced": 1,
    }
    assert result["removable"] == [], "It is younger than a day"


def test_what_was_stored_meanwhile_is_no_difference(call: Callable[..., dict], host: Host, pauses: list[float]) -> None:
    """After the files were listed: the index names it, the list does not."""

    def store() -> None:
        host.file(UUIDS[1])
        host.index[UUIDS[1]] = "1.2.4"

    host.before_the_index = store
    result = call()
    assert states(result) == []
    assert (result["counts"]["equal"], result["counts"]["unverified"]) == (1, 1)
    assert len(pauses) == 1


def test_what_is_being_stored_is_no_difference(
    call: Callable[..., dict], host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its file is there, and its entry comes a moment later."""
    host.file(UUIDS[1], since=TWO_DAYS_AGO)
    monkeypatch.setattr(run.time, "sleep", lambda _seconds: host.index.update({UUIDS[1]: "1.2.4"}))
    result = call()
    assert states(result) == []
    assert result["removable"] == []


@pytest.mark.parametrize("when", ["after the files", "after the index"])
def test_what_was_removed_meanwhile_is_no_difference(
    call: Callable[..., dict], host: Host, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    file = host.file(UUIDS[1])

    def forget(_seconds: float = 0) -> None:
        host.index.pop(UUIDS[1], None)
        file.unlink(missing_ok=True)

    if when == "after the files":
        host.before_the_index = forget
    else:
        host.index[UUIDS[1]] = "1.2.4"
        file.unlink()
        monkeypatch.setattr(run.time, "sleep", forget)
    assert states(call()) == []


class TestRemoval:
    def test_old_orphans_are_removed_by_name(self, call: Callable[..., dict], host: Host) -> None:
        file, young = host.file(UUIDS[1], since=TWO_DAYS_AGO), host.file(UUIDS[2])
        found = call()
        assert found["removable"] == [UUIDS[1]]
        assert file.exists(), "To compare changes nothing"
        result = call(remove=found["removable"])
        assert (result["changed"], result["removed"]) == (True, [UUIDS[1]])
        assert not file.exists() and young.exists()
        assert call(remove=found["removable"])["failed"], "It is forgotten"
        assert states(call()) == [("orphaned", UUIDS[2], "")]

    def test_check_mode(self, call: Callable[..., dict], host: Host) -> None:
        file = host.file(UUIDS[1], since=TWO_DAYS_AGO)
        found = call(_ansible_check_mode=True)
        assert found["removable"] == [UUIDS[1]]
        call()
        result = call(remove=[UUIDS[1]], _ansible_check_mode=True)
        assert (result["changed"], result["removed"]) == (True, [UUIDS[1]])
        assert file.exists()

    def test_check_mode_writes_nothing(self, call: Callable[..., dict], host: Host, tmp_path: Path) -> None:
        host.file(UUIDS[1], since=TWO_DAYS_AGO)
        call(_ansible_check_mode=True)
        assert not (tmp_path / "state").exists()

    def test_what_nobody_has_found_to_be_old_is_refused(self, call: Callable[..., dict], host: Host) -> None:
        old, young = host.file(UUIDS[1], since=TWO_DAYS_AGO), host.file(UUIDS[2])
        call()
        for wrong in (UUIDS[2], UUIDS[0], "'; DROP TABLE resources; --"):
            result = call(remove=[UUIDS[1], wrong])
            assert result["failed"]
            assert "Nothing was removed" in result["msg"] and wrong in result["msg"]
        assert old.exists() and young.exists()

    def test_what_the_index_names_by_now_stays(self, call: Callable[..., dict], host: Host) -> None:
        file = host.file(UUIDS[1], since=TWO_DAYS_AGO)
        call()
        host.index[UUIDS[1]] = "1.2.4"
        assert call(remove=[UUIDS[1]])["removed"] == []
        assert file.exists()

    def test_what_is_newer_than_its_record_stays(self, call: Callable[..., dict], host: Host) -> None:
        host.file(UUIDS[1], since=TWO_DAYS_AGO)
        call()
        file = host.file(UUIDS[1])
        assert call(remove=[UUIDS[1]])["removed"] == []
        assert file.exists()

    @pytest.mark.parametrize("name", ["notes.txt", "o'clock"])
    def test_what_is_not_orthancs_is_named_and_stays(self, call: Callable[..., dict], host: Host, name: str) -> None:
        stranger = host.file(name, since=TWO_DAYS_AGO, place=".")
        elsewhere = host.file(UUIDS[1], since=TWO_DAYS_AGO, place="zz")
        result = call()
        assert states(result) == [("orphaned", UUIDS[1], ""), ("orphaned", name, "")]
        assert [each["reason"].endswith("(zz)") for each in result["differences"]].count(True) == 1
        assert result["removable"] == []
        assert call(remove=[UUIDS[1]])["failed"]
        assert stranger.exists() and elsewhere.exists()


def test_a_journal_that_cannot_be_read(call: Callable[..., dict], tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "orphans.json").write_text("[]")
    result = call()
    assert result["failed"]
    assert "orphans.json cannot be read" in result["msg"] and "kept for another day" in result["msg"]


def test_a_container_that_does_not_run(call: Callable[..., dict], monkeypatch: pytest.MonkeyPatch, host: Host) -> None:
    monkeypatch.setattr(Host, "__call__", lambda *_: (1, "", "Error: No such container: orthanc"))
    result = call()
    assert result["failed"]
    assert "No such container: orthanc. Check that the container is running" in result["msg"]


def test_a_file_that_was_removed_before_it_was_read() -> None:
    lines = [f"file|1.5|10|aa/aa/{UUIDS[0]}", f"file|1.5|10|bb/bb/{UUIDS[1]}", f"md5  ./aa/aa/{UUIDS[0]}"]
    assert list(areas._held_files(lines)) == [Held(UUIDS[0], "md5", 10, "aa/aa", 1.5)]


def test_names_are_handed_over_in_parts() -> None:
    names = [str(number) for number in range(2500)]
    parts = list(areas._batches(names))
    assert [len(part) for part in parts] == [1000, 1000, 500]
    assert [name for part in parts for name in part] == names
