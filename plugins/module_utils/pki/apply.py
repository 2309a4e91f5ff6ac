# SPDX-License-Identifier: GPL-3.0-or-later
"""Carrying a plan out, in an order in which a run that is cut off anywhere leaves what the next run can finish.

A former CA is kept before the new one takes its place, a key comes before the certificate that needs it, a certificate
is in the ledger before it can be handed out, and a revocation is in the ledger before it is in the CRL.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from ..atomic_file import remove_leftovers, write_atomically
from . import facts
from .apply_ownership import apply_attributes, make_folder
from .authority import Authority, certificate_pem, certificates_pem, crl_pem, generate_key, key_pem, pkcs12_bundle
from .current import Current
from .decisions import Action, AuthorityPlan, CertificatePlan, ListPlan, Plan
from .errors import WriteError
from .layout import Layout, Tier
from .ownership import CA_KEY_MODE, PUBLIC_MODE, Ownership
from .spec import KeyType, PkiSpec
from .stored_authority import StoredAuthority

if TYPE_CHECKING:
    from cryptography import x509

    from .authority import PrivateKey


def apply_plan(plan: Plan, spec: PkiSpec, layout: Layout, current: Current, now: datetime) -> None:
    """Make the folder what ``plan`` says; ``current`` is what the plan was made from. Only under the lock."""
    _Run(plan, layout, current, spec.ownership, now).carry_out()


@dataclass(frozen=True, slots=True)
class _Run:
    plan: Plan
    layout: Layout
    current: Current
    ownership: Ownership
    now: datetime

    def carry_out(self) -> None:
        plan, current = self.plan, self.current
        self._prepare_folders()
        for change in plan.attributes:
            with _writing(change.path):
                apply_attributes(change.path, change.mode, self.ownership)

        passphrases = {ca.spec.tier: ca.spec.passphrase for ca in plan.authorities}
        for ca in plan.former_to_encrypt:
            self._keep_former(ca, passphrases[ca.tier])

        keys = self._generate_keys()
        root = self._apply_authority(plan.root, current.root, None, keys)
        authorities = {Tier.ROOT: root}
        if plan.intermediate and current.intermediate:
            authorities[Tier.INTERMEDIATE] = self._apply_authority(plan.intermediate, current.intermediate, root, keys)
        trusted = [root.certificate, *(ca.certificate for ca in _roots(plan.former_in_use) if ca.certificate)]
        if plan.root.action is not Action.KEEP:
            self._write(self.layout.ca_bundle, certificates_pem(trusted), PUBLIC_MODE)

        revoked = self._record_revocations()
        if plan.crl.action is not Action.KEEP:
            lists = [self._revocation_list(entry, authorities, revoked) for entry in plan.crl.lists]
            self._write(self.layout.crl, b"".join(map(crl_pem, lists)), PUBLIC_MODE)
        for entry in plan.certificates:
            if entry.action is Action.REMOVE:
                for file in self.layout.files_of(entry.spec.name):
                    self._remove(file)
            elif entry.makes_certificate or entry.action is Action.REPAIR:
                self._apply_certificate(entry, authorities, trusted, keys)

    def _prepare_folders(self) -> None:
        layout = self.layout
        with _writing(layout.issued):
            make_folder(layout.issued, self.ownership)
            for folder in (layout.folder, layout.issued, layout.former):
                remove_leftovers(folder)

    def _generate_keys(self) -> Mapping[str, PrivateKey]:
        """All new keys, by tier or by certificate name, side by side: it is what takes the time."""
        authorities = [ca for ca in (self.plan.root, self.plan.intermediate) if ca and ca.makes_key]
        wanted: dict[str, KeyType] = {ca.spec.tier: ca.spec.key_type for ca in authorities}
        wanted |= {entry.spec.name: entry.spec.key_type for entry in self.plan.certificates if self._needs_key(entry)}
        with ThreadPoolExecutor() as pool:
            return dict(zip(wanted, pool.map(generate_key, wanted.values()), strict=True))

    # --- CAs

    def _apply_authority(
        self,
        plan: AuthorityPlan,
        found: StoredAuthority,
        issuer: Authority | None,
        keys: Mapping[str, PrivateKey],
    ) -> Authority:
        """``issuer`` is ``None`` for the root."""
        files = self.layout.authority_files(plan.spec.tier)
        if plan.action is Action.REKEY:
            self._keep_former(found, plan.spec.passphrase)
        key = keys[plan.spec.tier] if plan.makes_key else found.key
        if plan.writes_key and key:
            self._write(files.private_key, key_pem(key, plan.spec.passphrase), CA_KEY_MODE)
        if found.certificate and not plan.makes_certificate:
            return Authority(key, found.certificate)
        if key is None:
            raise ValueError(f"the plan makes a certificate of {found.key_path} without the key")
        if issuer is None:
            authority = Authority.self_signed(plan.spec, plan.generation, key, self.now)
        else:
            authority = issuer.issue_authority(plan.spec, plan.generation, key, self.now)
        self._write(files.certificate, certificate_pem(authority.certificate), PUBLIC_MODE)
        return authority

    def _keep_former(self, ca: StoredAuthority, passphrase: bytes | None) -> None:
        files = self.layout.former_files(ca.tier, ca.generation)
        with _writing(self.layout.former):
            make_folder(self.layout.former, self.ownership)
        if ca.certificate:
            self._write(files.certificate, certificate_pem(ca.certificate), PUBLIC_MODE)
        if ca.key:
            self._write(files.private_key, key_pem(ca.key, passphrase), CA_KEY_MODE)

    # --- revocation

    def _record_revocations(self) -> Mapping[int, datetime]:
        """Every revocation, those of this run included."""
        moment = self.now.replace(microsecond=0)
        revoked = dict(self.current.revoked)
        for entry in self.plan.certificates:
            for serial in entry.revokes:
                record = self.layout.revoked_record(entry.spec.name, serial)
                self._write(record, f"{moment.isoformat()}\n".encode(), PUBLIC_MODE)
                revoked[serial] = moment
        return revoked

    def _revocation_list(
        self, plan: ListPlan, authorities: Mapping[Tier, Authority], revoked: Mapping[int, datetime]
    ) -> x509.CertificateRevocationList:
        if plan.keeps is not None:
            return plan.keeps
        if plan.is_former and plan.ca and plan.ca.certificate:
            signer = Authority(plan.ca.key, plan.ca.certificate)
        else:
            signer = authorities[plan.tier]
        # Numbers only ever grow (RFC 5280 §5.2.3), also after a CRL was lost: hence the clock.
        previous = self.current.crl_of(plan.ca) if plan.ca else None
        number = max(0 if previous is None else facts.crl_number(previous) + 1, int(self.now.timestamp()))
        listed = {serial: revoked[serial] for serial in plan.revoked}
        return signer.revocation_list(listed, number=number, ends=plan.ends, now=self.now)

    # --- leaf certificates

    def _needs_key(self, plan: CertificatePlan) -> bool:
        if not plan.makes_certificate:
            return False
        return plan.makes_key or self.current.certificates[plan.spec.name].private_key.value is None

    def _apply_certificate(
        self,
        plan: CertificatePlan,
        authorities: Mapping[Tier, Authority],
        trusted: Iterable[x509.Certificate],
        keys: Mapping[str, PrivateKey],
    ) -> None:
        spec, files = plan.spec, self.layout.files_of(plan.spec.name)
        found = self.current.certificates[spec.name]
        key, certificate = keys.get(spec.name, found.private_key.value), found.certificate.value
        issuing = authorities.get(Tier.INTERMEDIATE, authorities[Tier.ROOT])
        if key is None:
            raise ValueError(f"the plan keeps a key of {spec.name} that is not there")
        if certificate is None or plan.makes_certificate:
            certificate = issuing.issue(spec, key.public_key(), self.now)
        above = self._chain_above(certificate, authorities)

        pem = certificate_pem(certificate)
        private_mode = self.ownership.private_mode
        self._write(files.private_key, key_pem(key), private_mode)
        self._write(self.layout.issued_record(spec.name, certificate.serial_number), pem, PUBLIC_MODE)
        self._write(files.certificate, pem, PUBLIC_MODE)
        self._write(files.chain, certificates_pem((certificate, *above)), PUBLIC_MODE)
        if spec.pkcs12:
            bundle = pkcs12_bundle(spec.name, spec.pkcs12_passphrase, key, certificate, [*above, *trusted])
            self._write(files.pkcs12, bundle, private_mode)
        else:
            self._remove(files.pkcs12)

    def _chain_above(
        self, certificate: x509.Certificate, authorities: Mapping[Tier, Authority]
    ) -> list[x509.Certificate]:
        """The intermediate CA that has signed it, the one in place or a former one; none under a root."""
        former = (ca.certificate for ca in self.plan.former_in_use if ca.tier is Tier.INTERMEDIATE)
        in_place = (ca.certificate for tier, ca in authorities.items() if tier is Tier.INTERMEDIATE)
        return [ca for ca in (*in_place, *former) if ca and facts.is_issuer_of(ca, certificate)][:1]

    # --- files

    def _write(self, path: Path, data: bytes, mode: int) -> None:
        with _writing(path):
            write_atomically(path, data, mode=mode, owner=self.ownership.ids)

    def _remove(self, path: Path) -> None:
        with _writing(path):
            path.unlink(missing_ok=True)


def _roots(authorities: Iterable[StoredAuthority]) -> Iterator[StoredAuthority]:
    return (ca for ca in authorities if ca.tier is Tier.ROOT)


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise WriteError(f"Writing {path}", error.strerror or str(error)) from error
