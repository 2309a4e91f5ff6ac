# SPDX-License-Identifier: GPL-3.0-or-later
"""The certificates that a deployment needs, as the module ``pki`` takes them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.cellcs.orthweb.plugins.plugin_utils.modalities import certificate_name, has_certificate


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
    """One certificate for each modality that needs one, with a bundle to hand over.

    :param modalities: complete entries of ``orthweb_modalities``
    :param passphrase: of the bundle (PKCS#12)
    """
    return [
        {
            "name": f"client-{modality['name']}",
            "usage": _usage(modality),
            # Not an AE title: it stays the same when the titles change, and nginx knows it.
            "common_name": modality["name"],
            "subject_alt_names": [certificate_name(modality)] if "server" in _usage(modality) else [],
            "valid_days": valid_days,
            "key_type": key_type,
            "pkcs12": True,
            "pkcs12_passphrase": passphrase,
        }
        for modality in modalities
        if has_certificate(modality)
    ]


def _usage(modality: Mapping[str, Any]) -> list[str]:
    calls = ["client"] if modality["tls"] else []
    is_called = ["server"] if modality["call_with_tls"] and not modality["ca_certificate"] else []
    return calls + is_called


def outgoing_certificates(
    hosts: Iterable[str], modalities: Iterable[Mapping[str, Any]], *, stack: str, valid_days: int, key_type: str
) -> list[dict[str, Any]]:
    """What each host shows to modalities that it calls over TLS; none if there is no such modality.

    The common name is none that an entry of ``orthweb_modalities`` has, so that nobody gets into the archive with it.
    """
    if not any(modality["call_with_tls"] for modality in modalities):
        return []
    return [
        {
            "name": f"outgoing-{host}",
            "usage": ["client"],
            "common_name": f"OrthWeb {stack} archive",
            "valid_days": valid_days,
            "key_type": key_type,
        }
        for host in hosts
    ]


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {
            "service_certificates": service_certificates,
            "client_certificates": client_certificates,
            "outgoing_certificates": outgoing_certificates,
        }
