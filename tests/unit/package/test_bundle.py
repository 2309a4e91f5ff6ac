# SPDX-License-Identifier: GPL-3.0-or-later
"""`make bundle`: what is printed, and where its secrets are not."""

from __future__ import annotations

import hashlib
import json
import re
import sys
from pathlib import Path

import pytest

from tools import bundle

PLAYBOOK = """#!/bin/sh
echo "$*" > {seen}/arguments
env > {seen}/environment
folder=$(echo "$*" | sed 's/.*"folder": "\\([^"]*\\)".*/\\1/')
cp "$folder/passphrase" {seen}/passphrase
stat --format=%a "$folder" > {seen}/mode
{rest}
"""
ANSWER = """echo '{"page": "https://pacs.example/bundle/", "ends": "then"}' > "$folder/answer.json" """


@pytest.fixture
def seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    return tmp_path


def playbook(seen: Path, rest: str) -> None:
    program = seen / "ansible-playbook"
    program.write_text(PLAYBOOK.format(seen=seen, rest=rest))
    program.chmod(0o755)


def test_the_link_and_the_passphrase(seen: Path) -> None:
    playbook(seen, ANSWER)
    said = bundle.offer("ct-1", "inventory/local", ["-e", "@clinic.yml"])
    [token] = re.findall(r"https://pacs\.example/bundle/#([\w-]{43})\n", said)
    secret = (seen / "passphrase").read_text()
    assert f"    {secret}\n" in said and "until then" in said
    assert (seen / "mode").read_text() == "700\n"
    arguments = (seen / "arguments").read_text()
    given = json.loads(re.findall(r"--extra-vars (\{.*\}\}) ", arguments)[0])["bundle_offer"]
    assert given["modality"] == "ct-1"
    assert given["token"] == hashlib.sha256(token.encode()).hexdigest()
    assert not Path(given["folder"]).exists(), "once it is over"
    assert arguments.endswith(" -e @clinic.yml\n")
    for secret_text in (token, secret):
        assert secret_text not in arguments + (seen / "environment").read_text()


def test_each_has_a_passphrase_of_its_own() -> None:
    made = {bundle.passphrase() for _one in range(100)}
    assert len(made) == 100
    assert all(re.fullmatch("([a-z2-9]{5}-){4}[a-z2-9]{5}", one) for one in made)
    assert len(set(bundle.CHARACTERS)) ** 25 > 2**120


def test_in_check_mode_nothing_is_printed_that_is_of_no_use(seen: Path) -> None:
    playbook(seen, "")
    assert bundle.offer("ct-1", "inventory/local", ["--check"]) == "In check mode, nothing was made.\n"


def test_a_failure_shows_no_passphrase(seen: Path, capsys: pytest.CaptureFixture[str]) -> None:
    playbook(seen, "echo There is no certificate; exit 2")
    with pytest.raises(SystemExit, match="There is no link"):
        bundle.offer("ct-1", "inventory/local", [])
    said = capsys.readouterr()
    assert "There is no certificate" in said.err
    assert (seen / "passphrase").read_text() not in said.out + said.err
