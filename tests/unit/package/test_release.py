# SPDX-License-Identifier: GPL-3.0-or-later
"""`make release`, in a clone of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from support.checkout import ROOT
from tools import release


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "ansible_collections" / "cellcs" / "orthweb"
    (folder / "changelogs" / "fragments").mkdir(parents=True)
    for name in ("galaxy.yml", "README.md", "LICENSE", "changelogs/config.yaml", "meta/runtime.yml"):
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    galaxy = folder / "galaxy.yml"
    galaxy.write_text(release.FIELD.sub("version: 1.0.0", galaxy.read_text()))
    (folder / "changelogs/fragments/1-one.yml").write_text("---\nbugfixes:\n  - nginx - it starts.\n")
    (folder / ".gitignore").write_text(".cache/\nsecret.json\n")
    (folder / "secret.json").touch()
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "A releaser")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "releaser@clinic.example")
    for command in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "--message", "Begin"]):
        subprocess.run(["git", *command], cwd=folder, check=True)
    return folder


def git(checkout: Path, *command: str) -> str:
    return subprocess.run(["git", *command], cwd=checkout, check=True, capture_output=True, text=True).stdout.strip()


def test_a_release(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert release.main(["1.1.0"], checkout) == 0
    assert git(checkout, "status", "--porcelain") == ""
    assert git(checkout, "describe") == "v1.1.0"
    assert not list((checkout / "changelogs/fragments").iterdir())
    assert "it starts" in (checkout / "CHANGELOG.md").read_text()
    tarball = checkout / ".cache/release/cellcs-orthweb-1.1.0.tar.gz"
    with tarfile.open(tarball) as packed:
        assert "secret.json" not in packed.getnames()
        assert '"version": "1.1.0"' in packed.extractfile("MANIFEST.json").read().decode()
    assert str(tarball) in capsys.readouterr().out

    assert release.main(["1.1.1"], checkout) == 1
    assert "There is no fragment" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("version", "said"),
    [
        ("1.1", "'1.1' is no semantic version"),
        ("v1.1.0", "'v1.1.0' is no semantic version"),
        ("01.1.0", "is no semantic version"),
        ("1.0.0", "1.0.0 does not come after 1.0.0"),
        ("0.9.9", "0.9.9 does not come after 1.0.0"),
    ],
)
def test_what_is_no_later_version(checkout: Path, capsys: pytest.CaptureFixture[str], version: str, said: str) -> None:
    (checkout / "new").touch()
    before = git(checkout, "rev-parse", "HEAD")
    assert release.main([version], checkout) == 1
    refused = capsys.readouterr().err
    assert said in refused and "1 files are not committed, such as new" in refused
    assert git(checkout, "rev-parse", "HEAD") == before and "version: 1.0.0" in (checkout / "galaxy.yml").read_text()


def test_a_tag_counts_although_the_version_was_taken_back(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    git(checkout, "tag", "v1.10.0")
    assert release.main(["1.9.0"], checkout) == 1
    assert "1.9.0 does not come after 1.10.0" in capsys.readouterr().err
