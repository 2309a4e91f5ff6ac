# SPDX-License-Identifier: GPL-3.0-or-later
"""What is issued, as openssl sees it."""

from __future__ import annotations

import re

import pytest


def test_openssl_accepts_each_certificate_for_its_purpose_only(pki, server, client):
    pki.run(server, client)
    assert pki.verify("pacs", "-purpose", "sslserver", "-verify_hostname", "pacs.example.org") == "OK"
    assert pki.verify("pacs", "-verify_ip", "192.0.2.10") == "OK"
    assert pki.verify("ct-1", "-purpose", "sslclient") == "OK"
    assert "purpose" in pki.verify("pacs", "-purpose", "sslclient")
    assert "purpose" in pki.verify("ct-1", "-purpose", "sslserver")
    assert "hostname mismatch" in pki.verify("pacs", "-verify_hostname", "other.example.org")


def test_certificate_for_both_sides(pki):
    pki.run({"name": "node", "usage": ["server", "client"], "subject_alt_names": ["node.example"]})
    assert pki.verify("node", "-purpose", "sslserver") == "OK"
    assert pki.verify("node", "-purpose", "sslclient") == "OK"


def test_every_kind_of_alternative_name_arrives(pki):
    names = ["*.example.org", "2001:db8::1", "urn:oid:1.2.3", "it@clinic.example", "röntgen.example", "*.EXAMPLE.org"]
    result = pki.run({"name": "node", "subject_alt_names": names})
    text = pki.text("node.crt")
    for name in (
        "DNS:*.example.org",
        "IP Address:2001:DB8:0:0:0:0:0:1",
        "URI:urn:oid:1.2.3",
        "email:it@clinic.example",
    ):
        assert name in text
    assert "DNS:xn--rntgen-wxa.example" in text
    assert text.count("*.example.org") == 2  # the common name and one alternative name: said twice, once is enough
    returned = result["certificates"][0]["subject_alt_names"]
    assert pki.run({"name": "node", "subject_alt_names": returned})["changed"] is False


def test_ca_profile(pki, server):
    pki.run(server)
    text = pki.text("ca.crt")
    assert re.search(r"Basic Constraints: critical\s+CA:TRUE, pathlen:0", text)
    assert re.search(r"Key Usage: critical\s+Certificate Sign, CRL Sign\n", text)
    key_id = re.search(r"Subject Key Identifier:\s+(\S+)", text)[1]
    leaf = pki.text("pacs.crt")
    assert key_id in re.search(r"Authority Key Identifier:\s+(\S+)", leaf)[1]
    assert re.search(r"Basic Constraints: critical\s+CA:FALSE", leaf)
    assert re.search(r"Extended Key Usage:\s+TLS Web Server Authentication\n", leaf)
    assert "Subject Key Identifier" in leaf
    assert re.search(r"X509v3 CRL Number:\s+\d+", pki.openssl("crl", "-in", "crl.pem", "-noout", "-text"))


@pytest.mark.parametrize(
    ("key_type", "says", "usage"),
    [
        ("rsa-2048", "Public-Key: (2048 bit)", "Digital Signature, Key Encipherment"),
        ("ecdsa-p256", "NIST CURVE: P-256", "Digital Signature"),
        ("ecdsa-p384", "NIST CURVE: P-384", "Digital Signature"),
    ],
)
def test_key_types(pki, server, key_type, says, usage):
    pki.run({**server, "key_type": key_type}, ca={"common_name": "CA", "key_type": key_type})
    assert says in pki.text("ca.crt")
    assert says in pki.text("pacs.crt")
    assert re.search(rf"Key Usage: critical\s+{usage}\n", pki.text("pacs.crt"))
    assert pki.verify("pacs") == "OK"
    assert pki.run({**server, "key_type": key_type}, ca={"common_name": "CA", "key_type": key_type})["changed"] is False


def test_life_is_as_declared_backdated_and_within_that_of_the_ca(pki, server, client):
    pki.run(server, {**client, "valid_days": 90}, ca={"common_name": "CA", "valid_days": 300})
    seconds = {}
    for name in ("ca", "pacs", "ct-1"):
        dates = pki.openssl("x509", "-in", f"{name}.crt", "-noout", "-dates", "-dateopt", "iso_8601")
        seconds[name] = dates.split()
    assert seconds["pacs"][1:] == seconds["ca"][1:]  # 397 days asked for, 300 there
    assert pki.openssl("x509", "-in", "ct-1.crt", "-noout", "-checkend", str(int(89.9 * 86400)))
    pki.later(minutes=-50)
    assert pki.verify("ct-1") == "OK"


def test_serial_numbers_are_random_and_long(pki):
    entries = pki.run(*({"name": f"ct-{n}", "usage": ["client"]} for n in range(5)))["certificates"]
    serials = {entry["serial"] for entry in entries}
    assert len(serials) == 5
    assert max(int(serial, 16) for serial in serials).bit_length() > 64


def test_modes_are_right(pki, server, client):
    pki.run(server, client)
    modes = {file.name: f"{file.stat().st_mode & 0o777:o}" for file in pki.path.iterdir()}
    assert f"{pki.path.stat().st_mode & 0o777:o}" == "700"
    assert modes.pop("issued") == "700"
    private = {"ca.key", "pacs.key", "ct-1.key", "ct-1.p12", ".lock"}
    assert modes == {name: "600" if name in private else "644" for name in modes}
    assert private < set(modes)


def test_returned_facts_are_those_of_openssl(pki, server):
    entry = pki.run(server)["by_name"]["pacs"]
    shown = pki.openssl("x509", "-in", entry["certificate"], "-noout", "-serial", "-fingerprint", "-sha256")
    assert f"serial={entry['serial']}\n" in shown
    assert f"Fingerprint={entry['fingerprint_sha256']}\n" in shown
    end = pki.openssl("x509", "-in", entry["certificate"], "-noout", "-enddate", "-dateopt", "iso_8601")
    assert end.strip() == f"notAfter={entry['not_valid_after'].replace('T', ' ')}"
    assert entry["days_left"] == 396


def test_pkcs12_bundle_opens_with_its_passphrase_only(pki, client):
    bundle = pki.run(client)["by_name"]["ct-1"]["pkcs12"]
    shown = pki.openssl("pkcs12", "-in", bundle, "-passin", "pass:handed over", "-nodes")
    assert "CN = ct-1" in shown
    assert shown.count("BEGIN CERTIFICATE") == 2
    assert shown.count("BEGIN PRIVATE KEY") == 1
    with pytest.raises(AssertionError, match="invalid password"):
        pki.openssl("pkcs12", "-in", bundle, "-passin", "pass:other", "-nodes")


def test_ca_key_is_encrypted_with_the_passphrase(pki, server):
    ca = {"common_name": "Test CA", "passphrase": "sesame"}
    result = pki.run(server, ca=ca)
    assert b"ENCRYPTED PRIVATE KEY" in pki.file("ca.key").read_bytes()
    assert pki.public_key("ca.key", "sesame")
    assert "sesame" not in str(result)
    assert pki.run(server, ca=ca)["changed"] is False


def test_open_ca_key_is_encrypted_in_place_once_there_is_a_passphrase(pki, server):
    pki.run(server)
    before = pki.public_key("ca.key")
    result = pki.run(server, ca={"common_name": "Test CA", "organization": "Test Clinic", "passphrase": "sesame"})
    assert (result["ca"]["action"], result["ca"]["reasons"]) == ("repair", ["key_not_encrypted"])
    assert [entry["action"] for entry in result["certificates"]] == ["keep"]
    assert b"ENCRYPTED" in pki.file("ca.key").read_bytes()
    assert pki.public_key("ca.key", "sesame") == before
