# SPDX-License-Identifier: GPL-3.0-or-later
"""What PostgreSQL keeps instead of a password, held against the example of RFC 7677 and against bad input."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest
from ansible.errors import AnsibleFilterError, AnsibleTypeError
from ansible_collections.cellcs.orthweb.plugins.filter.scram import scram_sha_256_verifier


def test_it_accepts_the_proof_of_rfc_7677() -> None:
    """Section 3: user "user", password "pencil"; its proof must lead to our StoredKey, as a server checks it."""
    verifier = scram_sha_256_verifier("pencil", base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ=="))
    scheme, parameters, keys = verifier.split("$")
    assert (scheme, parameters) == ("SCRAM-SHA-256", "4096:W22ZaJ0SNY7soEsUEjb6gQ==")
    stored_key, server_key = (base64.b64decode(key) for key in keys.split(":"))
    nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
    message = (f"n=user,r=rOprNGfwEbeRWgbNEkqO,r={nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r={nonce}").encode()
    proof = base64.b64decode("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")
    signature = hmac.digest(stored_key, message, "sha256")
    client_key = bytes(left ^ right for left, right in zip(proof, signature, strict=True))
    assert hashlib.sha256(client_key).digest() == stored_key
    server_signature = base64.b64encode(hmac.digest(server_key, message, "sha256"))
    assert server_signature == b"6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="


def test_each_has_a_salt_of_its_own() -> None:
    assert scram_sha_256_verifier("pencil") != scram_sha_256_verifier("pencil")


@pytest.mark.parametrize("password", ["", "tab\t", "Straße", "null\0"])
def test_what_clients_may_read_in_two_ways_is_refused(password: str) -> None:
    with pytest.raises(AnsibleFilterError, match="printable ASCII"):
        scram_sha_256_verifier(password)


def test_a_number_is_no_password() -> None:
    with pytest.raises(AnsibleTypeError):
        scram_sha_256_verifier(12345)
