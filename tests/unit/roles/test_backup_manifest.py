# SPDX-License-Identifier: GPL-3.0-or-later
"""The list of instances beside each backup."""

from __future__ import annotations

import gzip
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from support.image_programs import loaded

repository, encrypted, manifest = loaded("backup", "repository", "encrypted", "manifest")

CONFIGURATION = "[global]\nrepo1-cipher-pass=first secret\nrepo11-cipher-pass=eleventh\nrepo2-cipher-pass=second\n"
LINES = ['{"backup": "20261130-082249F"}', '{"sop":"1.2.3","md5":"0cc1","size":5}']


class InMemory:
    """A repository, as pgBackRest answers for it."""

    def __init__(self, labels: list[str], *names: str) -> None:
        self.labels, self.files = labels, dict.fromkeys(names, b"")

    def __call__(self, *arguments: str, given: Any = None, **_more: Any) -> str:
        match arguments[2:]:
            case ["repo-put", path]:
                self.files[path.rpartition("/")[2]] = given.read()
            case ["repo-ls", "manifest/clinic"]:
                return "\n".join(self.files)
            case ["repo-rm", path]:
                del self.files[path.removeprefix("manifest/clinic/")]
            case ["--output=json", "info"]:
                return json.dumps([{"backup": [backup(label) for label in self.labels]}])
        return ""


def backup(label: str) -> dict[str, Any]:
    return {
        "label": label,
        "type": "full",
        "error": False,
        "timestamp": {"start": 1, "stop": 2},
        "info": {"size": 5, "repository": {"delta": 2}},
        "archive": {"start": "0" * 24},
    }


def test_those_of_backups_that_are_gone_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manifest, "lines", lambda _database, _label: iter(LINES))
    there = InMemory(["20261130-082249F"], "20261101-000000F.jsonl.gz", "notes.txt")
    ours = repository.Repository(1, "nas", "clinic", "/repositories/nas", there)
    manifest.write(ours, "orthanc", "20261130-082249F", tmp_path)
    assert sorted(there.files) == ["20261130-082249F.jsonl.gz", "notes.txt"]
    assert gzip.decompress(there.files["20261130-082249F.jsonl.gz"]).decode().splitlines() == LINES
    assert list(tmp_path.iterdir()) == []


def test_an_index_that_does_not_answer_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def canceled(_line: int) -> str:
        raise RuntimeError("canceling statement")

    monkeypatch.setattr(manifest, "lines", lambda _database, _label: map(canceled, [1]))
    ours = repository.Repository(1, "nas", "clinic", "/repositories/nas", InMemory([]))
    with pytest.raises(repository.FailedError, match="beside label was not made: canceling statement"):
        manifest.write(ours, "orthanc", "label", tmp_path)


def test_each_repository_has_its_passphrase() -> None:
    found = [encrypted.passphrase(CONFIGURATION, number) for number in (1, 2, 11)]
    assert found == ["first secret", "second", "eleventh"]
    with pytest.raises(repository.FailedError, match="no passphrase for repository 3"):
        encrypted.passphrase(CONFIGURATION, 3)


@pytest.mark.skipif(not shutil.which("openssl"), reason="needs openssl")
@pytest.mark.parametrize("number", [1, 2])
def test_one_is_read_again_with_its_passphrase(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    with (tmp_path / "list").open("w+b") as file:
        manifest.packed(LINES, file)
        plain = file.read()
    # As pgBackRest encrypts.
    encrypt = ["openssl", "enc", "-aes-256-cbc", "-md", "sha1", "-pass", "pass:first secret"]
    sealed = subprocess.run(encrypt, input=plain, capture_output=True, check=True).stdout
    monkeypatch.setattr(repository.Repository, "ask_bytes", lambda _self, *_arguments: sealed)
    monkeypatch.setattr(encrypted, "CONFIGURATION", tmp_path / "pgbackrest.conf")
    (tmp_path / "pgbackrest.conf").write_text(CONFIGURATION)
    ours = repository.Repository(number, "nas", "clinic", "/repositories/nas")
    if number == 1:
        assert list(manifest.read(ours, "label")) == [json.loads(line) for line in LINES]
    else:
        with pytest.raises(repository.FailedError, match="could not be decrypted"):
            list(manifest.read(ours, "label"))
