# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with the list of DICOM listeners, and whom each lets in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from ipaddress import ip_network
from typing import Any

from ansible_collections.cellcs.orthweb.plugins.plugin_utils.modalities import ipv4_network
from ansible_collections.cellcs.orthweb.plugins.plugin_utils.modalities import modalities as complete

from .words import port_problem, unknown_keys

DEFAULTS = {"tls": True, "client_certificate": "required", "allowed": [], "tls_profile": "bcp195"}
CHOICES = {"client_certificate": ("required", "optional", "none"), "tls_profile": ("bcp195", "widest")}
KEYS = ("port", *DEFAULTS)


def _range_problem(value: object) -> str:
    try:
        ip_network(str(value))
    except ValueError as error:
        return f"allowed has {value!r}, which is not a network in CIDR notation: {error}."
    return ""


def _value_problems(listener: dict[str, Any]) -> Iterable[str]:
    if problem := unknown_keys(listener, KEYS):
        yield f"it {problem}"
    if problem := port_problem(listener.get("port", "missing")):
        yield f"port is {problem}"
    if not isinstance(listener.get("tls", True), bool):
        yield f"tls is {listener['tls']!r}: use true or false."
    for key, choices in CHOICES.items():
        if listener.get(key, DEFAULTS[key]) not in choices:
            yield f"{key} is {listener[key]!r}: choose {' or '.join(choices)}."
    allowed = listener.get("allowed", [])
    if isinstance(allowed, list):
        yield from filter(None, map(_range_problem, allowed))
    else:
        yield f"allowed is {allowed!r}: use a list of networks."


def _access_problems(listener: dict[str, Any]) -> Iterable[str]:
    told = {**DEFAULTS, **listener}
    if not told["tls"]:
        for key in ("client_certificate", "tls_profile"):
            if key in listener:
                yield f"{key} is a TLS setting, but tls is false: remove it."
    if told["allowed"]:
        return
    if not told["tls"]:
        yield (
            "it does not use TLS: anyone who can reach it could send images, and read those in transit. List the "
            "permitted networks in allowed (for one modality, its address, such as 10.1.2.3/32), or use TLS."
        )
    elif told["client_certificate"] != "required":
        yield (
            f"client_certificate is {told['client_certificate']}: anyone who can reach it could send images. List the "
            "permitted networks in allowed (['0.0.0.0/0'] for everybody), or require a certificate."
        )


def dicom_listener_problems(listeners: object, checked_port: object) -> list[str]:
    """Sentences, each with the entry it is about; empty if nothing is wrong.

    :param listeners: entries with ``port``, and maybe ``tls``, ``client_certificate``, ``allowed`` and ``tls_profile``
    :param checked_port: where a deployment is proved from outside: over TLS, with a client certificate
    """
    if not isinstance(listeners, list) or not all(isinstance(listener, dict) for listener in listeners):
        return ["it must be a list of entries, each with at least a port."]
    problems: list[str] = []
    for number, listener in enumerate(listeners, 1):
        of_entry = list(_value_problems(listener)) or list(_access_problems(listener))
        problems += [f"entry {number} (port {listener.get('port', 'missing')}): {problem}" for problem in of_entry]
    ports = [str(listener.get("port")) for listener in listeners]
    problems += [
        f"port {port} is in {ports.count(port)} entries." for port in sorted(set(ports)) if ports.count(port) > 1
    ]
    if not problems and not any(
        told["tls"] and told["client_certificate"] == "required" and str(told["port"]) == str(checked_port)
        for told in dicom_listeners(listeners)
    ):
        problems.append(
            f"no entry has port {checked_port} (orthweb_dicom_port) with TLS and a required client certificate: that "
            "listener is printed at the end, and checked from outside."
        )
    return problems


def dicom_listeners(
    listeners: list[dict[str, Any]], modalities: Iterable[Mapping[str, Any]] = ()
) -> list[dict[str, Any]]:
    """Each with all its keys: what is not said has its default. Each port that modalities without TLS call is one more,
    open to them alone; where it is among the listeners, that one is open to them, too.

    :param modalities: entries of ``orthweb_modalities``
    """
    by_port: dict[int, dict[str, Any]] = {
        int(str(listener["port"])): {**DEFAULTS, **listener} for listener in listeners
    }
    for modality in complete(modalities):
        if not modality["tls"]:
            plain = {**DEFAULTS, "port": modality["listener"], "tls": False}
            listener = by_port.setdefault(modality["listener"], plain)
            listener["allowed"] = list(dict.fromkeys([*listener["allowed"], ipv4_network(modality["host"])]))
    return list(by_port.values())
