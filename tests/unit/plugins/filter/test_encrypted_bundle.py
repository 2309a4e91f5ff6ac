# SPDX-License-Identifier: GPL-3.0-or-later
"""What is handed over: the modality's key, readable with the passphrase only."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from ansible_collections.cellcs.orthweb.plugins.filter.encrypted_bundle import encrypted_bundle
from ansible_collections.cellcs.orthweb.plugins.module_utils.pki.authority import key_pem
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs12

from support.authority import Authority


@pytest.fixture
def pem(tmp_path: Path) -> dict[str, str]:
    authority = Authority(tmp_path, "The archive's CA")
    certificate, key = authority.issue("ct-1")
    return {"chain": certificate.read_text(), "key": key.read_text(), "trusted": authority.file.read_text()}


def test_it_holds_what_the_modality_needs(pem: dict[str, str]) -> None:
    bundle = base64.b64decode(encrypted_bundle(pem, name="client-ct-1", passphrase="a passphrase"))
    found = pkcs12.load_pkcs12(bundle, b"a passphrase")
    assert isinstance(found.key, ec.EllipticCurvePrivateKey)
    assert key_pem(found.key).decode() == pem["key"]
    assert found.cert and found.cert.friendly_name == b"client-ct-1"
    assert found.cert.certificate == x509.load_pem_x509_certificate(pem["chain"].encode())
    assert [one.certificate for one in found.additional_certs] == x509.load_pem_x509_certificates(
        pem["trusted"].encode()
    )


def test_nobody_else_can_read_it(pem: dict[str, str]) -> None:
    bundle = base64.b64decode(encrypted_bundle(pem, name="client-ct-1", passphrase="a passphrase"))
    with pytest.raises(ValueError):
        pkcs12.load_pkcs12(bundle, b"another one")
    with pytest.raises(ValueError, match="without a passphrase"):
        encrypted_bundle(pem, name="client-ct-1", passphrase="")
    aes_256_cbc = bytes.fromhex("060960864801650304012a")  # 2.16.840.1.101.3.4.1.42
    assert aes_256_cbc in bundle
