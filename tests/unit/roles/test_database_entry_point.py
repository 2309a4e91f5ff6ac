# SPDX-License-Identifier: GPL-3.0-or-later
"""The entry point of PostgreSQL's image makes a database cluster whole or not at all, and overwrites nothing."""

from __future__ import annotations

import os
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from support.checkout import ROOT
from support.process import run

SCRIPT = ROOT / "files" / "images" / "postgresql" / "entrypoint.sh"
FOLDER = "/var/lib/postgresql/data"
# As far as the script knows them: initdb makes what --pgdata says, and postgres says where it was started.
FAKES = {
    "initdb": 'mkdir "${1#--pgdata=}" && echo 17 >"${1#--pgdata=}/PG_VERSION"',
    "postgres": 'echo "started on $2"',
    "sync": "true",
}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Where the cluster belongs."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, does in FAKES.items():
        (programs / name).write_text(f"#!/bin/sh\n{does}\n")
        (programs / name).chmod(0o755)
    (tmp_path / "data").mkdir()
    return tmp_path / "data" / "17"


def entered(data: Path) -> CompletedProcess[str]:
    text = SCRIPT.read_text()
    assert f"data={FOLDER}/17\n" in text
    script = data.parent.parent / "entrypoint.sh"
    script.write_text(text.replace(FOLDER, str(data.parent)))
    programs = data.parent.parent / "bin"
    return run("bash", script, environment={**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"})


def is_started(done: CompletedProcess[str], data: Path) -> bool:
    return done.returncode == 0 and done.stdout == f"started on {data}\n"


def test_the_first_start_makes_a_cluster(data: Path) -> None:
    assert is_started(entered(data), data)
    assert [each.name for each in data.iterdir()] == ["PG_VERSION"]
    assert not (data.parent / "17.partial").exists()


def test_the_next_start_leaves_it_as_it_is(data: Path) -> None:
    data.mkdir()
    (data / "PG_VERSION").write_text("17\n")
    (data / "base").write_text("rows")
    assert is_started(entered(data), data)
    assert (data / "base").read_text() == "rows"


def test_what_an_interrupted_start_has_left_is_made_again(data: Path) -> None:
    (data.parent / "17.partial").mkdir()
    (data.parent / "17.partial" / "half").touch()
    assert is_started(entered(data), data)
    assert not (data / "half").exists()


def test_an_empty_folder_becomes_the_cluster(data: Path) -> None:
    """Not a folder with the cluster in it."""
    data.mkdir()
    assert is_started(entered(data), data)
    assert [each.name for each in data.iterdir()] == ["PG_VERSION"]


@pytest.mark.parametrize("version", [None, ""], ids=["none", "empty"])
def test_what_is_no_cluster_is_not_overwritten(data: Path, version: str | None) -> None:
    data.mkdir()
    (data / "base").write_text("rows")
    if version is not None:
        (data / "PG_VERSION").write_text(version)
    before = sorted(each.name for each in data.iterdir())

    done = entered(data)
    assert done.returncode == 1
    assert done.stdout == "", "the server was started"
    assert f"{data} has no PG_VERSION" in done.stderr
    assert "base" in done.stderr
    assert "Nothing was changed" in done.stderr
    assert "run it again" in done.stderr
    assert sorted(each.name for each in data.iterdir()) == before
    assert [each.name for each in data.parent.iterdir()] == ["17"]


def test_a_file_in_its_place_is_not_overwritten(data: Path) -> None:
    data.write_text("something")
    assert entered(data).returncode == 1
    assert data.read_text() == "something"
