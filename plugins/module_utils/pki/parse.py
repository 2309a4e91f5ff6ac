# SPDX-License-Identifier: GPL-3.0-or-later
"""From the module's parameters to what is declared, checked as a whole before anything is touched."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

from .accounts import group_id, user_id
from .constraints import NameConstraints, Subtree, parse_subtree
from .errors import InvalidSpecError
from .layout import Tier
from .names import AltName, NameKind, parse_alt_name
from .ownership import Ownership
from .parse_ownership import ownership_problems, parse_mode
from .spec import AuthoritySpec, CertificateSpec, KeyType, PkiSpec, State, Usage

T = TypeVar("T")

# A century; RFC 5280 §4.1.2.5 has no date after 9999, and nothing here should come near it.
_MAX_DAYS = 36_500
# RFC 5280 appendix A, ub-common-name and ub-organization-name.
_MAX_SUBJECT_TEXT = 64
_MAX_GENERATION = 999
_MAX_PATH_LENGTH = 100
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
# Stems the folder needs for itself.
_RESERVED_NAMES = frozenset({*Tier, "ca-bundle", "crl", "issued", "former"})


def parse_spec(params: Mapping[str, Any]) -> PkiSpec:
    """Turn the module's parameters, defaults filled in, into a :class:`PkiSpec`.

    Raises :class:`InvalidSpecError` with every problem there is, not only the first.
    """
    problems: list[str] = []
    root, intermediate = _parse_authorities(params["ca"], problems)
    spec = PkiSpec(
        path=Path(params["path"]),
        root=root,
        intermediate=intermediate,
        certificates=tuple(_parse_certificate(entry, root, problems) for entry in params["certificates"]),
        renew_before=timedelta(days=min(max(params["renew_before_days"], 0), _MAX_DAYS)),
        crl_valid_days=params["crl_valid_days"],
        ownership=_parse_ownership(params, problems),
    )
    problems.extend(_pki_problems(spec, params["renew_before_days"]))
    if problems:
        raise InvalidSpecError(problems)
    return spec


def _parse_authorities(entry: Mapping[str, Any], problems: list[str]) -> tuple[AuthoritySpec, AuthoritySpec | None]:
    below = entry["intermediate"]
    path_length = entry["path_length"]
    if path_length is None:
        path_length = 1 if below else 0
    # Some verifiers do not look at the constraints of a trust anchor (RFC 5280 §6.1.1): so they are in both.
    constraints = _parse_constraints(entry["name_constraints"] or {}, problems)

    def parse(tier: Tier, ca: Mapping[str, Any], path_length: int) -> AuthoritySpec:
        return AuthoritySpec(
            tier=tier,
            common_name=ca["common_name"].strip(),
            organization=entry["organization"],
            key_type=KeyType(ca["key_type"]),
            valid_days=ca["valid_days"],
            passphrase=_secret(ca["passphrase"]),
            generation=ca["generation"],
            path_length=path_length,
            name_constraints=constraints,
        )

    return parse(Tier.ROOT, entry, path_length), parse(Tier.INTERMEDIATE, below, 0) if below else None


def _parse_constraints(entry: Mapping[str, Any], problems: list[str]) -> NameConstraints:
    def subtrees(option: str) -> frozenset[Subtree]:
        texts = entry.get(option) or ()
        return frozenset(_parse_each(texts, parse_subtree, f"ca.name_constraints.{option}", problems))

    return NameConstraints(permitted=subtrees("permitted"), excluded=subtrees("excluded"))


def _parse_certificate(entry: Mapping[str, Any], root: AuthoritySpec, problems: list[str]) -> CertificateSpec:
    name = entry["name"]
    where = f"{_entry(name)}: subject_alt_names"
    alt_names = tuple(dict.fromkeys(_parse_each(entry["subject_alt_names"], parse_alt_name, where, problems)))
    return CertificateSpec(
        name=name,
        state=State(entry["state"]),
        usage=frozenset(Usage(usage) for usage in entry["usage"]),
        common_name=entry["common_name"] or _default_common_name(name, alt_names),
        organization=root.organization,
        alt_names=alt_names,
        valid_days=entry["valid_days"],
        key_type=KeyType(entry["key_type"]),
        pkcs12=entry["pkcs12"],
        pkcs12_passphrase=_secret(entry["pkcs12_passphrase"]),
    )


def _parse_ownership(params: Mapping[str, Any], problems: list[str]) -> Ownership:
    def parsed(option: str, parse: Callable[[Any], int], fallback: int) -> int:
        return next(_parse_each([params[option]], parse, option, problems), fallback)

    default = Ownership()
    return Ownership(
        user_id=parsed("owner", user_id, default.user_id),
        group_id=parsed("group", group_id, default.group_id),
        private_mode=parsed("mode", parse_mode, default.private_mode),
        folder_mode=parsed("directory_mode", parse_mode, default.folder_mode),
    )


def _parse_each(texts: Sequence[Any], parse: Callable[[Any], T], where: str, problems: list[str]) -> Iterator[T]:
    for text in texts:
        try:
            yield parse(text)
        except ValueError as error:
            problems.append(f"{where}: {error}")


def _default_common_name(name: str, alt_names: Sequence[AltName]) -> str:
    dns_names = (alt.value for alt in alt_names if alt.kind is NameKind.DNS and len(alt.value) <= _MAX_SUBJECT_TEXT)
    return next(dns_names, name)


def _secret(text: str | None) -> bytes | None:
    return None if text is None else text.encode("utf-8", "surrogateescape")


def _entry(name: str) -> str:
    return f"certificates[{name!r}]"


# --- what contradicts itself or a standard


def _pki_problems(spec: PkiSpec, renew_before_days: int) -> Iterator[str]:
    if not spec.path.is_absolute():
        yield f"path: '{spec.path}' is not absolute, and the module does not run in the folder of the playbook"
    if not 0 <= renew_before_days <= _MAX_DAYS:
        yield f"renew_before_days: {renew_before_days} is not between 0 and {_MAX_DAYS}"
    yield from _days_problems("crl_valid_days", spec.crl_valid_days)
    yield from ownership_problems(spec.ownership)

    if spec.root.organization is not None:
        yield from _subject_problems("ca.organization", spec.root.organization)
    yield from _authority_problems(spec.root, renew_before_days)
    if spec.intermediate:
        yield from _intermediate_problems(spec.intermediate, spec.root, renew_before_days)

    counts = Counter(certificate.name for certificate in spec.certificates)
    yield from (f"{_entry(name)}: is declared {count} times" for name, count in counts.items() if count > 1)
    for certificate in spec.certificates:
        yield from _certificate_problems(certificate, spec, renew_before_days)


def _authority_problems(ca: AuthoritySpec, renew_before_days: int) -> Iterator[str]:
    yield from _subject_problems(f"{ca.option}.common_name", ca.common_name_of(ca.generation or 1))
    yield from _life_problems(f"{ca.option}.valid_days", ca.valid_days, renew_before_days)
    if ca.passphrase == b"":
        yield f"{ca.option}.passphrase: is empty; omit it for a key that is not encrypted"
    if not 0 <= ca.path_length <= _MAX_PATH_LENGTH:
        yield f"{ca.option}.path_length: {ca.path_length} is not between 0 and {_MAX_PATH_LENGTH}"
    if ca.generation is not None and not 1 <= ca.generation <= _MAX_GENERATION:
        yield f"{ca.option}.generation: {ca.generation} is not between 1 and {_MAX_GENERATION}"


def _intermediate_problems(ca: AuthoritySpec, root: AuthoritySpec, renew_before_days: int) -> Iterator[str]:
    yield from _authority_problems(ca, renew_before_days)
    if ca.common_name == root.common_name:
        yield "ca.intermediate.common_name: is the same as the root's, so that it would look self-issued"
    if root.path_length < 1:
        yield f"ca.path_length: {root.path_length} leaves no room for the intermediate CA; use at least 1, or omit it"


def _certificate_problems(certificate: CertificateSpec, spec: PkiSpec, renew_before_days: int) -> Iterator[str]:
    where = _entry(certificate.name)
    if not _NAME.fullmatch(certificate.name):
        yield f"{where}: name: at most 64 of a-z, 0-9, '.', '_' and '-', beginning with a letter or digit"
    if certificate.name in _RESERVED_NAMES or certificate.name.endswith(".chain"):
        yield f"{where}: name: the folder already uses this name for a file of its own"
    if certificate.state is not State.PRESENT:
        return
    yield from _subject_problems(f"{where}: common_name", certificate.common_name)
    if certificate.common_name in {ca.common_name for ca in (spec.root, spec.intermediate) if ca}:
        yield f"{where}: common_name: is the same as the CA's, so that the certificate would look self-issued"
    if not certificate.usage:
        yield f"{where}: usage: is empty; set server, client or both"
    if Usage.SERVER in certificate.usage and not _names_a_host(certificate.alt_names):
        yield f"{where}: subject_alt_names: a server needs a DNS name or IP address here; clients ignore common names"
    yield from _constraint_problems(where, certificate, spec.root.name_constraints)
    yield from _life_problems(f"{where}: valid_days", certificate.valid_days, renew_before_days)
    if certificate.pkcs12 and not certificate.pkcs12_passphrase:
        yield f"{where}: pkcs12_passphrase: is missing, but a bundle with a private key must be encrypted"


def _constraint_problems(where: str, certificate: CertificateSpec, constraints: NameConstraints) -> Iterator[str]:
    for name in certificate.alt_names:
        if not constraints.allow(name):
            yield f"{where}: subject_alt_names: ca.name_constraints do not allow the CA to issue for '{name}'"
    # OpenSSL takes a common name with a dot for a host where there is no other DNS name, be it a valid one or not.
    host = certificate.common_name
    is_taken_for_host = (
        "." in host
        and re.fullmatch(r"[A-Za-z0-9_.-]+", host)
        and not any(name.kind is NameKind.DNS for name in certificate.alt_names)
    )
    if is_taken_for_host and not constraints.allow(AltName(NameKind.DNS, host.lower())):
        yield f"{where}: common_name: ca.name_constraints do not allow the CA to issue for '{host}'"


def _names_a_host(alt_names: Sequence[AltName]) -> bool:
    return any(alt.kind in (NameKind.DNS, NameKind.IP) for alt in alt_names)


def _subject_problems(where: str, text: str) -> Iterator[str]:
    if not text.strip():
        yield f"{where}: is empty"
    elif len(text) > _MAX_SUBJECT_TEXT:
        yield f"{where}: has {len(text)} characters, and RFC 5280 allows {_MAX_SUBJECT_TEXT}"
    elif not text.isprintable():
        yield f"{where}: has characters that are not printable"


def _days_problems(where: str, days: int) -> Iterator[str]:
    if not 1 <= days <= _MAX_DAYS:
        yield f"{where}: {days} is not between 1 and {_MAX_DAYS}"


def _life_problems(where: str, days: int, renew_before_days: int) -> Iterator[str]:
    yield from _days_problems(where, days)
    if days <= renew_before_days:
        yield f"{where}: {days} is not more than renew_before_days ({renew_before_days}), so every run would renew it"
