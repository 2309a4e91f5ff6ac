# SPDX-License-Identifier: GPL-3.0-or-later
"""What is in the folder now. A folder that is not there yet is an empty one.

A leaf's file that cannot be understood is a finding, since a new one can be made; for CAs see ``read_authorities``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from .compare_ownership import attribute_changes
from .errors import FolderError, IntermediateUndeclaredError
from .facts import is_consistent, revocations
from .files import Found, list_files, read_file
from .layout import AuthorityFiles, Layout, Tier, parse_record_name
from .ownership import AttributeChange
from .read_authorities import generation_named, read_former, read_in_place
from .spec import PkiSpec
from .stored_authority import StoredAuthority

with suppress(ImportError):  # the module says so, with missing_required_lib
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

if TYPE_CHECKING:
    from .authority import PrivateKey

    RevocationLists = tuple[x509.CertificateRevocationList, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CurrentCertificate:
    private_key: Found[PrivateKey]
    certificate: Found[x509.Certificate]
    chain: Found[bytes]
    pkcs12: Found[bytes]


@dataclass(frozen=True, slots=True)
class IssuedCertificate:
    """A line of the ledger; the file's name counts, also where its content is damaged."""

    name: str
    serial: int
    certificate: x509.Certificate | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Current:
    """``intermediate`` is ``None`` where none is declared. ``revoked`` comes from the ledger and from the CRLs."""

    root: StoredAuthority
    intermediate: StoredAuthority | None
    former: tuple[StoredAuthority, ...]
    bundle: Found[bytes]
    certificates: Mapping[str, CurrentCertificate]
    crls: Found[RevocationLists]
    issued: tuple[IssuedCertificate, ...]
    revoked: Mapping[int, datetime]
    attributes: tuple[AttributeChange, ...]

    @property
    def authorities(self) -> tuple[StoredAuthority, ...]:
        """All CAs, the one that issues first."""
        in_place = (self.intermediate, self.root) if self.intermediate else (self.root,)
        return (*in_place, *self.former)

    def signer_of(self, certificate: x509.Certificate) -> StoredAuthority | None:
        return next((ca for ca in self.authorities if ca.issued(certificate)), None)

    def crl_of(self, ca: StoredAuthority) -> x509.CertificateRevocationList | None:
        return next((crl for crl in self.crls.value or () if ca.signed(crl)), None)


def read_current(spec: PkiSpec, layout: Layout) -> Current:
    _refuse_links(layout)
    issued = _read_issued(layout)
    root, intermediate, former = _read_authorities(spec, layout, issued)
    authorities = [ca for ca in (intermediate, root, *former) if ca]
    crls = read_file(layout.crl, _load_crls)
    names = {entry.name for entry in spec.certificates} | {entry.name for entry in issued}
    return Current(
        root=root,
        intermediate=intermediate,
        former=former,
        bundle=read_file(layout.ca_bundle, bytes),
        certificates={
            certificate.name: _read_certificate(layout, certificate.name) for certificate in spec.certificates
        },
        crls=crls,
        issued=issued,
        revoked=_read_revoked(layout, crls.value or (), authorities),
        attributes=attribute_changes(layout, names, [_files_of(layout, ca) for ca in former], spec.ownership),
    )


def _refuse_links(layout: Layout) -> None:
    """Through a link, keys and the ledger would be read and written elsewhere."""
    for folder in (layout.issued, layout.former):
        if folder.is_symlink():
            raise FolderError(f"Opening {folder}", "it is a link, but must be a folder")


def _read_authorities(
    spec: PkiSpec, layout: Layout, issued: tuple[IssuedCertificate, ...]
) -> tuple[StoredAuthority, StoredAuthority | None, tuple[StoredAuthority, ...]]:
    former_roots = read_former(layout, spec.root)
    leaves = [entry.certificate for entry in issued if entry.certificate]
    has_issued = bool(issued or former_roots)
    if spec.intermediate is None:
        below = layout.authority_files(Tier.INTERMEDIATE).certificate
        if below.exists():
            raise IntermediateUndeclaredError(
                f"Comparing the declaration with {below}", "the folder has an intermediate CA, but none is declared"
            )
        root = read_in_place(layout, spec.root, former_roots, leaves, has_issued=has_issued, may_be_offline=False)
        return root, None, _without(root, former_roots)

    former = read_former(layout, spec.intermediate)
    named_by_it = any(generation_named(leaf.issuer, spec.intermediate) is not None for leaf in leaves)
    intermediate = read_in_place(
        layout,
        spec.intermediate,
        former,
        leaves,
        has_issued=bool(former) or named_by_it,
        may_be_offline=False,
    )
    authorities = [ca.certificate for ca in (intermediate, *former) if ca.certificate]
    root = read_in_place(
        layout,
        spec.root,
        former_roots,
        [*leaves, *authorities],
        has_issued=has_issued or intermediate.certificate is not None,
        may_be_offline=intermediate.certificate is not None,
    )
    return root, intermediate, (*_without(root, former_roots), *_without(intermediate, former))


def _files_of(layout: Layout, former: StoredAuthority) -> AuthorityFiles:
    return layout.former_files(former.tier, former.generation)


def _without(in_place: StoredAuthority, former: tuple[StoredAuthority, ...]) -> tuple[StoredAuthority, ...]:
    """Those that are former indeed: a run may have been cut off after it had copied the one in place."""
    return tuple(ca for ca in former if ca.generation != in_place.generation)


# --- leaf certificates and revocation lists: what cannot be understood can be made again


def _read_certificate(layout: Layout, name: str) -> CurrentCertificate:
    files = layout.files_of(name)
    return CurrentCertificate(
        private_key=read_file(files.private_key, _load_leaf_key),
        certificate=read_file(files.certificate, x509.load_pem_x509_certificate),
        chain=read_file(files.chain, bytes),
        pkcs12=read_file(files.pkcs12, bytes),
    )


def _load_leaf_key(pem: bytes) -> PrivateKey:
    try:
        # OpenSSL's own check tests for primes: 0.2 s for each RSA key of 3072 bits, in every run.
        key = serialization.load_pem_private_key(pem, password=None, unsafe_skip_rsa_key_validation=True)
    except TypeError:  # cryptography 38 does not know that; nor is an encrypted key read this way or the other
        key = serialization.load_pem_private_key(pem, password=None)
    if isinstance(key, rsa.RSAPrivateKey) and not is_consistent(key):
        raise ValueError("the numbers of this RSA key do not match")
    return key  # type: ignore[return-value]  # a key of another type is replaced


_CRL = re.compile(rb"-----BEGIN X509 CRL-----.*?-----END X509 CRL-----", re.DOTALL)


def _load_crls(pem: bytes) -> RevocationLists:
    """Every list in the file. Raises :class:`ValueError` where one is damaged, or there is none."""
    found = tuple(x509.load_pem_x509_crl(part) for part in _CRL.findall(pem))
    if not found or len(found) != pem.count(b"-----BEGIN"):
        raise ValueError("not a complete list")
    return found


def _read_issued(layout: Layout) -> tuple[IssuedCertificate, ...]:
    return tuple(
        IssuedCertificate(*named, read_file(record, x509.load_pem_x509_certificate).value)
        for record in list_files(layout.issued, ".crt")
        if (named := parse_record_name(record))
    )


def _read_revoked(layout: Layout, crls: RevocationLists, authorities: list[StoredAuthority]) -> Mapping[int, datetime]:
    revoked: dict[int, datetime] = {}
    for crl in crls:
        if any(ca.signed(crl) for ca in authorities):
            revoked.update(revocations(crl))
    for record in list_files(layout.issued, ".revoked"):
        if named := parse_record_name(record):
            moment = read_file(record, _load_moment).value
            revoked.setdefault(named[1], moment or datetime.fromtimestamp(int(record.stat().st_mtime), UTC))
    return revoked


def _load_moment(text: bytes) -> datetime:
    return datetime.fromisoformat(text.decode().strip()).astimezone(UTC)
