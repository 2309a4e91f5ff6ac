# SPDX-License-Identifier: GPL-3.0-or-later
"""A run that is cut off at any write is finished by the next one, and no CA key is lost."""

from __future__ import annotations

from support.pki_runs import cut_off_at_each_write


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
