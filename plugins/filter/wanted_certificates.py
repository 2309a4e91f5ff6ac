# SPDX-License-Identifier: GPL-3.0-or-later
"""The certificates that a deployment needs, as the module ``pki`` takes them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any


def service_certificates(
    hosts: Iterable[Sequence[Any]], services: Mapping[str, Sequence[str]], *, valid_days: int, key_type: str
) -> list[dict[str, Any]]:
    """One certificate for each service of each host.

    :param hosts: name of each host in the inventory, and the names that clients have for it
    :param services: further names of each service; ``postgresql`` is known by these only
    :param key_type: of all but ``server-other-key``, whose key is RSA where this is ECDSA, and the other way round
    """
    other = "ecdsa-p256" if key_type.startswith("rsa") else "rsa-3072"
    return [
        {
            "name": f"{service}-{host}",
            "usage": ["server"],
            "common_name": names[0],
            "subject_alt_names": [*([] if service == "postgresql" else names), *aliases],
            "valid_days": valid_days,
            "key_type": other if service == "server-other-key" else key_type,
        }
        for host, names in hosts
        for service, aliases in services.items()
    ]


def client_certificates(
    modalities: Iterable[Mapping[str, Any]], *, valid_days: int, key_type: str, passphrase: str
) -> list[dict[str, Any]]:
    """One certificate for each modality, with a bundle to hand over.

    :param modalities: entries of ``orthweb_modalities``
    :param passphrase: of the bundle (PKCS#12)
    """
    return [
        {
            "name": f"client-{modality['name']}",
            "usage": ["client"],
            "common_name": modality[
                "name"
            ],  # not an AE title: it stays the same when the titles change, and nginx knows it
            "valid_days": valid_days,
            "key_type": key_type,
            "pkcs12": True,
            "pkcs12_passphrase": passphrase,
        }
        for modality in modalities
    ]


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"service_certificates": service_certificates, "client_certificates": client_certificates}
