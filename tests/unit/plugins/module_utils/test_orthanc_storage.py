# SPDX-License-Identifier: GPL-3.0-or-later
"""With files in a folder and the real ``stat``; psql is a function that answers as PostgreSQL did."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.cellcs.orthweb.plugins.module_utils import orthanc_storage
from ansible_collections.cellcs.orthweb.plugins.module_utils.orthanc_storage import Archive, Attachment, StorageError
from ansible_collections.cellcs.orthweb.plugins.modules import orthanc_storage_verify

UIDS = ["1.2.3", "1.2.4"]
UUIDS = ["4d6a2a5c-9f0e-4a2f-8d55-0b0a1d3f6c11", "5e6a2a5c-9f0e-4a2f-8d55-0b0a1d3f6c12"]
ROWS = f"1.2.3|{UUIDS[0]}|10\n1.2.4|{UUIDS[1]}|20\n"


class Host:
    """Runs ``docker exec`` on this machine, and answers for psql; ``broken`` is what a command says instead."""

    def __init__(self, rows: str = ROWS, objects: str = "") -> None:
        self.rows, self.objects = rows, objects
        self.broken: dict[str, tuple[int, str, str]] = {}
        self.queries: list[str] = []

    def __call__(self, command: list[str]) -> tuple[int, str, str]:
        if command[0] in self.broken:
            return self.broken[command[0]]
        if command[0] == "psql":
            query = next(option for option in command if option.startswith("--command="))
            self.queries.append(query)
            return 0, self.objects if "FROM storagearea" in query else self.rows, ""
        assert command[:3] == ["docker", "exec", "orthanc"]
        done = subprocess.run(
            command[3:], capture_output=True, text=True, check=False, env={**os.environ, "LC_ALL": "C"}
        )
        return done.returncode, done.stdout, done.stderr


def archive(host: Host, storage: str = "filesystem", directory: Path = Path("/nowhere")) -> Archive:
    return Archive(host, storage, ("psql",), "orthanc", str(directory))  # type: ignore[arg-type]


def write(folder: Path, uuid: str, size: int) -> Path:
    file = folder / uuid[:2] / uuid[2:4] / uuid
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(bytes(size))
    return file


def test_the_index_says_which_attachments_there_are() -> None:
    host = Host()
    assert orthanc_storage.indexed(archive(host), UIDS) == [
        Attachment("1.2.3", UUIDS[0], 10),
        Attachment("1.2.4", UUIDS[1], 20),
    ]
    assert "IN ('1.2.3', '1.2.4')" in host.queries[0]


def test_files_are_where_orthanc_puts_them(tmp_path: Path) -> None:
    write(tmp_path, UUIDS[0], 10)
    assert orthanc_storage.kept(archive(Host(), directory=tmp_path), UUIDS) == {UUIDS[0]: 10}
    write(tmp_path, UUIDS[1], 20)
    assert orthanc_storage.kept(archive(Host(), directory=tmp_path), UUIDS) == {UUIDS[0]: 10, UUIDS[1]: 20}


def test_large_objects_are_asked_for_in_the_database() -> None:
    host = Host(objects=f"{UUIDS[0]}|10\n")
    assert orthanc_storage.kept(archive(host, "database"), UUIDS) == {UUIDS[0]: 10}


def test_nothing_is_asked_about_nothing() -> None:
    host = Host()
    host.broken = {"docker": (1, "", "must not be called"), "psql": (1, "", "must not be called")}
    assert orthanc_storage.kept(archive(host), []) == {}


@pytest.mark.parametrize(
    ("broken", "storage", "said"),
    [
        (
            {"psql": (2, "", "connection refused\n")},
            "filesystem",
            "connection refused). Check that PostgreSQL is running",
        ),
        (
            {"psql": (1, "", 'ERROR:  relation "storagearea" does not exist')},
            "database",
            "orthweb_storage: filesystem.",
        ),
        (
            {"docker": (1, "", "Error: No such container: orthanc")},
            "filesystem",
            "No such container: orthanc. Check that",
        ),
        ({"docker": (126, "", "")}, "filesystem", "status 126: no message"),
        (
            {"docker": (1, "", "stat: cannot statx '/a': No such file or directory\nstat: '/b': Permission denied")},
            "filesystem",
            "'/b': Permission denied",
        ),
    ],
)
def test_what_cannot_be_asked(broken: dict[str, tuple[int, str, str]], storage: str, said: str) -> None:
    host = Host()
    host.broken = broken
    with pytest.raises(StorageError, match=said.replace("?", r"\?").replace(")", r"\)")):
        if "psql" in broken and storage == "filesystem":
            orthanc_storage.indexed(archive(host, storage), UIDS)
        else:
            orthanc_storage.kept(archive(host, storage), UUIDS)


def test_what_is_missing_is_said() -> None:
    both = [Attachment("1.2.3", UUIDS[0], 10), Attachment("1.2.4", UUIDS[1], 20)]
    check: Callable[..., list[str]] = orthanc_storage.problems_of_kept
    assert check(UIDS, both, {UUIDS[0]: 10, UUIDS[1]: 20}, "here") == []
    assert check(UIDS, both[:1], {UUIDS[0]: 10}, "here") == ["1.2.4 has no entry in the index"]
    assert check(UIDS, both, {UUIDS[0]: 10}, "here") == [f"1.2.4: {UUIDS[1]} is not in here"]
    assert check(UIDS, both, {UUIDS[0]: 9, UUIDS[1]: 20}, "here") == [
        f"1.2.3: {UUIDS[0]} has 9 bytes in here, and the index says 10"
    ]


# The module


def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], host: Host, **options: Any) -> dict:
    monkeypatch.setattr(orthanc_storage_verify.AnsibleModule, "run_command", lambda _self, command: host(command))
    arguments = {"instances": UIDS, "psql": ["psql"], "container": "orthanc", "storage": "filesystem", **options}
    with patch_module_args(arguments), pytest.raises(SystemExit):
        orthanc_storage_verify.main()
    return json.loads(capsys.readouterr().out)


@pytest.fixture
def look(new_process, monkeypatch, capsys) -> Callable[..., dict]:
    def call(host: Host, **options: Any) -> dict:
        new_process()
        return run(monkeypatch, capsys, host, **options)

    return call


def test_all_are_kept(look, tmp_path: Path) -> None:
    for uuid, size in zip(UUIDS, (10, 20), strict=True):
        write(tmp_path, uuid, size)
    result = look(Host(), directory=f"{tmp_path}/")
    assert not result.get("failed"), result["msg"]
    assert (result["changed"], result["problems"], result["attachments"]) == (False, [], UUIDS)
    assert result["msg"].startswith("All 2 instances")


def test_a_file_that_is_cut_short(look, tmp_path: Path) -> None:
    write(tmp_path, UUIDS[0], 10)
    write(tmp_path, UUIDS[1], 19)
    result = look(Host(), directory=str(tmp_path))
    assert result["failed"]
    assert f"{UUIDS[1]} has 19 bytes in orthanc:{tmp_path}, and the index says 20" in result["msg"]
    assert result["attachments"] == UUIDS, "Whoever removes them needs to know"


def test_all_are_gone(look, tmp_path: Path) -> None:
    result = look(Host(rows=""), directory=str(tmp_path), expect="gone", attachments=UUIDS)
    assert not result.get("failed"), result["msg"]


def test_a_file_that_is_left(look, tmp_path: Path) -> None:
    write(tmp_path, UUIDS[1], 20)
    result = look(Host(rows=""), directory=str(tmp_path), expect="gone", attachments=UUIDS)
    assert result["failed"]
    assert result["problems"] == [f"{UUIDS[1]} is still in orthanc:{tmp_path} (20 bytes)"]


def test_an_entry_that_is_left(look) -> None:
    result = look(Host(objects=f"{UUIDS[0]}|10\n"), storage="database", expect="gone")
    assert result["failed"]
    assert "1.2.3 still has an entry in the index" in result["msg"]
    assert "is still in PostgreSQL's storagearea" in result["msg"]
    assert "and 0 more" not in result["msg"]


def test_what_cannot_be_looked_for_never_reaches_the_database(look) -> None:
    host = Host()
    result = look(host, instances=["1.2.3'; DROP TABLE x"], attachments=["../../etc"])
    assert result["failed"]
    assert [problem.split(":")[0] for problem in result["problems"]] == ["instances", "attachments"]
    assert host.queries == []
    assert look(host, instances=[])["problems"] == ["instances: is empty"]
