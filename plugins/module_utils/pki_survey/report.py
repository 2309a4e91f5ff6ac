# SPDX-License-Identifier: GPL-3.0-or-later
"""The module's return values: what is in a folder of certificates, and what ends when."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ..pki import facts
from ..pki.layout import serial_text
from .contents import read_contents
from .files import Limits, TooManyFilesError, exists, read_files
from .items import (
    FoundCertificate,
    FoundCrl,
    FoundKey,
    FoundPkcs12,
    Item,
    OtherFile,
    Place,
    Unreadable,
)
from .links import (
    Authorities,
    Known,
    KnownList,
    attempt,
    basic_constraints,
    encoded_key,
    is_issued_by,
    is_ledger_record,
    key_paths,
    know,
    revoked_by,
)

with suppress(ImportError):  # the module says so, with missing_required_lib
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa, x448, x25519

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

Report = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Survey:
    """What is asked."""

    path: str
    limits: Limits
    warn_days: int
    passphrases: tuple[bytes, ...] = field(repr=False)


def build_report(survey: Survey, now: datetime) -> Report:
    """Look, and give the module's return values."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # cryptography has some about strangers' certificates, on standard error
        return _build_report(survey, now)


def _build_report(survey: Survey, now: datetime) -> Report:
    items, complete = _read(survey)
    certificates = know(item for item in items if isinstance(item, FoundCertificate))
    keys = [item for item in items if isinstance(item, FoundKey)]
    authorities = Authorities.among(certificates)
    lists = [
        KnownList(item, attempt(authorities.issuer_of_list, item.value)) for item in items if isinstance(item, FoundCrl)
    ]
    links = _Links(authorities, revoked_by(lists), key_paths(keys))
    entries = [_certificate_report(known, links, now) for known in certificates]
    report = {
        "changed": False,
        "path": _text(survey.path),
        "exists": exists(survey.path),
        "complete": complete,
        "certificates": entries,
        "private_keys": [_key_report(key, certificates) for key in keys],
        "crls": [_list_report(entry, now) for entry in lists],
        "pkcs12": [_pkcs12_report(item, certificates) for item in items if isinstance(item, FoundPkcs12)],
        "unreadable": [_unreadable_report(item) for item in items if isinstance(item, Unreadable)],
        "other_files": [
            {"path": _text(item.path), "contains": list(item.labels)}
            for item in items
            if isinstance(item, OtherFile) and not is_ledger_record(item.path)
        ],
        **_endings(entries, survey.warn_days),
    }
    return {**report, "msg": _sentence(survey, report)}


def _read(survey: Survey) -> tuple[list[Item], bool]:
    """What is there, and whether that is all of it."""
    items: list[Item] = []
    if not exists(survey.path):
        return items, True
    try:
        for file in read_files(survey.path, survey.limits):
            items.extend([file] if isinstance(file, Unreadable) else read_contents(file, survey.passphrases))
    except TooManyFilesError:
        return items, False
    return items, True


def _endings(entries: Sequence[Report], warn_days: int) -> Report:
    """What ended, what will soon, and what is next; of the certificates whose end matters to anyone."""
    in_use = [entry for entry in entries if not entry["revoked"] and not entry["superseded"]]
    dated = [entry for entry in in_use if entry["days_left"] is not None]
    ordered = [_short(entry) for entry in sorted(dated, key=lambda entry: (entry["not_valid_after"], entry["path"]))]
    alive = [entry for entry in ordered if entry["days_left"] >= 0]
    return {
        "expired": [entry for entry in ordered if entry["days_left"] < 0],
        "expiring": [entry for entry in alive if entry["days_left"] < warn_days],
        "expires_next": next(iter(alive), None),
    }


def _short(entry: Report) -> Report:
    return {name: entry[name] for name in ("path", "position", "subject", "not_valid_after", "days_left")}


@dataclass(frozen=True, slots=True)
class _Links:
    authorities: Authorities
    revoked: Mapping[x509.Name, Mapping[int, datetime]]
    key_paths: Mapping[bytes, Sequence[str]]


def _certificate_report(known: Known, links: _Links, now: datetime) -> Report:
    certificate = known.value
    issuer = attempt(links.authorities.issuer_of, certificate)
    listed = links.revoked.get(issuer.value.subject) if issuer else None
    moment = listed.get(certificate.serial_number) if listed else None
    constraints = basic_constraints(certificate)
    end = attempt(facts.not_valid_after, certificate)
    return {
        **_place(known.places[0]),
        "copies": [_place(place) for place in known.places[1:]],
        "subject": attempt(_name, certificate, "subject"),
        "issuer": attempt(_name, certificate, "issuer"),
        "subject_alt_names": attempt(lambda: [str(name) for name in facts.alt_names_of(certificate)]),
        "usage": attempt(lambda: sorted(map(str, facts.usage_of(certificate)))),
        **_key_facts(attempt(certificate.public_key)),
        "serial": attempt(lambda: _serial(certificate.serial_number)),
        "fingerprint_sha256": known.fingerprint,
        "not_valid_before": _moment(attempt(facts.not_valid_before, certificate)),
        "not_valid_after": _moment(end),
        "days_left": _days(end, now),
        "is_ca": bool(constraints and constraints.ca),
        "path_length": constraints.path_length if constraints else None,
        "self_signed": bool(attempt(is_issued_by, certificate, certificate)),
        "issuer_path": _text(issuer.places[0].path) if issuer else None,
        "revoked": None if listed is None else moment is not None,
        "revoked_at": _moment(moment),
        "superseded": known.superseded,
        "private_keys": [_text(path) for path in links.key_paths.get(known.public_key or b"", ())],
    }


def _key_report(key: FoundKey, certificates: Iterable[Known]) -> Report:
    encoded = attempt(encoded_key, key.public) if key.public else None
    own = [known for known in certificates if encoded and known.public_key == encoded]
    return {
        **_place(key.place),
        **_key_facts(key.public),
        "encrypted": key.encrypted,
        "opened": key.public is not None,
        **_access(key.mode),
        "certificates": list(dict.fromkeys(_text(known.places[0].path) for known in own)),
    }


def _list_report(known: KnownList, now: datetime) -> Report:
    crl = known.found.value
    end = attempt(lambda: crl.next_update_utc if hasattr(crl, "next_update_utc") else crl.next_update)
    begin = attempt(lambda: crl.last_update_utc if hasattr(crl, "last_update_utc") else crl.last_update)
    return {
        **_place(known.found.place),
        "issuer": attempt(_name, crl, "issuer"),
        "issuer_path": _text(known.issuer.places[0].path) if known.issuer else None,
        "number": attempt(lambda: crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number),
        "last_update": _moment(begin),
        "next_update": _moment(end),
        "days_left": _days(end, now),
        "revoked": attempt(lambda: [_serial(serial) for serial in sorted(facts.revocations(crl))]),
    }


def _pkcs12_report(found: FoundPkcs12, certificates: Iterable[Known]) -> Report:
    own = [known for known in certificates if any(place.path == found.path for place in known.places)]
    return {
        "path": _text(found.path),
        "friendly_name": found.friendly_name,
        "encrypted": found.encrypted,
        "opened": found.opened,
        **_access(found.mode),
        "certificates": [known.fingerprint for known in own],
    }


def _unreadable_report(found: Unreadable) -> Report:
    return {
        "path": _text(found.path),
        "position": found.position,
        "reason": found.reason.value,
        "message": found.message,
    }


def _sentence(survey: Survey, report: Report) -> str:
    if not report["exists"]:
        return f"There is no {report['path']}."
    said = [f"{report['path']} has {_count(len(report['certificates']), 'certificate')}"]
    if report["expired"]:
        said.append(f"{len(report['expired'])} ended")
    if report["expiring"]:
        said.append(f"{len(report['expiring'])} with less than {_count(survey.warn_days, 'day')} left")
    if report["expires_next"]:
        following = report["expires_next"]
        said.append(f"the next to expire is {following['subject']} on {following['not_valid_after'][:10]}")
    if report["unreadable"]:
        said.append(f"{len(report['unreadable'])} not readable")
    if not report["complete"]:
        said.append(f"files beyond the first {survey.limits.max_files} (max_files) were not examined")
    return f"{'; '.join(said)}."


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _key_facts(key: PublicKeyTypes | None) -> Report:
    """``key_bits`` is ``None`` for kinds that come in one length."""
    return {"key_type": None if key is None else _key_kind(key), "key_bits": getattr(key, "key_size", None)}


def _key_kind(key: PublicKeyTypes) -> str:
    kinds: dict[type, str] = {
        rsa.RSAPublicKey: "rsa",
        ec.EllipticCurvePublicKey: "ecdsa",
        dsa.DSAPublicKey: "dsa",
        ed25519.Ed25519PublicKey: "ed25519",
        ed448.Ed448PublicKey: "ed448",
        x25519.X25519PublicKey: "x25519",
        x448.X448PublicKey: "x448",
    }
    return next((kind for of, kind in kinds.items() if isinstance(key, of)), "other")


def _access(mode: int) -> Report:
    return {"mode": f"{mode:04o}", "exposed": bool(mode & 0o077)}


def _place(place: Place) -> Report:
    return {"path": _text(place.path), "position": place.position}


def _name(signed: x509.Certificate | x509.CertificateRevocationList, whose: str) -> str:
    return getattr(signed, whose).rfc4514_string()


def _serial(number: int) -> str:
    """Some old certificates have a negative one."""
    return f"-{serial_text(-number)}" if number < 0 else serial_text(number)


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else f"{moment.replace(tzinfo=UTC):%Y-%m-%dT%H:%M:%SZ}"


def _days(end: datetime | None, now: datetime) -> int | None:
    return None if end is None else (end.replace(tzinfo=UTC) - now).days


def _text(text: str) -> str:
    """``text`` with what is not UTF-8 written as ``\\xff``, since a result is JSON."""
    return os.fsencode(text).decode("utf-8", "backslashreplace")
