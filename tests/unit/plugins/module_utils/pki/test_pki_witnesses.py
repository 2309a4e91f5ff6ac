# SPDX-License-Identifier: GPL-3.0-or-later
"""What is issued, as OpenSSL, GnuTLS, NSS and Java see it.

Each tool accepts what the module says is good and refuses the rest for the right reason. Limits of the tools:

- NSS's tools on files (``vfychain``, ``certutil``) check no names; test_pki_peers has its TLS client, which does.
- Java's ``keytool`` opens and lists PKCS#12 bundles; it judges no certificates.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from support.pki_witnesses import (
    OK,
    Case,
    Certtool,
    Certutil,
    OpenSsl,
    Refusal,
    Usage,
    Vfychain,
    Witness,
    issue_by_hand,
    run_pki,
    split_pem,
)
from support.process import said_by

pytestmark = pytest.mark.needs("certtool", "certutil", "crlutil", "keytool", "openssl", "vfychain")

KEY_TYPES = ["ecdsa-p256", "ecdsa-p384", "rsa-2048", "rsa-3072", "rsa-4096"]
NAMES = ["pacs.example.org", "192.0.2.10", "2001:db8::1", "*.wild.example.org", "röntgen.example"]
EXPECTED_NAMES = ["pacs.example.org", "192.0.2.10", "2001:db8::1", "a.wild.example.org", "xn--rntgen-wxa.example"]
OTHER_NAMES = ["other.example.org", "192.0.2.11", "2001:db8::2", "wild.example.org", "a.b.wild.example.org"]


# One CA in one tier and one in two; other kinds of key, generations and constraints are left to ``make test``.
FAST = {"ecdsa-p256", "intermediate-ecdsa-p384"}


def slow_but_for_two(names: list[str]) -> list[Any]:
    return [name if name in FAST else pytest.param(name, marks=pytest.mark.slow) for name in names]


@dataclass(frozen=True)
class World:
    """A PKI with good, expired and revoked certificates, and another whose CA has the same name and another key."""

    pki: Path
    foreign: Path
    issuer: Path  # the certificate of the CA that has issued them

    def case(self, leaf: str, usage: Usage, **other: Any) -> Case:
        return Case(**{"folder": self.pki, "leaf": leaf, "usage": usage, "trusted": self.pki, **other})


@dataclass(frozen=True)
class Shape:
    """``ca`` makes everything, ``later`` revokes; in between the root's key is taken away if it is to be offline."""

    ca: dict[str, Any]
    issuer: str = "ca.crt"
    later: dict[str, Any] = field(default_factory=dict)
    offline: bool = False


PERMITTED = ["example.org", "xn--rntgen-wxa.example", "192.0.2.0/24", "2001:db8::/32"]
SHAPES = {key_type: Shape({"key_type": key_type}) for key_type in KEY_TYPES} | {
    f"intermediate-{key_type}": Shape(
        {"key_type": key_type, "intermediate": {"common_name": "Test issuing CA", "key_type": key_type}},
        issuer="ca-intermediate.crt",
        offline=True,
    )
    for key_type in ("ecdsa-p384", "rsa-2048")
}
SHAPES |= {
    "former-root": Shape({}, issuer="former/ca.1.crt", later={"generation": 2}),
    "former-intermediate": Shape(
        {"intermediate": {"common_name": "Test issuing CA"}},
        issuer="former/ca-intermediate.1.crt",
        later={"intermediate": {"common_name": "Test issuing CA", "generation": 2}},
    ),
    "constrained": Shape({"name_constraints": {"permitted": PERMITTED, "excluded": ["secret.example.org"]}}),
}


@pytest.fixture(scope="module", params=slow_but_for_two([*SHAPES]))
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> World:
    """``own`` has a key of the CA's type; all others are ECDSA, since what signs them is what is on trial."""
    shape = SHAPES[request.param]
    folder = tmp_path_factory.mktemp("world")
    made = World(folder / "pki", folder / "foreign", folder / "pki" / shape.issuer)
    ca = {"common_name": "Test CA", "organization": "Test Clinic", **shape.ca}
    server = {"usage": ["server"], "subject_alt_names": NAMES}
    expired = [{"name": "old-server", **server}, {"name": "old-client", "usage": ["client"]}]
    leaves = [
        {"name": "server", **server},
        {"name": "client", "usage": ["client"]},
        {"name": "own", **server, "usage": ["server", "client"], "key_type": ca.get("key_type", "ecdsa-p256")},
    ]
    lost = [{"name": "lost-server", **server}, {"name": "lost-client", "usage": ["client"]}]
    run_pki(made.pki, *expired, ca=ca, at=datetime.now(UTC) - timedelta(days=400))
    if shape.offline:
        (made.pki / "ca.key").unlink()
    run_pki(made.pki, *leaves, *lost, ca=ca)
    run_pki(made.pki, *leaves, *({**entry, "state": "revoked"} for entry in lost), ca={**ca, **shape.later})
    run_pki(made.foreign, *leaves, ca={**ca, "key_type": "ecdsa-p256"})
    return made


@pytest.fixture(scope="module", params=[OpenSsl, Certtool, Vfychain, Certutil])
def witness(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Witness:
    if issubclass(request.param, (Vfychain, Certutil)):
        return request.param(tmp_path_factory.mktemp("nss"))
    return request.param()


@pytest.mark.parametrize("crl", [True, False])
@pytest.mark.parametrize(
    ("leaf", "usage"),
    [("server", Usage.SERVER), ("client", Usage.CLIENT), ("own", Usage.SERVER), ("own", Usage.CLIENT)],
)
def test_accepts_for_its_purpose(world, witness, leaf, usage, crl):
    witness.assert_accepts(world.case(leaf, usage, crl=crl))


@pytest.mark.parametrize(("leaf", "usage"), [("server", Usage.CLIENT), ("client", Usage.SERVER)])
def test_refuses_for_another_purpose(world, witness, leaf, usage):
    witness.assert_refuses(world.case(leaf, usage), Refusal.PURPOSE)


@pytest.mark.parametrize("usage", Usage)
def test_refuses_a_leaf_of_another_ca_of_the_same_name(world, witness, usage):
    foreign = world.case(usage.value, usage, folder=world.foreign)
    witness.assert_refuses(foreign, Refusal.FOREIGN)
    witness.assert_accepts(replace(foreign, trusted=world.foreign))


@pytest.mark.parametrize("usage", Usage)
def test_refuses_an_expired_leaf(world, witness, usage):
    witness.assert_refuses(world.case(f"old-{usage}", usage), Refusal.EXPIRED)


@pytest.mark.parametrize("usage", Usage)
def test_refuses_a_revoked_leaf_where_it_has_the_list(world, witness, usage):
    revoked = world.case(f"lost-{usage}", usage)
    witness.assert_refuses(revoked, Refusal.REVOKED)
    witness.assert_accepts(replace(revoked, crl=False))


@pytest.mark.parametrize("naming", [OpenSsl, Certtool])
@pytest.mark.parametrize("name", EXPECTED_NAMES)
def test_accepts_each_name(world, naming, name):
    naming().assert_accepts(world.case("server", Usage.SERVER, name=name))


@pytest.mark.parametrize("naming", [OpenSsl, Certtool])
@pytest.mark.parametrize("name", OTHER_NAMES)
def test_refuses_other_names(world, naming, name):
    naming().assert_refuses(world.case("server", Usage.SERVER, name=name), Refusal.NAME)


# --- what a CA may not issue


LEAF = ["basicConstraints=critical,CA:FALSE", "keyUsage=critical,digitalSignature", "extendedKeyUsage=serverAuth"]


@pytest.fixture(
    scope="module",
    params=[
        ("permitted", "example.org", "DNS:a.example.org", "DNS:a.example.com"),
        ("permitted", "192.0.2.0/24", "IP:192.0.2.7", "IP:198.51.100.7"),
        ("permitted", "2001:db8::/32", "IP:2001:db8::7", "IP:2001:db9::7"),
        ("excluded", "example.org", "DNS:a.example.com", "DNS:a.example.org"),
        ("excluded", "192.0.2.0/24", "IP:198.51.100.7", "IP:192.0.2.7"),
    ],
    ids="-".join,
)
def constrained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two leaves made by hand, since the module refuses to, beside the PKI."""
    option, subtree, inside, outside = request.param
    folder = tmp_path_factory.mktemp("constrained")
    pki = folder / "pki"
    run_pki(pki, ca={"common_name": "Test CA", "name_constraints": {option: [subtree]}})
    for stem, name in (("inside", inside), ("outside", outside)):
        ca = pki / "ca.key", pki / "ca.crt"
        issue_by_hand(ca, folder, stem, "/CN=by hand", *LEAF, f"subjectAltName={name}")
    return folder


def test_refuses_what_violates_name_constraints(witness, constrained):
    witness.assert_accepts(Case(constrained, "inside", Usage.SERVER, constrained / "pki"))
    witness.assert_refuses(Case(constrained, "outside", Usage.SERVER, constrained / "pki"), Refusal.CONSTRAINTS)


@pytest.mark.parametrize("intermediate", [None, {"common_name": "Test issuing CA"}])
def test_refuses_a_ca_beyond_the_path_length(witness, tmp_path, intermediate):
    """A CA is made by hand under the one that issues, which may have none below it unless it is said."""
    pki = tmp_path / "pki"
    issuer = "ca-intermediate" if intermediate else "ca"
    extensions = ["basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign,cRLSign"]
    for path_length in (None, 2):
        if intermediate and path_length:
            continue  # an intermediate CA of ours has never any below it
        ca = {"common_name": "Test CA", "path_length": path_length, "intermediate": intermediate}
        run_pki(pki, ca=ca)
        above = pki / f"{issuer}.key", pki / f"{issuer}.crt"
        if intermediate:
            (pki / f"{issuer}.chain.crt").write_text(above[1].read_text())
        below = issue_by_hand(above, tmp_path, "below", "/CN=CA by hand", *extensions)
        issue_by_hand(below, tmp_path, "leaf", "/CN=by hand", *LEAF, "subjectAltName=DNS:a.example.org")
        case = Case(tmp_path, "leaf", Usage.SERVER, pki, crl=False)
        if path_length:
            witness.assert_accepts(case)
        else:
            witness.assert_refuses(case, Refusal.PATH_LENGTH)


# --- former generations


@pytest.fixture(scope="module", params=["former-root", "former-intermediate"])
def two_generations(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """ct-0 and ct-1 of the first, ct-2 and ct-3 of the second; those with an odd number are revoked."""
    pki, shape = tmp_path_factory.mktemp("generations") / "pki", SHAPES[request.param]
    first = {"common_name": "Test CA", **shape.ca}
    second = {**first, **shape.later}
    clients = [{"name": f"ct-{number}", "usage": ["client"]} for number in range(4)]
    run_pki(pki, *clients[:2], ca=first)
    run_pki(pki, *clients, ca=second)
    revoked = [clients[0], {**clients[1], "state": "revoked"}, clients[2], {**clients[3], "state": "revoked"}]
    run_pki(pki, *revoked, ca=second)
    return pki


def test_accepts_leaves_of_both_generations_and_refuses_what_either_has_revoked(witness, two_generations):
    for number in range(4):
        case = Case(two_generations, f"ct-{number}", Usage.CLIENT, two_generations)
        if number % 2:
            witness.assert_refuses(case, Refusal.REVOKED)
        else:
            witness.assert_accepts(case)


def test_last_leaf_of_a_former_intermediate_ca_is_not_accepted_once_it_is_revoked(witness, tmp_path):
    """Its CA is still good under the root. Whoever holds the leaf also holds its chain."""
    pki, shape = tmp_path / "pki", SHAPES["former-intermediate"]
    first = {"common_name": "Test CA", **shape.ca}
    lost = {"name": "lost", "usage": ["client"]}
    run_pki(pki, lost, ca=first)
    run_pki(pki, {**lost, "state": "revoked"}, ca={**first, **shape.later})
    assert witness.verdict(Case(pki, "lost", Usage.CLIENT, pki)) != OK


# --- what a certificate says (RFC 5280)


def text_by_openssl(file: Path) -> str:
    return said_by("openssl", "crl" if file.stem == "crl" else "x509", "-in", file, "-noout", "-text")


def text_by_certtool(file: Path) -> str:
    return said_by("certtool", "--crl-info" if file.stem == "crl" else "--certificate-info", "--infile", file)


# Per reader: what is to be in the CA certificate, in the server's and in the CRL.
PROFILE = {
    text_by_openssl: {
        "ca": [
            r"Version: 3 ",
            r"Basic Constraints: critical\s+CA:TRUE",
            r"Key Usage: critical\s+Certificate Sign, CRL Sign\n",
        ],
        "server": [
            r"Version: 3 ",
            r"Basic Constraints: critical\s+CA:FALSE\n",
            r"Key Usage: critical\s+Digital Signature\n",
            r"Extended Key Usage: \s+TLS Web Server Authentication\n",
            r"Subject Alternative Name: \s+DNS:pacs.example.org, IP Address:192.0.2.10",
        ],
        "crl": [r"Version 2 ", r"CRL Number: \s+\d+\n", r"Next Update: "],
    },
    text_by_certtool: {
        "ca": [
            r"Version: 3\n",
            r"Basic Constraints \(critical\):\s+Certificate Authority \(CA\): TRUE",
            r"Key Usage \(critical\):\s+Certificate signing\.\s+CRL signing\.\n",
        ],
        "server": [
            r"Version: 3\n",
            r"Basic Constraints \(critical\):\s+Certificate Authority \(CA\): FALSE\n",
            r"Key Usage \(critical\):\s+Digital signature\.\n",
            r"Key Purpose \(not critical\):\s+TLS WWW Server\.\n",
            r"Subject Alternative Name \(not critical\):\s+DNSname: pacs.example.org\n\s+IPAddress: 192.0.2.10\n",
        ],
        "crl": [r"Version: 2\n", r"CRL Number \(not critical\): [0-9a-f]+\n", r"Next at: "],
    },
}


@pytest.mark.parametrize("reader", PROFILE)
def test_profile(world, reader):
    files = {"ca": world.pki / "ca.crt", "server": world.pki / "server.crt", "crl": world.pki / "crl.pem"}
    for part, file in files.items():
        text = reader(file)
        for expected in PROFILE[reader][part]:
            assert re.search(expected, text), (part, expected, text)


def key_ids(text: str) -> list[str]:
    """Key identifiers, own and the authority's, in the order of the text and in hexadecimal digits."""
    found = re.findall(r"(?:Subject|Authority) Key Identifier[^\n]*\n\s+(\S+)", text)
    return [re.sub(r"\W|keyid", "", key_id).lower() for key_id in found]


@pytest.mark.parametrize("reader", PROFILE)
def test_every_key_identifier_leads_to_the_ca(world, reader, tmp_path):
    issuer, server = key_ids(reader(world.issuer)), key_ids(reader(world.pki / "server.crt"))
    root = key_ids(reader(world.pki / "ca.crt"))
    assert all(re.fullmatch(r"[0-9a-f]{40}", key_id) for key_id in (*issuer, *server, *root))
    assert (server[1], server[0] == server[1]) == (issuer[0], False)
    assert set(root) == {root[0]}
    assert issuer[-1] in (issuer[0], root[0])
    for number, crl in enumerate(split_pem(world.pki / "crl.pem")):
        one = tmp_path / str(number) / "crl.pem"
        one.parent.mkdir()
        one.write_text(crl)
        assert key_ids(reader(one))[0] in (issuer[0], *(key_ids(reader(ca))[0] for ca in world.pki.glob("ca*.crt")))


def test_revoked_serial_numbers_are_on_the_list_and_no_others(world, tmp_path):
    serials = {
        text_by_openssl: r"Serial Number: ([0-9A-F]+)\n",
        text_by_certtool: r"Serial Number \(hex\): ([0-9a-f]+)\n",
    }
    lost = [said_by("openssl", "x509", "-in", world.pki / f"lost-{usage}.crt", "-noout", "-serial") for usage in Usage]
    expected = sorted(int(said.strip().removeprefix("serial="), 16) for said in lost)
    one = tmp_path / "crl.pem"
    for reader, pattern in serials.items():
        found = []
        for crl in split_pem(world.pki / "crl.pem"):
            one.write_text(crl)
            found += re.findall(pattern, reader(one))
        assert sorted(int(serial, 16) for serial in found) == expected


def test_serial_numbers_have_64_random_bits_and_at_most_20_octets(tmp_path):
    """Of 40 serial numbers, at least 64 bits are neither always set nor always clear."""
    entries = [{"name": f"ct-{number}", "usage": ["client"]} for number in range(40)]
    run_pki(tmp_path / "pki", *entries)
    texts = [text_by_certtool(tmp_path / "pki" / f"{entry['name']}.crt") for entry in entries]
    written = [re.search(r"Serial Number \(hex\): ([0-9a-f]+)\n", text)[1] for text in texts]
    assert max(len(serial) // 2 for serial in written) <= 20
    assert all(int(serial[:2], 16) < 0x80 for serial in written)  # positive (RFC 5280 §4.1.2.2)
    serials = [int(serial, 16) for serial in written]
    assert len(set(serials)) == len(serials)
    varying = [bit for bit in range(160) if len({serial >> bit & 1 for serial in serials}) == 2]
    assert len(varying) >= 64


# --- PKCS#12


PASSPHRASE = "handed over 1"
KEYTOOL = ["keytool", "-J-XX:TieredStopAtLevel=1", "-J-XX:+UseSerialGC"]  # it starts in half the time


@pytest.fixture(scope="module", params=slow_but_for_two(["ecdsa-p256", "rsa-3072", "intermediate"]))
def handed_over(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The module's result for one client with a bundle."""
    two_tiers = request.param == "intermediate"
    entry = {"name": "ct-1", "usage": ["client"], "key_type": "ecdsa-p256" if two_tiers else request.param}
    ca = {"common_name": "Test CA", "intermediate": {"common_name": "Test issuing CA"} if two_tiers else None}
    folder = tmp_path_factory.mktemp("bundle") / "pki"
    return run_pki(folder, {**entry, "pkcs12": True, "pkcs12_passphrase": PASSPHRASE}, ca=ca)


def chain_of(result: dict[str, Any]) -> list[str]:
    """The fingerprints from the leaf to the root."""
    cas = [result["intermediate_ca"], result["ca"]]
    return [entry["fingerprint_sha256"] for entry in (result["by_name"]["ct-1"], *cas) if entry]


def fingerprints(text: str) -> list[str]:
    return re.findall(r"SHA-?256: *\n? *((?:[0-9A-F]{2}:){31}[0-9A-F]{2})", text)


@pytest.mark.slow
def test_java_lists_key_certificate_and_ca(handed_over):
    store = ["-keystore", handed_over["by_name"]["ct-1"]["pkcs12"], "-storetype", "PKCS12"]
    command = [*KEYTOOL, "-list", "-v", *store]
    text = said_by(*command, "-storepass", PASSPHRASE)
    assert "Your keystore contains 1 entry" in text
    assert "Alias name: ct-1\n" in text
    assert "Entry type: PrivateKeyEntry\n" in text
    assert fingerprints(text) == chain_of(handed_over)
    assert "keystore password was incorrect" in said_by(*command, "-storepass", "other one", succeeds=False)


@pytest.mark.slow
def test_java_can_use_the_key(handed_over, tmp_path):
    """Listing opens the certificates only; a request for the same key has to be signed with it."""
    bundle = handed_over["by_name"]["ct-1"]
    store = ["-keystore", bundle["pkcs12"], "-storetype", "PKCS12", "-storepass", PASSPHRASE]
    request = tmp_path / "request.pem"
    said_by(*KEYTOOL, "-certreq", "-alias", "ct-1", "-file", request, *store)
    ours = said_by("openssl", "x509", "-in", bundle["certificate"], "-noout", "-pubkey")
    assert ours in said_by("openssl", "req", "-in", request, "-noout", "-pubkey", "-verify")


def test_nss_and_gnutls_open_it_with_its_passphrase_only(handed_over, tmp_path):
    bundle = handed_over["by_name"]["ct-1"]["pkcs12"]
    nss = ["pk12util", "-l", bundle, "-W"]
    gnutls = ["certtool", "--p12-info", "--inder", "--infile", bundle, "--password"]
    assert said_by(*nss, PASSPHRASE).count("Certificate(has private key):") == 1
    text = said_by(*gnutls, PASSPHRASE)
    assert text.count("BEGIN CERTIFICATE") == len(chain_of(handed_over))
    assert len(re.findall(r"BEGIN (\w+ )*PRIVATE KEY", text)) == 1
    for command in (nss, gnutls):
        said_by(*command, "other one", succeeds=False)
