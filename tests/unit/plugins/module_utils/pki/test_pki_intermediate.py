# SPDX-License-Identifier: GPL-3.0-or-later
"""An intermediate CA issues, so that the root's key can be kept elsewhere."""

from __future__ import annotations

import shutil
from datetime import datetime

import pytest

from support.pki_runs import TWO_TIERS as CA
from support.pki_runs import cut_off_at_each_write, refused, verify_chain, with_intermediate


def test_issues_below_the_root(pki, server, client):
    result = pki.run(server, client, ca=CA)
    assert (result["ca"]["action"], result["intermediate_ca"]["action"]) == ("issue", "issue")
    for name in ("pacs", "ct-1"):
        assert "unable to get local issuer" in pki.verify(name)
        assert verify_chain(pki, name) == "OK"
    assert result["by_name"]["pacs"]["issuer"] == "CN=Test issuing CA,O=Test Clinic"
    assert "CA:TRUE, pathlen:1" in pki.text("ca.crt")
    assert "CA:TRUE, pathlen:0" in pki.text("ca-intermediate.crt")
    assert pki.file("ca-bundle.crt").read_bytes() == pki.file("ca.crt").read_bytes()
    assert pki.file("crl.pem").read_text().count("BEGIN X509 CRL") == 2
    assert "Test issuing CA" in pki.openssl("crl", "-in", "crl.pem", "-noout", "-issuer")
    bundle = pki.openssl("pkcs12", "-in", "ct-1.p12", "-passin", "pass:handed over", "-cacerts", "-nokeys")
    assert "CN = Test root" in bundle and "CN = Test issuing CA" in bundle
    assert pki.run(server, client, ca=CA)["changed"] is False


def test_two_passphrases(pki, server):
    pki.run(server, ca=CA)
    for key, passphrase in (("ca.key", "root sesame"), ("ca-intermediate.key", "issuing sesame")):
        assert "BEGIN ENCRYPTED" in pki.file(key).read_text()
        assert pki.public_key(key, passphrase)
    failure, message = refused(pki, server, ca=with_intermediate(passphrase="wrong one"))
    assert failure == "ca_key_passphrase"
    assert "ca-intermediate.key: the given passphrase does not decrypt it (ca.intermediate.passphrase)" in message


def take_offline(pki):
    key = pki.file("ca.key").read_bytes()
    pki.file("ca.key").unlink()
    return key


def test_everyday_work_without_the_root_key(pki, server, client):
    pki.run(server, client, ca=CA)
    take_offline(pki)
    offline = {**CA, "passphrase": None}
    unchanged = pki.run(server, client, ca=offline)
    assert (unchanged["changed"], unchanged["ca"]["offline"]) == (False, True)

    revoked = pki.run(server, {**client, "state": "revoked"}, ca=offline)
    assert revoked["crl"]["reasons"] == ["revocations_differ"]
    assert "certificate revoked" in verify_chain(pki, "ct-1")
    for days in (200, 370, 200, 370):
        pki.later(days=days)
        result = pki.run(server, ca=offline)
        assert result["by_name"]["pacs"]["action"] in ("keep", "renew")
        assert verify_chain(pki, "pacs") == "OK"
    assert not pki.file("ca.key").exists()


def test_root_key_is_asked_for_in_time(pki, server):
    pki.run(server, ca=CA)
    key = take_offline(pki)
    pki.later(days=1800)
    failure, message = refused(pki, server, ca=CA)
    assert failure == "ca_key_missing"
    assert "ca.key: it is missing, but needed" in message
    assert "to issue the intermediate CA's certificate (expires_soon)" in message
    pki.file("ca.key").write_bytes(key)
    renewed = pki.run(server, ca=CA)
    assert (renewed["ca"]["action"], renewed["intermediate_ca"]["action"]) == ("repair", "renew")
    assert verify_chain(pki, "pacs") == "OK"
    take_offline(pki)
    assert pki.run(server, ca=CA)["changed"] is False


def test_renewed_intermediate_goes_into_the_chains_that_stay(pki, server, client):
    long = {**client, "valid_days": 3000}
    pki.run(server, long, ca=CA)
    pki.later(days=700)
    constrained = {**CA, "name_constraints": {"permitted": ["example.org"]}}
    announced = pki.run(server, long, ca=constrained, check=True)
    result = pki.run(server, long, ca=constrained)
    assert announced["diff"] == result["diff"]
    assert result["intermediate_ca"]["reasons"] == ["name_constraints_differ"]
    assert (result["by_name"]["ct-1"]["action"], result["by_name"]["ct-1"]["reasons"]) == (
        "repair",
        ["chain_differs", "pkcs12_differs"],
    )
    assert verify_chain(pki, "ct-1") == "OK"
    assert pki.run(server, long, ca=constrained)["changed"] is False


def days_of_root_list(pki):
    """The root's list is the second of the file."""
    pem = pki.file("crl.pem").read_text().split("-----END X509 CRL-----")[1] + "-----END X509 CRL-----"
    text = pki.openssl("crl", "-noout", "-nextupdate", "-dateopt", "iso_8601", stdin=pem)
    return (datetime.fromisoformat(text.strip().partition("=")[2]) - pki.clock).days


def test_leaf_does_not_outlive_an_intermediate_that_is_shortened(pki, server):
    pki.run({**server, "valid_days": 1000}, ca=CA)
    shorter = {**with_intermediate(valid_days=400), "name_constraints": {"excluded": ["example.net"]}}
    result = pki.run({**server, "valid_days": 1000}, ca=shorter)
    assert result["by_name"]["pacs"]["reasons"] == ["outlives_ca"]
    assert result["by_name"]["pacs"]["not_valid_after"] == result["intermediate_ca"]["not_valid_after"]


def test_intermediate_does_not_outlive_a_root_that_is_shortened(pki, server):
    pki.run(server, ca=CA)
    result = pki.run(server, ca={**CA, "path_length": 2, "valid_days": 900})
    assert result["ca"]["reasons"] == ["path_length_differs"]
    assert result["intermediate_ca"]["reasons"] == ["outlives_ca"]
    assert verify_chain(pki, "pacs") == "OK"


def test_intermediate_of_another_root_of_the_same_name(pki, server, tmp_path):
    pki.run(server, ca=CA)
    own, pki.path = pki.path, tmp_path / "other"
    pki.run(ca=CA)
    for name in ("ca.key", "ca.crt"):
        shutil.copy(pki.file(name), own / name)
    pki.path = own
    result = pki.run(server, ca=CA)
    assert result["intermediate_ca"]["reasons"] == ["issuer_differs"]
    assert verify_chain(pki, "pacs") == "OK"


def test_lost_intermediate_key_is_not_replaced(pki, server):
    pki.run(server, ca=CA)
    pki.file("ca-intermediate.key").unlink()
    assert refused(pki, server, ca=CA)[0] == "ca_key_missing"
    pki.file("ca-intermediate.crt").unlink()
    assert refused(pki, server, ca=CA)[0] == "ca_key_missing"


def test_lost_intermediate_certificate_is_made_again(pki, server):
    pki.run(server, ca=CA)
    pki.file("ca-intermediate.crt").unlink()
    result = pki.run(server, ca=CA)
    assert result["intermediate_ca"]["reasons"] == ["certificate_missing"]
    assert verify_chain(pki, "pacs") == "OK"
    assert pki.run(server, ca=CA)["changed"] is False


def test_put_under_a_root_that_has_issued(pki, server, client):
    root_alone = {key: value for key, value in CA.items() if key != "intermediate"}
    pki.run(server, client, ca=root_alone)
    result = pki.run(server, client, ca=CA)
    assert result["ca"]["reasons"] == ["path_length_differs"]
    assert result["by_name"]["pacs"]["action"] == "keep"
    assert verify_chain(pki, "pacs") == "OK"
    assert days_of_root_list(pki) in (29, 30)  # it revokes leaves
    assert pki.run(server, client, ca=CA)["changed"] is False

    # Its own certificates are still out there: their list needs the root's key.
    key = take_offline(pki)
    failure, message = refused(pki, server, {**client, "state": "revoked"}, ca=CA)
    assert failure == "ca_key_missing"
    assert "needed to sign its revocation list (revocations_differ)" in message
    pki.file("ca.key").write_bytes(key)
    pki.run(server, {**client, "state": "revoked"}, ca=CA)
    assert "certificate revoked" in verify_chain(pki, "ct-1")

    pki.later(days=380)
    result = pki.run(server, ca=CA)
    assert result["by_name"]["pacs"]["issuer"] == "CN=Test issuing CA,O=Test Clinic"
    pki.later(days=20)
    pki.run(server, ca=CA)
    assert days_of_root_list(pki) > 1000
    take_offline(pki)
    pki.later(days=20)
    pki.run(server, ca=CA)
    assert verify_chain(pki, "pacs") == "OK"


def test_cannot_be_left_away(pki, server):
    pki.run(server, ca=CA)
    failure, message = refused(pki, server, ca={**CA, "intermediate": None})
    assert failure == "ca_intermediate_undeclared"
    assert "declare ca.intermediate as it is" in message


@pytest.mark.parametrize(
    ("ca", "problem"),
    [
        ({**CA, "path_length": 0}, "ca.path_length: 0 leaves no room for the intermediate CA"),
        (with_intermediate(common_name="Test root"), "ca.intermediate.common_name: is the same as the root's"),
        (with_intermediate(valid_days=20), "ca.intermediate.valid_days: 20 is not more than renew_before_days"),
        (with_intermediate(passphrase=""), "ca.intermediate.passphrase: is empty"),
    ],
)
def test_contradictions(pki, server, ca, problem):
    result = pki.run(server, ca=ca, fails=True)
    assert result["failure"] == "invalid_parameters"
    assert problem in result["msg"]


def test_cut_off_anywhere(pki, server, client, monkeypatch):
    entries = server, client
    for writes in cut_off_at_each_write(pki, monkeypatch, *entries, ca=CA):
        assert writes == 2 + 2 + 1 + 1 + 4 + 5
        assert verify_chain(pki, "pacs") == "OK"
