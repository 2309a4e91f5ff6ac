# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.cellcs.orthweb.plugins.modules import config_folder

USER = 54321
FILES = [{"name": "nginx.conf", "content": "events {}\n"}, {"name": "server.pem", "secret_content": "the key\n"}]


def run(capsys: pytest.CaptureFixture[str], path: Path, files: list[dict[str, str]] | None = None, **more: Any) -> dict:
    wanted = {"path": str(path), "owner": USER, "group": USER, "files": FILES if files is None else files, **more}
    arguments = {name: value for name, value in wanted.items() if value is not None}
    with patch_module_args(arguments), pytest.raises(SystemExit):
        config_folder.main()
    return json.loads(capsys.readouterr().out)


def test_files_are_for_their_owner_only(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "clinic" / "nginx"
    assert run(capsys, folder)["written"] == ["nginx.conf", "server.pem"]
    modes = {path.name: (path.stat().st_mode & 0o777, path.stat().st_uid) for path in folder.iterdir()}
    assert modes == {"nginx.conf": (0o440, USER), "server.pem": (0o400, USER)}
    assert (folder.stat().st_mode & 0o777, folder.stat().st_uid, folder.stat().st_gid) == (0o750, 0, USER)
    assert (folder / "server.pem").read_text() == "the key\n"


def test_the_second_run_changes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, tmp_path / "nginx")
    again = run(capsys, tmp_path / "nginx")
    assert (again["changed"], again["written"]) == (False, [])


@pytest.mark.parametrize("spoil", ["content", "mode", "owner", "gone", "folder"])
def test_what_somebody_changed_is_mended(tmp_path: Path, capsys: pytest.CaptureFixture[str], spoil: str) -> None:
    import os

    folder = tmp_path / "nginx"
    run(capsys, folder)
    key = folder / "server.pem"
    match spoil:
        case "content":
            key.write_text("another")
        case "mode":
            key.chmod(0o644)
        case "owner":
            os.chown(key, 0, 0)
        case "gone":
            key.unlink()
        case "folder":
            folder.chmod(0o777)
    fixed = run(capsys, folder)
    assert fixed["changed"]
    assert fixed["written"] == ([] if spoil == "folder" else ["server.pem"])
    assert not run(capsys, folder)["changed"]


def test_check_mode_says_it_and_does_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    announced = run(capsys, tmp_path / "nginx", _ansible_check_mode=True)
    assert (announced["changed"], announced["written"]) == (True, ["nginx.conf", "server.pem"])
    assert not (tmp_path / "nginx").exists()


def test_a_secret_is_not_in_the_answer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = run(capsys, tmp_path / "nginx", _ansible_diff=True)
    assert "events {}" in json.dumps(result["diff"])
    assert "the key" not in json.dumps(result)


def test_a_name_with_a_folder_is_refused_before_anything_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = run(capsys, tmp_path / "nginx", [*FILES, {"name": "../escaped", "content": "x"}])
    assert result["failed"]
    assert "must be a file name without a folder" in result["msg"]
    assert not (tmp_path / "nginx").exists()


def test_without_an_owner_it_is_for_this_user_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "clinic"
    run(capsys, folder, owner=None, group=None)
    modes = {path.name: path.stat().st_mode & 0o777 for path in [folder, *folder.iterdir()]}
    assert modes == {"clinic": 0o700, "nginx.conf": 0o600, "server.pem": 0o600}
    assert not run(capsys, folder, owner=None, group=None)["changed"]


def test_an_owner_without_a_group_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, tmp_path / "clinic", group=None)["failed"]
    assert not (tmp_path / "clinic").exists()
