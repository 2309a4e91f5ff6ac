# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs of the module pki that are refused or cut off, and a CA in two tiers. ``pki`` is the fixture of that name."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

from ansible_collections.cellcs.orthweb.plugins.module_utils import atomic_file
from ansible_collections.cellcs.orthweb.plugins.module_utils.pki import apply

TWO_TIERS = {
    "common_name": "Test root",
    "organization": "Test Clinic",
    "passphrase": "root sesame",
    "intermediate": {"common_name": "Test issuing CA", "passphrase": "issuing sesame"},
}


def with_intermediate(**changes):
    return {**TWO_TIERS, "intermediate": {**TWO_TIERS["intermediate"], **changes}}


def verify_chain(pki, name):
    """As a peer does that trusts the root alone, and checks a CRL for every CA on the way, as nginx does."""
    return pki.verify(name, "-crl_check_all", "-untrusted", str(pki.file(f"{name}.chain.crt")))


def refused(pki, *entries, **params):
    """The failure and the message of a run, and of a check, that left every file as it was."""
    before = pki.contents()
    checked = pki.run(*entries, check=True, fails=True, **params)
    result = pki.run(*entries, fails=True, **params)
    assert pki.contents() == before
    assert (checked["failure"], checked["msg"]) == (result["failure"], result["msg"])
    assert "sesame" not in result["msg"]
    return result["failure"], result["msg"]


class Disk:
    """``write_atomically`` on a disk that has room for ``room`` files."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.writes = 0

    def __call__(self, path: Path, data: bytes, *, mode: int, owner: tuple[int, int]) -> None:
        if self.writes == self.room:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.writes += 1
        atomic_file.write_atomically(path, data, mode=mode, owner=owner)


def run_on(disk, pki, monkeypatch, *entries, **outcome):
    with monkeypatch.context() as patched:
        patched.setattr(apply, "write_atomically", disk)
        return pki.run(*entries, **outcome)


def cut_off_at_each_write(pki, monkeypatch, *entries, **params):
    """Run ``entries`` on copies of the folder, cut off at each write in turn; yield each copy, repaired."""
    start = pki.path
    pki.path = start.with_name("counted")
    if start.exists():
        shutil.copytree(start, pki.path)
    counting = Disk(room=-1)
    run_on(counting, pki, monkeypatch, *entries, **params)
    assert counting.writes

    for room in range(counting.writes):
        pki.path = start.with_name(f"cut-off-{room}")
        if start.exists():
            shutil.copytree(start, pki.path)
        cut_off = run_on(Disk(room), pki, monkeypatch, *entries, fails=True, **params)
        assert cut_off["failure"] == "write_failed"
        assert "No space left on device" in cut_off["msg"]
        assert not list(pki.path.rglob(".tmp-*"))
        ca_key = None
        if not params.get("ca", {}).get("generation") and (room or start.exists()):
            ca_key = pki.file("ca.key").read_bytes()

        announced = pki.run(*entries, check=True, **params)
        repaired = pki.run(*entries, **params)
        assert repaired["changed"] is True
        assert announced["diff"] == repaired["diff"]
        assert pki.run(*entries, **params)["changed"] is False
        assert ca_key in (None, pki.file("ca.key").read_bytes())
        yield counting.writes
