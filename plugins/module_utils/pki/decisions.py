# SPDX-License-Identifier: GPL-3.0-or-later
"""What may be decided, and what for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from .layout import Tier
from .ownership import AttributeChange
from .spec import AuthoritySpec, CertificateSpec
from .stored_authority import StoredAuthority

if TYPE_CHECKING:
    from cryptography import x509


class Action(StrEnum):
    KEEP = "keep"
    ISSUE = "issue"  # there was none
    RENEW = "renew"  # a new certificate for the same key
    REKEY = "rekey"  # a new key and a new certificate
    REPAIR = "repair"  # the files are completed from what is there
    REVOKE = "revoke"
    REMOVE = "remove"


class Reason(StrEnum):
    GENERATION_DIFFERS = "generation_differs"
    KEY_MISSING = "key_missing"
    KEY_UNREADABLE = "key_unreadable"
    KEY_TYPE_DIFFERS = "key_type_differs"
    KEY_DIFFERS = "key_differs"
    KEY_EXPOSED = "key_exposed"
    KEY_NOT_ENCRYPTED = "key_not_encrypted"
    CERTIFICATE_MISSING = "certificate_missing"
    CERTIFICATE_UNREADABLE = "certificate_unreadable"
    ISSUER_DIFFERS = "issuer_differs"
    SUBJECT_DIFFERS = "subject_differs"
    SUBJECT_ALT_NAME_DIFFERS = "subject_alt_name_differs"
    USAGE_DIFFERS = "usage_differs"
    PATH_LENGTH_DIFFERS = "path_length_differs"
    NAME_CONSTRAINTS_DIFFER = "name_constraints_differ"
    VALID_DAYS_EXCEEDED = "valid_days_exceeded"
    OUTLIVES_CA = "outlives_ca"
    EXPIRES_SOON = "expires_soon"
    REVOKED = "revoked"
    RECORD_MISSING = "record_missing"
    CHAIN_MISSING = "chain_missing"
    CHAIN_DIFFERS = "chain_differs"
    BUNDLE_MISSING = "bundle_missing"
    BUNDLE_DIFFERS = "bundle_differs"
    PKCS12_MISSING = "pkcs12_missing"
    PKCS12_DIFFERS = "pkcs12_differs"
    PKCS12_EXPOSED = "pkcs12_exposed"
    PKCS12_UNDECLARED = "pkcs12_undeclared"
    CRL_MISSING = "crl_missing"
    CRL_UNREADABLE = "crl_unreadable"
    REVOCATIONS_DIFFER = "revocations_differ"
    DECLARED_REVOKED = "declared_revoked"
    DECLARED_ABSENT = "declared_absent"


Reasons = tuple[Reason, ...]

_NEW_CERTIFICATE = frozenset({Action.ISSUE, Action.RENEW, Action.REKEY})
_CA_KEY_FILE = frozenset({Reason.KEY_MISSING, Reason.KEY_EXPOSED, Reason.KEY_NOT_ENCRYPTED})


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorityPlan:
    """For the root or the intermediate CA. ``ends`` is its certificate's last second, once this is done."""

    spec: AuthoritySpec
    action: Action
    reasons: Reasons = ()
    generation: int
    ends: datetime

    @property
    def makes_key(self) -> bool:
        return self.action is Action.REKEY or Reason.KEY_MISSING in self.reasons

    @property
    def makes_certificate(self) -> bool:
        return self.action in _NEW_CERTIFICATE

    @property
    def writes_key(self) -> bool:
        return self.makes_key or not _CA_KEY_FILE.isdisjoint(self.reasons)


@dataclass(frozen=True, slots=True)
class CertificatePlan:
    spec: CertificateSpec
    action: Action
    reasons: Reasons = ()
    makes_key: bool = False
    revokes: tuple[int, ...] = ()  # serial numbers

    @property
    def makes_certificate(self) -> bool:
        return self.action in _NEW_CERTIFICATE


@dataclass(frozen=True, slots=True, kw_only=True)
class ListPlan:
    """The list of one CA: of a former one, or of the one in place on that ``tier``."""

    tier: Tier
    ca: StoredAuthority | None  # None: this run makes it
    is_former: bool = False
    keeps: x509.CertificateRevocationList | None  # as it is; else it is signed anew
    reasons: Reasons
    revoked: frozenset[int]  # serial numbers
    ends: datetime


@dataclass(frozen=True, slots=True)
class CrlPlan:
    """The file of all lists: that of the CA that issues first."""

    action: Action
    reasons: Reasons = ()
    lists: tuple[ListPlan, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """``undeclared`` are names with a live certificate that the declaration does not mention."""

    root: AuthorityPlan
    intermediate: AuthorityPlan | None
    former_in_use: tuple[StoredAuthority, ...]
    former_to_encrypt: tuple[StoredAuthority, ...]
    certificates: tuple[CertificatePlan, ...]
    crl: CrlPlan
    attributes: tuple[AttributeChange, ...]
    undeclared: tuple[str, ...]

    @property
    def issuing(self) -> AuthorityPlan:
        return self.intermediate or self.root

    @property
    def authorities(self) -> tuple[AuthorityPlan, ...]:
        return (self.root, self.intermediate) if self.intermediate else (self.root,)

    @property
    def changes_anything(self) -> bool:
        actions = {self.crl.action}
        actions.update(ca.action for ca in self.authorities)
        actions.update(entry.action for entry in self.certificates)
        return actions != {Action.KEEP} or bool(self.attributes) or bool(self.former_to_encrypt)
