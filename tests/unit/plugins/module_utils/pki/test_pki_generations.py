# SPDX-License-Identifier: GPL-3.0-or-later
"""A CA with a new key keeps the old one in the bundle until its last certificate has gone."""

from __future__ import annotations

import re
import shutil

import pytest

from support.pki_runs import TWO_TIERS, Disk, cut_off_at_each_write, refused, run_on, verify_chain, with_intermediate

CA = {"common_name": "Test CA", "organization": "Test Clinic", "passphrase": "sesame"}
SECOND = {**CA, "generation": 2}


def names_in_bundle(pki):
    text = pki.openssl("storeutl", "-certs", "-noout", "-text", "ca-bundle.crt")
    return re.findall(r"Subject: .*CN ?= ?(.*)", text)


def test_old_leaves_stay_and_new_ones_come_from_the_new_ca(pki, server, client):
    pki.run(server, client, ca=CA)
    announced = pki.run(server, client, ca=SECOND, check=True)
    result = pki.run(server, client, ca=SECOND)
    assert announced["diff"] == result["diff"]
    assert (result["ca"]["action"], result["ca"]["reasons"]) == ("rekey", ["generation_differs"])
    assert result["by_name"]["pacs"]["action"] == "keep"
    assert result["by_name"]["ct-1"]["reasons"] == ["pkcs12_differs"]  # it has both CAs to trust
    assert [former["subject"] for former in result["former_cas"]] == ["CN=Test CA,O=Test Clinic"]
    assert names_in_bundle(pki) == ["Test CA G2", "Test CA"]
    assert pki.run(server, client, ca=SECOND)["changed"] is False
    assert pki.run(server, client, ca=CA)["changed"] is False  # without the number it stays as it is

    added = {"name": "mr-1", "usage": ["client"]}
    result = pki.run(server, client, added, ca=SECOND)
    assert result["by_name"]["mr-1"]["issuer"] == "CN=Test CA G2,O=Test Clinic"
    for name in ("pacs", "ct-1", "mr-1"):
        assert pki.verify(name) == "OK"


def test_revoked_by_the_ca_that_has_issued(pki, server, client):
    pki.run(server, client, ca=CA)
    pki.run(server, client, {"name": "mr-1", "usage": ["client"]}, ca=SECOND)
    revoked = [server, {**client, "state": "revoked"}, {"name": "mr-1", "state": "revoked"}]
    pki.run(*revoked, ca=SECOND)
    for name in ("ct-1", "mr-1"):
        assert "certificate revoked" in pki.verify(name)
    assert pki.verify("pacs") == "OK"
    assert pki.run(*revoked, ca=SECOND)["changed"] is False


def test_former_ca_goes_with_its_last_leaf(pki, server, client):
    pki.run(server, client, ca=CA)
    pki.run(server, client, ca=SECOND)
    pki.later(days=370)
    result = pki.run(server, client, ca=SECOND)
    assert {entry["issuer"] for entry in result["certificates"]} == {"CN=Test CA G2,O=Test Clinic"}
    assert names_in_bundle(pki) == ["Test CA G2", "Test CA"]  # the old ones are still valid
    pki.later(days=30)
    result = pki.run(server, client, ca=SECOND)
    assert (result["ca"]["reasons"], result["former_cas"]) == (["bundle_differs"], [])
    assert names_in_bundle(pki) == ["Test CA G2"]
    assert pki.file("crl.pem").read_text().count("BEGIN X509 CRL") == 1
    assert pki.verify("pacs") == "OK"
    assert pki.run(server, client, ca=SECOND)["changed"] is False


def test_former_ca_goes_when_its_last_leaf_is_revoked(pki, server):
    pki.run(server, ca=CA)
    pki.run(server, ca=SECOND)
    pki.run({**server, "state": "revoked"}, ca=SECOND)
    assert names_in_bundle(pki) == ["Test CA G2"]
    assert pki.run(server, ca=SECOND)["by_name"]["pacs"]["issuer"] == "CN=Test CA G2,O=Test Clinic"


def test_another_key_type(pki, server):
    pki.run(server, ca=CA)
    stronger = {**CA, "key_type": "ecdsa-p384"}
    failure, message = refused(pki, server, ca=stronger)
    assert failure == "ca_key_type_differs"
    assert "raise the CA's generation" in message
    pki.run(server, ca={**stronger, "generation": 2})
    assert "secp384r1" in pki.text("ca.crt")
    assert pki.verify("pacs") == "OK"


@pytest.mark.parametrize(("generation", "said"), [(1, "it is generation 2, but 1 is declared"), (4, "3 is next")])
def test_not_back_and_not_too_far(pki, server, generation, said):
    pki.run(server, ca=CA)
    pki.run(server, ca=SECOND)
    failure, message = refused(pki, server, ca={**CA, "generation": generation})
    assert failure == "ca_generation"
    assert said in message


def test_cut_off_anywhere(pki, server, client, monkeypatch):
    pki.run(server, client, ca=CA)
    former = pki.file("ca.key").read_bytes()
    public = pki.public_key("ca.key", "sesame")
    for writes in cut_off_at_each_write(pki, monkeypatch, server, client, ca=SECOND):
        assert former
        assert writes == 2 + 2 + 1 + 1 + 5
        assert pki.public_key("former/ca.1.key", "sesame") == public
        assert names_in_bundle(pki) == ["Test CA G2", "Test CA"]
        assert pki.verify("pacs") == "OK"
        assert pki.verify("ct-1") == "OK"


def test_new_intermediate_under_the_same_root(pki, server, client):
    pki.run(server, client, ca=TWO_TIERS)
    trusted = pki.file("ca-bundle.crt").read_bytes()
    second = with_intermediate(generation=2)
    result = pki.run(server, client, {"name": "mr-1", "usage": ["client"]}, ca=second)
    assert result["intermediate_ca"]["action"] == "rekey"
    assert result["by_name"]["mr-1"]["issuer"] == "CN=Test issuing CA G2,O=Test Clinic"
    assert result["by_name"]["pacs"]["action"] == "keep"
    assert pki.file("ca-bundle.crt").read_bytes() == trusted
    for name in ("pacs", "ct-1", "mr-1"):
        assert verify_chain(pki, name) == "OK"
    pki.run(server, {**client, "state": "revoked"}, {"name": "mr-1", "state": "revoked"}, ca=second)
    for name in ("ct-1", "mr-1"):
        assert "certificate revoked" in verify_chain(pki, name)
    assert verify_chain(pki, "pacs") == "OK"


def test_new_root_takes_a_new_intermediate(pki, server, client):
    pki.run(server, client, ca=TWO_TIERS)
    failure, message = refused(pki, server, client, ca={**TWO_TIERS, "generation": 2})
    assert failure == "ca_generation"
    assert "declare ca.intermediate.generation: 2" in message
    both = {**with_intermediate(generation=2), "generation": 2}
    pki.run(server, client, {"name": "mr-1", "usage": ["client"]}, ca=both)
    assert names_in_bundle(pki) == ["Test root G2", "Test root"]
    for name in ("pacs", "ct-1", "mr-1"):
        assert verify_chain(pki, name) == "OK"
    assert pki.run(server, client, {"name": "mr-1", "usage": ["client"]}, ca=both)["changed"] is False


@pytest.mark.slow
def test_two_new_keys_cut_off_anywhere(pki, server, client, monkeypatch):
    pki.run(server, client, ca=TWO_TIERS)
    both = {**with_intermediate(generation=2), "generation": 2}
    for writes in cut_off_at_each_write(pki, monkeypatch, server, client, ca=both):
        assert writes == 2 * (2 + 2) + 1 + 1 + 5
        assert names_in_bundle(pki) == ["Test root G2", "Test root"]
        for name in ("pacs", "ct-1"):
            assert verify_chain(pki, name) == "OK"
        pki.run(server, {**client, "state": "revoked"}, ca=both)
        assert "certificate revoked" in verify_chain(pki, "ct-1")
        pki.later(days=370)
        pki.run(server, ca=both)
        assert verify_chain(pki, "pacs") == "OK"
        pki.later(days=-370)


def test_new_generation_in_place_of_a_root_that_is_offline(pki, server):
    pki.run(server, ca=TWO_TIERS)
    pki.file("ca.key").unlink()
    both = {**with_intermediate(generation=2), "generation": 2}
    pki.run(server, ca=both)
    assert verify_chain(pki, "pacs") == "OK"
    pki.later(days=370)
    assert pki.run(server, ca=both)["by_name"]["pacs"]["issuer"] == "CN=Test issuing CA G2,O=Test Clinic"
    assert verify_chain(pki, "pacs") == "OK"


def test_revoked_without_a_record_stays_revoked(pki, server, client):
    """What nobody knows the CA of is on every list, and stays on every list."""
    pki.run(server, client, ca=TWO_TIERS)
    pki.file("ct-1.p12").unlink()
    for name in ("ct-1.crt", "ct-1.chain.crt"):
        pki.file(name).rename(pki.path.with_name(name))
    [record] = pki.file("issued").glob("ct-1.*.crt")
    record.write_text("damaged")
    for _again in range(3):
        result = pki.run(server, {**client, "state": "revoked"}, ca=TWO_TIERS)
    assert result["changed"] is False
    pki.path.with_name("ct-1.chain.crt").rename(pki.file("ct-1.chain.crt"))
    assert "certificate revoked" in verify_chain(pki, "ct-1")


@pytest.mark.parametrize("ca", [CA, TWO_TIERS])
def test_lost_ledger_is_written_again_and_changes_nothing_else(pki, server, client, ca):
    second = {**ca, "generation": 2}
    if "intermediate" in ca:
        second["intermediate"] = {**ca["intermediate"], "generation": 2}
    pki.run(server, client, ca=ca)
    pki.run(server, client, ca=second)
    before = pki.contents()
    shutil.rmtree(pki.file("issued"))
    result = pki.run(server, client, ca=second)
    assert {entry["reasons"][0] for entry in result["certificates"]} == {"record_missing"}
    after = pki.contents()
    for name in ("ca-bundle.crt 100644", "crl.pem 100644", "pacs.chain.crt 100644"):
        assert after[name] == before[name]
    assert pki.run(server, client, ca=second)["changed"] is False


@pytest.mark.parametrize(("made_as", "then"), [(CA, CA), (SECOND, CA), (SECOND, SECOND)])
def test_lost_certificate_is_made_again_for_the_same_generation(pki, server, made_as, then):
    pki.run(server, ca=made_as)
    subject = pki.openssl("x509", "-in", "ca.crt", "-noout", "-subject")
    pki.file("ca.crt").unlink()
    result = pki.run(server, ca=then)
    assert result["by_name"]["pacs"]["action"] == "keep"
    assert pki.openssl("x509", "-in", "ca.crt", "-noout", "-subject") == subject
    assert pki.verify("pacs") == "OK"
    assert pki.run(server, ca=then)["changed"] is False


@pytest.mark.parametrize(
    ("declared", "failure"),
    [
        ({**CA, "common_name": "Other CA"}, "ca_foreign"),
        ({**CA, "key_type": "ecdsa-p384"}, "ca_key_type_differs"),
        (SECOND, "ca_generation"),
    ],
)
def test_lost_certificate_is_not_made_for_another_ca(pki, server, declared, failure):
    pki.run(server, ca=CA)
    pki.file("ca.crt").unlink()
    assert refused(pki, server, ca=declared)[0] == failure


@pytest.mark.parametrize("room", [2, 3, 4])
def test_half_done_and_taken_back(pki, server, monkeypatch, room):
    """The new root is there, and the intermediate CA must not be put under it: the old root would be out of trust."""
    pki.run(server, ca=TWO_TIERS)
    both = {**with_intermediate(generation=2), "generation": 2}
    run_on(Disk(room), pki, monkeypatch, server, ca=both, fails=True)
    if room > 2:
        failure, message = refused(pki, server, ca=TWO_TIERS)
        assert (failure, "declare ca.intermediate.generation: 2" in message) == ("ca_generation", True)
    pki.run(server, ca=both)
    assert names_in_bundle(pki) == ["Test root G2", "Test root"]
    assert verify_chain(pki, "pacs") == "OK"


def test_lost_certificate_of_a_former_ca_is_refused(pki, server):
    pki.run(server, ca=CA)
    pki.run(server, ca=SECOND)
    pki.file("former/ca.1.crt").unlink()
    failure, message = refused(pki, server, ca=SECOND)
    assert failure == "ca_certificate_missing"
    assert "former/ca.1.crt: it is missing, although its key exists" in message


def test_key_of_a_former_ca_is_encrypted_too(pki, server):
    open_keys = {**CA, "passphrase": None}
    pki.run(server, ca=open_keys)
    pki.run(server, ca={**open_keys, "generation": 2})
    announced = pki.run(server, ca=SECOND, check=True)
    result = pki.run(server, ca=SECOND)
    assert announced["diff"] == result["diff"]
    assert result["former_cas"][0]["reasons"] == ["key_not_encrypted"]
    assert "BEGIN ENCRYPTED" in pki.file("former/ca.1.key").read_text()
    assert pki.run(server, ca=SECOND)["changed"] is False
