# SPDX-License-Identifier: GPL-3.0-or-later
"""The module, with an Orthanc that is a dictionary."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.cellcs.orthweb.plugins.module_utils.orthanc_rest import RestError
from ansible_collections.cellcs.orthweb.plugins.modules import orthanc_modalities

CT, MR = {"AET": "CT1", "Port": 104}, {"AET": "MR1", "Port": 105}


class StandIn:
    def __init__(self) -> None:
        self.known: dict[str, dict[str, Any]] = {}
        self.refuses = ""
        self.entered = 0

    def __call__(self, *_login: object) -> StandIn:
        return self

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        name = path.rpartition("/")[2]
        if name == self.refuses:
            raise RestError(f"{method} {path}: HTTP 400: Bad file format")
        if method == "GET":
            return dict(self.known)
        if method == "PUT":
            self.known[name] = {**body, "Timeout": 0}
        else:
            del self.known[name]
        return None

    def enter(self, pid: int) -> None:
        self.entered = pid


@pytest.fixture
def orthanc(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> StandIn:
    one = StandIn()
    monkeypatch.setattr(orthanc_modalities, "Orthanc", one)
    monkeypatch.setattr(orthanc_modalities, "enter_network", one.enter)
    docker_says(tmp_path, "echo 4711")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return one


def docker_says(folder: Path, script: str) -> None:
    (folder / "docker").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "docker").chmod(0o755)


def run(capsys: pytest.CaptureFixture[str], modalities: dict[str, Any], **more: Any) -> dict[str, Any]:
    options = {"container": "clinic-orthanc", "username": "nginx", "password": "sesame", "modalities": modalities}
    with patch_module_args({**options, **more}), pytest.raises(SystemExit):
        orthanc_modalities.main()
    said = capsys.readouterr().out
    assert "sesame" not in said
    return json.loads(said)


def test_it_is_told_once(orthanc: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    first = run(capsys, {"ct": CT, "mr": MR})
    assert (first["changed"], first["added"], orthanc.entered) == (True, ["ct", "mr"], 4711)
    assert not run(capsys, {"ct": CT, "mr": MR})["changed"]
    then = run(capsys, {"ct": {**CT, "Port": 106}})
    assert (then["changed"], then["updated"], then["removed"]) == (True, ["ct"], ["mr"])
    assert orthanc.known == {"ct": {**CT, "Port": 106, "Timeout": 0}}


def test_check_mode_tells_nothing(orthanc: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    said = run(capsys, {"ct": CT}, _ansible_check_mode=True, _ansible_diff=True)
    assert (said["changed"], said["added"], orthanc.known) == (True, ["ct"], {})
    assert said["diff"]["after"] == {"ct": CT}


@pytest.mark.parametrize("script", ["echo 0", "echo No such object >&2; exit 1"])
def test_a_container_that_does_not_run(
    orthanc: StandIn, tmp_path: Path, capsys: pytest.CaptureFixture[str], script: str
) -> None:
    docker_says(tmp_path, script)
    said = run(capsys, {"ct": CT})
    assert said["failed"]
    assert "clinic-orthanc" in said["msg"]
    assert run(capsys, {"ct": CT}, _ansible_check_mode=True)["added"] == ["ct"]
    assert orthanc.entered == 0


def test_what_orthanc_refuses_is_said(orthanc: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    orthanc.refuses = "mr"
    assert run(capsys, {"ct": CT, "mr": MR})["msg"] == (
        "Telling clinic-orthanc its modalities failed: PUT /modalities/mr: HTTP 400: Bad file format"
    )


def test_entries_have_options_by_name(orthanc: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    said = run(capsys, {"ct": ["CT1", "192.0.2.7", 104], "mr": MR})
    assert said["msg"] == "modalities: ct must have Orthanc's options by name, such as AET."
