# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.cellcs.orthweb.plugins.modules import controller_folder

SECRET = "only the controller knows"


def run(capsys: pytest.CaptureFixture[str], path: Path, **more: Any) -> dict[str, Any]:
    with patch_module_args({"path": str(path), **more}), pytest.raises(SystemExit):
        controller_folder.main()
    return json.loads(capsys.readouterr().out)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "clinic"
    (folder / "pki").mkdir(parents=True, mode=0o700)
    for name, text in (("secrets.json", SECRET), ("pki/ca.key", "key"), ("outputs.json", "made again")):
        (folder / name).write_text(text)
        (folder / name).chmod(0o600)
    return folder


def test_it_comes_back_as_it_was(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    packed = run(capsys, folder)
    assert packed["files"] == ["pki/ca.key", "secrets.json"]
    assert SECRET not in json.dumps({**packed, "packed": ""})
    other = tmp_path / "other"
    checked = run(capsys, other, state="present", packed=packed["packed"], _ansible_check_mode=True)
    assert checked["changed"] and not other.exists()
    brought = run(capsys, other, state="present", packed=packed["packed"])
    assert brought["changed"] and brought["sha256"] == packed["sha256"]
    assert (other / "secrets.json").read_text() == SECRET
    assert {(other / name).stat().st_mode & 0o777 for name in packed["files"]} == {0o600}
    assert not (other / "outputs.json").exists()
    assert not run(capsys, other, state="present", packed=packed["packed"])["changed"]


def test_the_same_files_give_the_same_text(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = run(capsys, folder)["packed"]
    (folder / "secrets.json").touch()
    assert run(capsys, folder)["packed"] == first


def test_what_the_copy_has_not_is_not_lost(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    packed = run(capsys, folder)["packed"]
    (folder / "secrets.json").write_text("newer")
    refused = run(capsys, folder, state="present", packed=packed)
    assert "has files that are not in the copy, or are different there: secrets.json" in refused["msg"]
    assert (folder / "secrets.json").read_text() == "newer"


@pytest.mark.parametrize(("text", "why"), [("???", "it is not Base64"), ("b25l", "does not begin with the line")])
def test_what_is_no_copy_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, why: str) -> None:
    refused = run(capsys, tmp_path / "other", state="present", packed=text)
    assert why in refused["msg"] and "nothing was changed" in refused["msg"]


def test_a_damaged_one_is_refused(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    packed = run(capsys, folder)["packed"]
    refused = run(capsys, tmp_path / "other", state="present", packed=packed[: len(packed) // 8 * 4])
    assert "cannot be used" in refused["msg"]
    assert not (tmp_path / "other").exists()
