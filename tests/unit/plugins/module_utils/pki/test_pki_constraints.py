# SPDX-License-Identifier: GPL-3.0-or-later
"""Name constraints: what the CA may not issue is refused here, as openssl refuses it."""

from __future__ import annotations

import pytest
from ansible_collections.cellcs.orthweb.plugins.module_utils.pki.constraints import NameConstraints, parse_subtree
from ansible_collections.cellcs.orthweb.plugins.module_utils.pki.names import parse_alt_name


@pytest.mark.parametrize(
    ("given", "parsed"),
    [
        ("Clinic.Example", "DNS:clinic.example"),
        ("klinik-m\u00fcnchen.example", "DNS:xn--klinik-mnchen-3ob.example"),
        ("10.0.0.0/8", "IP:10.0.0.0/8"),
        ("192.0.2.1", "IP:192.0.2.1/32"),
        ("2001:db8::/32", "IP:2001:db8::/32"),
        ("it@clinic.example", "email:it@clinic.example"),
        ("email:.clinic.example", "email:.clinic.example"),
        ("URI:clinic.example", "URI:clinic.example"),
    ],
)
def test_forms(given, parsed):
    assert str(parse_subtree(given)) == parsed
    assert parse_subtree(parsed) == parse_subtree(given)


@pytest.mark.parametrize("given", [".clinic.example", "*.clinic.example", "10.0.0.1/8", "IP:clinic", "", "a b"])
def test_what_is_none(given):
    with pytest.raises(ValueError, match=r"."):
        parse_subtree(given)


OPENSSL_EXTENSIONS = """
[leaf]
basicConstraints=critical,CA:FALSE
subjectAltName={name}
"""
CASES = [
    ("DNS:clinic.example", "DNS:clinic.example"),
    ("DNS:clinic.example", "DNS:pacs.clinic.example"),
    ("DNS:clinic.example", "DNS:*.clinic.example"),
    ("DNS:clinic.example", "DNS:notclinic.example"),
    ("DNS:clinic.example", "IP:192.0.2.1"),
    ("IP:10.0.0.0/8", "IP:10.1.2.3"),
    ("IP:10.0.0.0/8", "IP:11.1.2.3"),
    ("IP:10.0.0.0/8", "IP:2001:db8::1"),
    ("IP:2001:db8::/32", "IP:2001:db8::1"),
    ("email:clinic.example", "email:it@clinic.example"),
    ("email:clinic.example", "email:it@a.clinic.example"),
    ("email:.clinic.example", "email:it@a.clinic.example"),
    ("email:it@clinic.example", "email:it@clinic.example"),
    ("email:it@clinic.example", "email:ct@clinic.example"),
    ("URI:clinic.example", "URI:https://clinic.example/x"),
    ("URI:clinic.example", "URI:https://a.clinic.example/x"),
    ("URI:.clinic.example", "URI:https://a.clinic.example:8443/x"),
]


@pytest.mark.parametrize("option", ["permitted", "excluded"])
@pytest.mark.parametrize(("subtree", "name"), CASES)
def test_judged_as_openssl_does(pki, option, subtree, name):
    """A leaf with ``name`` is made by hand under the constrained CA, and judged by ``openssl verify``."""
    pki.run(ca={"common_name": "CA", "name_constraints": {option: [subtree]}})
    ours = NameConstraints(**{option: frozenset({parse_subtree(subtree)})}).allow(parse_alt_name(name))

    pki.file("leaf.cnf").write_text(OPENSSL_EXTENSIONS.format(name=name))
    pki.openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "leaf.key")
    pki.openssl("req", "-new", "-key", "leaf.key", "-subj", "/CN=leaf", "-out", "leaf.csr")
    pki.openssl(
        *("x509", "-req", "-in", "leaf.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-days", "30"),
        *("-extfile", "leaf.cnf", "-extensions", "leaf", "-out", "leaf.chain.crt"),
    )
    pki.later(minutes=1)  # openssl's leaf begins now, which is after the clock of the test
    theirs = pki.verify("leaf")
    assert ours is (theirs == "OK"), theirs
    if theirs != "OK":
        assert "subtree violation" in theirs


@pytest.mark.parametrize("option", ["permitted", "excluded"])
@pytest.mark.parametrize("uri", ["urn:oid:1.2.3", "https://user@clinic.example/x", "https://192.0.2.1/x"])
def test_a_uri_without_a_host_name_is_refused_beside_constraints_on_uris(option, uri):
    """As the RFC has it; OpenSSL lets some of them pass."""
    constraints = NameConstraints(**{option: frozenset({parse_subtree("URI:other.example")})})
    assert not constraints.allow(parse_alt_name(uri))
    assert NameConstraints(**{option: frozenset({parse_subtree("DNS:other.example")})}).allow(parse_alt_name(uri))


def test_what_may_not_be_issued_is_refused_at_once(pki, server):
    ca = {"common_name": "CA", "name_constraints": {"permitted": ["example.org"], "excluded": ["192.0.2.0/24"]}}
    entries = [
        server,
        {"name": "other", "subject_alt_names": ["pacs.example.com"]},
        {"name": "ct-1", "usage": ["client"], "common_name": "ct.example.net"},
        {"name": "mr-1", "usage": ["client"]},
    ]
    result = pki.run(*entries, ca=ca, fails=True)
    assert "certificates['pacs']: subject_alt_names: ca.name_constraints do not allow" in result["msg"]
    assert "for 'IP:192.0.2.10'" in result["msg"]
    assert "for 'DNS:pacs.example.com'" in result["msg"]
    assert "certificates['ct-1']: common_name: ca.name_constraints do not allow the CA to issue" in result["msg"]
    assert "mr-1" not in result["msg"]
    for common_name in ("ct_1.example.net", "10.1.2.3", "CT.1"):
        entry = {"name": "ct-1", "usage": ["client"], "common_name": common_name}
        assert f"issue for '{common_name}'" in pki.run(entry, ca=ca, fails=True)["msg"]
    wildcard = {"name": "pacs", "subject_alt_names": ["*.example.org"]}
    ca = {"common_name": "CA", "name_constraints": {"excluded": ["a.example.org"]}}
    assert "for 'DNS:*.example.org'" in pki.run(wildcard, ca=ca, fails=True)["msg"]
    assert not pki.path.exists()


def test_change_renews_the_ca_and_keeps_its_key(pki, server):
    pki.run(server)
    key = pki.file("ca.key").read_bytes()
    ca = {"common_name": "Test CA", "organization": "Test Clinic", "name_constraints": {"permitted": ["example.org"]}}
    result = pki.run(server, ca=ca)
    assert (result["ca"]["action"], result["ca"]["reasons"]) == ("renew", ["name_constraints_differ"])
    assert "DNS:example.org" in pki.text("ca.crt")
    assert pki.file("ca.key").read_bytes() == key
    assert pki.verify("pacs") == "OK"
    assert pki.run(server, ca=ca)["changed"] is False
    assert pki.run(server)["ca"]["reasons"] == ["name_constraints_differ"]


def test_path_length(pki, server):
    ca = {"common_name": "Test CA", "path_length": 3}
    pki.run(server, ca=ca)
    assert "pathlen:3" in pki.text("ca.crt")
    assert pki.run(server, ca={**ca, "path_length": None})["ca"]["reasons"] == ["path_length_differs"]
    assert "pathlen:0" in pki.text("ca.crt")
    assert "not between 0 and 100" in pki.run(server, ca={**ca, "path_length": -1}, fails=True)["msg"]
