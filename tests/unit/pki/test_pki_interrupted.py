# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run that is cut off at any write is finished by the next one, and no CA key is lost."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

from ansible_collections.cellcs.orthweb.plugins.module_utils import atomic_file
from ansible_collections.cellcs.orthweb.plugins.module_utils.pki import apply


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


def test_first_run(pki, server, client, monkeypatch):
    for writes in cut_off_at_each_write(pki, monkeypatch, server, client):
        assert writes == 4 + 4 + 5
        for name in ("pacs", "ct-1"):
            assert pki.verify(name) == "OK"
            assert pki.public_key(f"{name}.key") == pki.openssl("x509", "-in", f"{name}.crt", "-noout", "-pubkey")
        assert pki.openssl("pkcs12", "-in", "ct-1.p12", "-passin", "pass:handed over", "-noout") == ""


def test_renewal_rekeying_and_revocation_together(pki, server, client, monkeypatch):
    revoked = {"name": "mr-1", "usage": ["client"]}
    pki.run(server, client, revoked)
    pki.later(days=370)
    entries = server, {**client, "key_type": "ecdsa-p384"}, {**revoked, "valid_days": 396}
    pki.run(*entries[2:])  # the renewed certificate's predecessor is still accepted
    pki.later(days=5)
    entries = *entries[:2], {**revoked, "state": "revoked"}
    for writes in cut_off_at_each_write(pki, monkeypatch, *entries):
        assert writes == 2 + 1 + 4 + 5
        assert pki.verify("pacs") == "OK"
        assert pki.verify("ct-1") == "OK"
        assert "certificate revoked" in pki.verify("mr-1")


def test_killed_write_leaves_a_file_that_the_next_run_removes(pki, server):
    pki.run(server)
    leftovers = [pki.file(".tmp-0123456789abcdef~"), pki.file("issued/.tmp-0123456789abcdef~")]
    for leftover in leftovers:
        leftover.write_text("half a key")
    assert pki.run(server)["changed"] is False
    assert not any(leftover.exists() for leftover in leftovers)
