# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is declared: typed, complete, and checked as a whole before anything is touched."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

from .errors import InvalidSpecError
from .names import AltName, NameKind, parse_alt_name


class KeyType(StrEnum):
    ECDSA_P256 = "ecdsa-p256"
    ECDSA_P384 = "ecdsa-p384"
    RSA_2048 = "rsa-2048"
    RSA_3072 = "rsa-3072"
    RSA_4096 = "rsa-4096"


class Usage(StrEnum):
    SERVER = "server"
    CLIENT = "client"


class State(StrEnum):
    PRESENT = "present"
    REVOKED = "revoked"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True, kw_only=True)
class CaSpec:
    common_name: str
    organization: str | None
    key_type: KeyType
    valid_days: int
    passphrase: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateSpec:
    """``name`` is the stem of the files; ``alt_names`` are normalised and free of duplicates, in declared order."""

    name: str
    state: State
    usage: frozenset[Usage]
    common_name: str
    organization: str | None
    alt_names: tuple[AltName, ...]
    valid_days: int
    key_type: KeyType
    pkcs12: bool
    pkcs12_passphrase: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class PkiSpec:
    path: Path
    ca: CaSpec
    certificates: tuple[CertificateSpec, ...]
    renew_before: timedelta
    crl_valid_days: int


# A century; RFC 5280 §4.1.2.5 has no date after 9999, and nothing here should come near it.
_MAX_DAYS = 36_500
# RFC 5280 appendix A, ub-common-name and ub-organization-name.
_MAX_SUBJECT_TEXT = 64
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
# Stems the folder needs for itself, today or with an intermediate CA.
_RESERVED_NAMES = frozenset({"ca", "ca-bundle", "ca-root", "ca-intermediate", "crl", "issued"})


def parse_spec(params: Mapping[str, Any]) -> PkiSpec:
    """Turn the module's parameters, defaults filled in, into a :class:`PkiSpec`.

    Raises :class:`InvalidSpecError` with every problem there is, not only the first.
    """
    problems: list[str] = []
    ca = _parse_ca(params["ca"])
    certificates = tuple(_parse_certificate(entry, ca, problems) for entry in params["certificates"])
    spec = PkiSpec(
        path=Path(params["path"]),
        ca=ca,
        certificates=certificates,
        renew_before=timedelta(days=min(max(params["renew_before_days"], 0), _MAX_DAYS)),
        crl_valid_days=params["crl_valid_days"],
    )
    problems.extend(_pki_problems(spec, params["renew_before_days"]))
    if problems:
        raise InvalidSpecError(problems)
    return spec


def _parse_ca(entry: Mapping[str, Any]) -> CaSpec:
    return CaSpec(
        common_name=entry["common_name"].strip(),
        organization=entry["organization"],
        key_type=KeyType(entry["key_type"]),
        valid_days=entry["valid_days"],
        passphrase=_secret(entry["passphrase"]),
    )


def _parse_certificate(entry: Mapping[str, Any], ca: CaSpec, problems: list[str]) -> CertificateSpec:
    name = entry["name"]
    alt_names: dict[AltName, None] = {}  # an ordered set
    for text in entry["subject_alt_names"]:
        try:
            alt_names[parse_alt_name(text)] = None
        except ValueError as error:
            problems.append(f"{_entry(name)}: subject_alt_names: {error}")
    return CertificateSpec(
        name=name,
        state=State(entry["state"]),
        usage=frozenset(Usage(usage) for usage in entry["usage"]),
        common_name=entry["common_name"] or _default_common_name(name, tuple(alt_names)),
        organization=ca.organization,
        alt_names=tuple(alt_names),
        valid_days=entry["valid_days"],
        key_type=KeyType(entry["key_type"]),
        pkcs12=entry["pkcs12"],
        pkcs12_passphrase=_secret(entry["pkcs12_passphrase"]),
    )


def _default_common_name(name: str, alt_names: Sequence[AltName]) -> str:
    dns_names = (alt.value for alt in alt_names if alt.kind is NameKind.DNS and len(alt.value) <= _MAX_SUBJECT_TEXT)
    return next(dns_names, name)


def _secret(text: str | None) -> bytes | None:
    return None if text is None else text.encode("utf-8", "surrogateescape")


def _entry(name: str) -> str:
    return f"certificates[{name!r}]"


def _pki_problems(spec: PkiSpec, renew_before_days: int) -> Iterator[str]:
    if not spec.path.is_absolute():
        yield f"path: '{spec.path}' is not absolute, and where the module runs is not where the playbook is"
    if not 0 <= renew_before_days <= _MAX_DAYS:
        yield f"renew_before_days: {renew_before_days} is not between 0 and {_MAX_DAYS}"
    yield from _days_problems("crl_valid_days", spec.crl_valid_days)

    yield from _subject_problems("ca.common_name", spec.ca.common_name)
    if spec.ca.organization is not None:
        yield from _subject_problems("ca.organization", spec.ca.organization)
    yield from _life_problems("ca.valid_days", spec.ca.valid_days, renew_before_days)
    if spec.ca.passphrase == b"":
        yield "ca.passphrase: is empty; leave it away for a key that is not encrypted"

    counts = Counter(certificate.name for certificate in spec.certificates)
    yield from (f"{_entry(name)}: is declared {count} times" for name, count in counts.items() if count > 1)
    for certificate in spec.certificates:
        yield from _certificate_problems(certificate, spec.ca, renew_before_days)


def _certificate_problems(certificate: CertificateSpec, ca: CaSpec, renew_before_days: int) -> Iterator[str]:
    where = _entry(certificate.name)
    if not _NAME.fullmatch(certificate.name):
        yield f"{where}: name: at most 64 of a-z, 0-9, '.', '_' and '-', beginning with a letter or digit"
    if certificate.name in _RESERVED_NAMES or certificate.name.endswith(".chain"):
        yield f"{where}: name: the folder has a file of its own with this name"
    if certificate.state is not State.PRESENT:
        return
    yield from _subject_problems(f"{where}: common_name", certificate.common_name)
    if certificate.common_name == ca.common_name:
        yield f"{where}: common_name: is the CA's own, so that the certificate would seem to have issued itself"
    if not certificate.usage:
        yield f"{where}: usage: is empty; give server, client or both"
    if Usage.SERVER in certificate.usage and not _names_a_host(certificate.alt_names):
        yield f"{where}: subject_alt_names: a server needs a DNS name or IP address here; nobody reads the common name"
    yield from _life_problems(f"{where}: valid_days", certificate.valid_days, renew_before_days)
    if certificate.pkcs12 and not certificate.pkcs12_passphrase:
        yield f"{where}: pkcs12_passphrase: is missing, and a bundle with a private key must not lie open"


def _names_a_host(alt_names: Sequence[AltName]) -> bool:
    return any(alt.kind in (NameKind.DNS, NameKind.IP) for alt in alt_names)


def _subject_problems(where: str, text: str) -> Iterator[str]:
    if not text.strip():
        yield f"{where}: is empty"
    elif len(text) > _MAX_SUBJECT_TEXT:
        yield f"{where}: has {len(text)} characters, and RFC 5280 allows {_MAX_SUBJECT_TEXT}"
    elif not text.isprintable():
        yield f"{where}: has characters that cannot be printed"


def _days_problems(where: str, days: int) -> Iterator[str]:
    if not 1 <= days <= _MAX_DAYS:
        yield f"{where}: {days} is not between 1 and {_MAX_DAYS}"


def _life_problems(where: str, days: int, renew_before_days: int) -> Iterator[str]:
    yield from _days_problems(where, days)
    if days <= renew_before_days:
        yield f"{where}: {days} is not more than renew_before_days ({renew_before_days}), so that every run would renew"
