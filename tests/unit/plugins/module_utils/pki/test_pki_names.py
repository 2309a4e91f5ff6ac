# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.cellcs.orthweb.plugins.module_utils.pki.names import parse_alt_name
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("text", "normalised"),
    [
        ("pacs.example.org", "DNS:pacs.example.org"),
        ("PACS.Example.ORG", "DNS:pacs.example.org"),
        ("localhost", "DNS:localhost"),
        ("*.example.org", "DNS:*.example.org"),
        ("röntgen.example", "DNS:xn--rntgen-wxa.example"),
        ("DNS:pacs", "DNS:pacs"),
        ("dns: pacs ", "DNS:pacs"),
        ("192.0.2.10", "IP:192.0.2.10"),
        ("ip:192.0.2.10", "IP:192.0.2.10"),
        ("2001:DB8:0:0::1", "IP:2001:db8::1"),
        ("::1", "IP:::1"),
        ("https://pacs.example.org/ui", "URI:https://pacs.example.org/ui"),
        ("urn:oid:1.2.840.10008", "URI:urn:oid:1.2.840.10008"),
        ("URI:tag:example.org,2026:x", "URI:tag:example.org,2026:x"),
        ("it@Clinic.example", "email:it@clinic.example"),
        ("email:it@klinik-süd.example", "email:it@xn--klinik-sd-x9a.example"),
    ],
)
def test_name_is_told_by_its_form_and_normalised(text, normalised):
    assert str(parse_alt_name(text)) == normalised
    assert parse_alt_name(normalised) == parse_alt_name(text)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "empty"),
        ("pacs.example.org.", "ends in a dot"),
        ("pacs..example.org", "empty part"),
        ("pacs_1.example.org", "letters, digits and inner hyphens"),
        ("-pacs.example.org", "letters, digits and inner hyphens"),
        ("pacs.example.org:443", "letters, digits and inner hyphens"),
        ("a" * 64 + ".example", "part of 64 characters"),
        (".".join(["a" * 60] * 5), "at most 253"),
        ("10.0.0.300", "ends in a number"),
        ("10.0.0.0/8", "letters, digits"),
        ("IP:10.0.0.0/8", "not an IPv4 or IPv6 address"),
        ("[::1]", "letters, digits"),
        ("fe80::1%eth0", "zone"),
        ("*.org", "top-level domain"),
        ("pacs*.example.org", "not its whole first part"),
        ("a.*.example.org", "not its whole first part"),
        ("straße.example", "IDNA 2008"),
        ("https://pacs.example.org/a b", "absolute URI"),
        ("@clinic.example", "mailbox"),
        ("it@*.clinic.example", "wildcard"),
    ],
)
def test_bad_name_is_refused_with_its_reason(text, sentence):
    with pytest.raises(ValueError, match=sentence):
        parse_alt_name(text)


@given(st.text(max_size=300) | st.from_regex(r"(dns:|ip:|uri:|email:|\*\.)?[a-z0-9@:/.*ßé-]{1,80}", fullmatch=True))
def test_any_text_is_a_stable_ascii_name_or_a_sentence(text):
    try:
        name = parse_alt_name(text)
    except ValueError as error:
        assert not isinstance(error, UnicodeError)
        assert str(error)
    else:
        assert str(name).isascii()
        assert parse_alt_name(str(name)) == name
