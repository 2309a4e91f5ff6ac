# SPDX-License-Identifier: GPL-3.0-or-later
"""Each decision has its reasons, is announced by a check, and leaves nothing to do for the next run."""

from __future__ import annotations

import pytest


def decision(result, name="pacs"):
    entry = result[name] if name in ("ca", "crl") else result["by_name"][name]
    return entry["action"], entry["reasons"]


def check_then_run(pki, *certificates, **params):
    """The result of a run, once a check has announced just that and written nothing."""
    before = pki.contents()
    announced = pki.run(*certificates, check=True, **params)
    assert pki.contents() == before
    done = pki.run(*certificates, **params)
    for part in ("ca", "crl", *(entry["name"] for entry in certificates)):
        assert decision(announced, part) == decision(done, part)
    assert announced["changed"] is done["changed"]
    assert announced["diff"] == done["diff"]
    after = pki.contents()
    again = pki.run(*certificates, **params)
    assert again["changed"] is False
    assert again["diff"] == {"before": {}, "after": {}}
    assert pki.contents() == after
    return done


def test_first_run_issues_everything_and_the_second_is_silent(pki, server, client):
    result = check_then_run(pki, server, client)
    assert decision(result) == ("issue", ["key_missing", "certificate_missing"])
    assert decision(result, "ca") == ("issue", ["key_missing", "certificate_missing"])
    assert decision(result, "crl") == ("issue", ["crl_missing"])
    assert result["diff"]["before"]["pacs"] is None
    assert result["diff"]["after"]["pacs"]["subject_alt_names"] == ["DNS:pacs.example.org", "IP:192.0.2.10"]


def test_check_on_no_folder_creates_nothing_and_returns_the_paths(pki, server, client):
    result = pki.run(server, client, check=True)
    assert not pki.path.exists()
    assert result["changed"] is True
    assert result["ca"]["bundle"] == str(pki.file("ca-bundle.crt"))
    entry = result["by_name"]["ct-1"]
    assert entry["private_key"] == str(pki.file("ct-1.key"))
    assert entry["pkcs12"] == str(pki.file("ct-1.p12"))
    assert entry["serial"] is entry["days_left"] is None


def test_leaf_is_renewed_with_its_key_before_it_ends(pki, server):
    first = pki.run(server)
    key = pki.public_key("pacs.key")
    pki.later(days=366)
    assert decision(pki.run(server), "pacs") == ("keep", [])
    pki.later(days=1)
    result = check_then_run(pki, server)
    assert decision(result) == ("renew", ["expires_soon"])
    assert pki.public_key("pacs.key") == key
    assert result["by_name"]["pacs"]["serial"] != first["by_name"]["pacs"]["serial"]
    assert pki.verify("pacs") == "OK"


def test_renewed_ca_keeps_its_key_and_its_leaves(pki, server, client):
    # These leaves last as long as the CA may.
    entries = {**server, "valid_days": 3000}, {**client, "valid_days": 3000}
    pki.run(*entries)
    pki.later(days=2980)
    pki.run(*entries)
    pki.later(days=641)
    key = pki.public_key("ca.key")
    old = pki.file("ca.crt").read_bytes()
    leaf = pki.file("pacs.crt").read_bytes()
    pki.file("old-leaf.chain.crt").write_bytes(leaf)
    result = check_then_run(pki, *entries)
    assert decision(result, "ca") == ("renew", ["expires_soon"])
    assert pki.public_key("ca.key") == key
    assert pki.file("ca.crt").read_bytes() != old
    assert pki.verify("old-leaf") == "OK"
    assert pki.verify("pacs") == "OK"


def test_leaf_never_outlives_a_ca_that_is_issued_for_less(pki, server):
    pki.run(server)
    pki.file("ca.crt").unlink()
    result = check_then_run(pki, server, ca={"common_name": "Test CA", "organization": "Test Clinic", "valid_days": 90})
    assert decision(result, "ca") == ("issue", ["certificate_missing"])
    assert decision(result) == ("renew", ["outlives_ca"])
    assert result["by_name"]["pacs"]["not_valid_after"] == result["ca"]["not_valid_after"]


@pytest.mark.parametrize("meanwhile", [False, True])
def test_pkcs12_gets_the_new_ca_certificate_though_its_leaf_stays(pki, client, meanwhile):
    pki.run(client)
    leaf = pki.file("ct-1.crt").read_bytes()
    pki.file("ca.crt").unlink()
    if meanwhile:
        pki.run()
    assert decision(check_then_run(pki, client), "ct-1") == ("repair", ["pkcs12_differs"])
    assert pki.file("ct-1.crt").read_bytes() == leaf
    assert pki.openssl("x509", "-in", "ca.crt", "-outform", "PEM") in pki.openssl(
        "pkcs12", "-in", "ct-1.p12", "-passin", "pass:handed over", "-nokeys", "-cacerts"
    )


@pytest.mark.parametrize(
    ("change", "action", "reasons"),
    [
        ({"subject_alt_names": ["pacs.example.org", "192.0.2.11"]}, "renew", ["subject_alt_name_differs"]),
        ({"subject_alt_names": ["192.0.2.10", "PACS.example.org"], "common_name": "pacs.example.org"}, "keep", []),
        ({"common_name": "PACS"}, "renew", ["subject_differs"]),
        ({"usage": ["client", "server"]}, "renew", ["usage_differs"]),
        ({"valid_days": 90}, "renew", ["valid_days_exceeded"]),
        ({"valid_days": 800}, "keep", []),
        ({"key_type": "ecdsa-p384"}, "rekey", ["key_type_differs"]),
        ({"pkcs12": True, "pkcs12_passphrase": "x y"}, "repair", ["pkcs12_missing"]),
        ({"state": "absent"}, "remove", ["declared_absent"]),
        ({"state": "revoked"}, "revoke", ["declared_revoked"]),
    ],
)
def test_changed_declaration(pki, server, change, action, reasons):
    pki.run(server)
    key = pki.public_key("pacs.key")
    result = check_then_run(pki, {**server, **change})
    assert decision(result) == (action, reasons)
    assert decision(result, "ca") == ("keep", [])
    if action != "remove":
        assert (pki.public_key("pacs.key") == key) is (action != "rekey")
        assert ("revoked" in pki.verify("pacs")) is (action == "revoke")


def test_pkcs12_follows_its_declaration(pki, client):
    pki.run(client)
    renamed = {**client, "pkcs12_passphrase": "another"}
    assert decision(check_then_run(pki, renamed), "ct-1") == ("repair", ["pkcs12_differs"])
    assert pki.openssl("pkcs12", "-in", "ct-1.p12", "-passin", "pass:another", "-nodes")
    assert decision(check_then_run(pki, {**client, "pkcs12": False}), "ct-1") == ("repair", ["pkcs12_undeclared"])
    assert not pki.file("ct-1.p12").exists()


@pytest.mark.parametrize(
    ("damage", "action", "reasons"),
    [
        (("pacs.key", None), "rekey", ["key_missing"]),
        (("pacs.key", "cut"), "rekey", ["key_unreadable"]),
        (("pacs.key", "swap"), "renew", ["key_differs"]),
        (("pacs.key", "open"), "repair", ["key_exposed"]),
        (("pacs.crt", None), "issue", ["certificate_missing"]),
        (("pacs.crt", "cut"), "issue", ["certificate_unreadable"]),
        (("pacs.chain.crt", None), "repair", ["chain_missing"]),
        (("pacs.chain.crt", "cut"), "repair", ["chain_differs"]),
        (("issued", None), "repair", ["record_missing"]),
    ],
)
def test_damaged_leaf_is_mended(pki, server, damage, action, reasons):
    pki.run(server)
    spoil(pki, *damage)
    assert decision(check_then_run(pki, server)) == (action, reasons)
    assert pki.verify("pacs", "-verify_hostname", "pacs.example.org") == "OK"
    assert pki.public_key("pacs.key") == pki.openssl("x509", "-in", "pacs.crt", "-noout", "-pubkey")
    assert pki.file("pacs.key").stat().st_mode & 0o777 == 0o600


def test_damage_inside_an_rsa_key_is_found(pki, server):
    entry = {**server, "key_type": "rsa-2048"}
    pki.run(entry)
    key = pki.file("pacs.key").read_bytes()
    for place in range(50, len(key) - 50, 97):  # between the two PEM lines
        damaged = bytearray(key)
        damaged[place] = ord("B" if key[place] == ord("A") else "A")
        pki.file("pacs.key").write_bytes(damaged)
        assert decision(pki.run(entry, check=True)) == ("rekey", ["key_unreadable"]), place


@pytest.mark.parametrize(
    ("damage", "part", "action", "reasons"),
    [
        (("ca-bundle.crt", None), "ca", "repair", ["bundle_missing"]),
        (("ca-bundle.crt", "cut"), "ca", "repair", ["bundle_differs"]),
        (("ca.key", "open"), "ca", "repair", ["key_exposed"]),
        (("ca.crt", None), "ca", "issue", ["certificate_missing"]),
        (("crl.pem", None), "crl", "issue", ["crl_missing"]),
        (("crl.pem", "cut"), "crl", "issue", ["crl_unreadable"]),
    ],
)
def test_damage_around_the_ca_is_mended(pki, server, damage, part, action, reasons):
    pki.run(server)
    key = pki.public_key("ca.key")
    spoil(pki, *damage)
    result = check_then_run(pki, server)
    assert decision(result, part) == (action, reasons)
    assert decision(result) == ("keep", [])
    assert pki.public_key("ca.key") == key
    assert pki.file("ca.key").stat().st_mode & 0o777 == 0o600
    assert pki.verify("pacs") == "OK"


def spoil(pki, name, how):
    file = pki.file(name)
    if how is None and file.is_dir():
        for record in file.iterdir():
            record.unlink()
        file.rmdir()
    elif how is None:
        file.unlink()
    elif how == "cut":
        file.write_bytes(file.read_bytes()[:100])
    elif how == "open":
        file.chmod(0o644)
    else:
        pki.openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", str(file))


def test_leaf_of_another_ca_is_replaced(pki, server):
    pki.run(server)
    theirs = pki.file("pacs.crt").read_bytes()
    for file in pki.path.rglob("*"):
        if file.is_file() and file.name not in ("pacs.key", ".lock"):
            file.unlink()
    pki.file("pacs.crt").write_bytes(theirs)
    assert decision(check_then_run(pki, server)) == ("renew", ["issuer_differs"])
    assert pki.verify("pacs") == "OK"


# --- revocation


def test_revocation_reaches_the_renewed_certificates_predecessor(pki, server, client):
    pki.run(server, client)
    pki.file("before.chain.crt").write_bytes(pki.file("ct-1.crt").read_bytes())
    pki.later(days=370)
    pki.run(server, client)
    assert pki.verify("before") == pki.verify("ct-1") == "OK"
    result = check_then_run(pki, server, {**client, "state": "revoked"})
    assert decision(result, "ct-1") == ("revoke", ["declared_revoked"])
    assert decision(result, "crl")[0] == "renew"
    assert "revocations_differ" in decision(result, "crl")[1]
    assert "certificate revoked" in pki.verify("before")
    assert "certificate revoked" in pki.verify("ct-1")
    assert pki.verify("pacs") == "OK"


def test_revoked_stays_revoked_whatever_becomes_of_its_entry(pki, server, client):
    pki.run(server, client)
    pki.file("kept.chain.crt").write_bytes(pki.file("ct-1.crt").read_bytes())
    pki.run(server, {**client, "state": "revoked"})
    check_then_run(pki, server, {**client, "state": "absent"})
    assert not pki.file("ct-1.crt").exists()
    assert "certificate revoked" in pki.verify("kept")
    check_then_run(pki, server)
    assert "certificate revoked" in pki.verify("kept")


@pytest.mark.parametrize("lost", ["crl.pem", "issued"])
def test_revoked_stays_revoked_when_the_crl_or_the_ledger_is_lost(pki, server, client, lost):
    pki.run(server, client)
    pki.file("kept.chain.crt").write_bytes(pki.file("ct-1.crt").read_bytes())
    first = pki.run(server, {**client, "state": "revoked"})
    pki.run(server, {**client, "state": "absent"})
    spoil(pki, lost, None)
    pki.later(days=25)  # so that the CRL is written again in any case
    result = check_then_run(pki, server)
    assert result["crl"]["number"] > first["crl"]["number"]
    assert "certificate revoked" in pki.verify("kept")
    assert pki.verify("pacs") == "OK"


def test_present_after_revoked_gets_a_new_key(pki, client):
    pki.run(client)
    pki.run({**client, "state": "revoked"})
    key = pki.public_key("ct-1.key")
    assert decision(check_then_run(pki, client), "ct-1") == ("rekey", ["revoked"])
    assert pki.public_key("ct-1.key") != key
    assert pki.verify("ct-1") == "OK"


def test_key_of_a_revoked_certificate_is_not_used_again(pki, client):
    pki.run(client)
    pki.run({**client, "state": "revoked"})
    key = pki.public_key("ct-1.key")
    pki.file("ct-1.crt").unlink()
    assert decision(check_then_run(pki, client), "ct-1") == ("issue", ["revoked", "certificate_missing"])
    assert pki.public_key("ct-1.key") != key


def test_removed_certificate_can_still_be_revoked(pki, client):
    pki.run(client)
    pki.file("kept.chain.crt").write_bytes(pki.file("ct-1.crt").read_bytes())
    pki.run({**client, "state": "absent"})
    assert pki.verify("kept") == "OK"
    assert decision(check_then_run(pki, {**client, "state": "revoked"}), "ct-1") == ("revoke", ["declared_revoked"])
    assert "certificate revoked" in pki.verify("kept")


def test_revoking_what_never_was_changes_nothing(pki, client):
    pki.run()
    assert decision(pki.run({**client, "state": "revoked"}), "ct-1") == ("keep", [])


def test_ended_certificate_need_not_be_revoked(pki, client):
    pki.run(client)
    pki.later(days=398)
    pki.run()
    assert decision(pki.run({**client, "state": "revoked"}), "ct-1") == ("keep", [])


def test_undeclared_certificates_are_named_and_left_alone(pki, server, client):
    pki.run(server, client)
    result = pki.run(server)
    assert (result["changed"], result["undeclared"]) == (False, ["ct-1"])
    assert pki.verify("ct-1") == "OK"
    assert pki.run(server, {**client, "state": "revoked"})["undeclared"] == []
    assert pki.run(server)["undeclared"] == []


def test_crl_is_renewed_in_its_last_third_with_a_greater_number(pki, server):
    first = pki.run(server)["crl"]
    pki.later(days=19)
    assert decision(pki.run(server), "crl") == ("keep", [])
    pki.later(days=1)
    result = check_then_run(pki, server)
    assert decision(result, "crl") == ("renew", ["expires_soon"])
    assert result["crl"]["number"] > first["number"]
    assert decision(check_then_run(pki, server, crl_valid_days=60), "crl") == ("keep", [])


def test_crl_numbers_grow_within_one_second(pki, server, client):
    numbers = [pki.run(server, client)["crl"]["number"]]
    numbers.append(pki.run(server, {**client, "state": "revoked"})["crl"]["number"])
    pki.run(server, client)
    numbers.append(pki.run(server, {**client, "state": "revoked"})["crl"]["number"])
    assert numbers == sorted(set(numbers))
