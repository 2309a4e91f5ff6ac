# SPDX-License-Identifier: GPL-3.0-or-later
"""A modality's certificate and key, encrypted, to be handed over by a link."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Mapping
from typing import Any


def encrypted_bundle(pem: Mapping[str, str], *, name: str, passphrase: str) -> str:
    """A PKCS#12 bundle like the one in the folder of the PKI, with a passphrase of its own, in base64.

    :param pem: ``key``, ``chain`` (the certificate, and the CAs above it) and ``trusted`` (CAs)
    """
    # Only where it is used: Ansible loads all filters in each task that uses one.
    from ansible_collections.cellcs.orthweb.plugins.module_utils.pki.authority import pkcs12_bundle
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    certificate, *above = x509.load_pem_x509_certificates(pem["chain"].encode())
    trusted = x509.load_pem_x509_certificates(pem["trusted"].encode())
    key: Any = load_pem_private_key(pem["key"].encode(), None)
    return b64encode(pkcs12_bundle(name, passphrase.encode(), key, certificate, [*above, *trusted])).decode()


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"encrypted_bundle": encrypted_bundle}
