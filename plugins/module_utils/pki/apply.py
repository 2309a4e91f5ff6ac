# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carrying a plan out, in an order in which a run that is cut off anywhere leaves what the next run can finish.

A key comes before the certificate that needs it, a certificate is in the ledger before it can be handed out, and a
revocation is in the ledger before it is in the CRL.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from ..atomic_file import remove_leftovers, write_atomically
from . import facts
from .authority import Authority, certificate_pem, crl_pem, generate_key, key_pem, pkcs12_bundle
from .current import Current, CurrentCa, CurrentCertificate
from .errors import WriteError
from .layout import Layout
from .plan import Action, CaPlan, CertificatePlan, Plan
from .spec import CaSpec, PkiSpec

_PRIVATE, _PUBLIC = 0o600, 0o644


def apply_plan(plan: Plan, spec: PkiSpec, layout: Layout, current: Current, now: datetime) -> None:
    """Make the folder what ``plan`` says; ``current`` is what the plan was made from. Only under the lock."""
    with _writing(layout.issued):
        layout.issued.mkdir(mode=0o700, exist_ok=True)
        remove_leftovers(layout.folder)
        remove_leftovers(layout.issued)

    authority = _apply_ca(plan.ca, spec.ca, layout, current.ca, now)
    revoked = _record_revocations(plan, layout, current, now)
    if plan.crl.action is not Action.KEEP:
        _write_crl(authority, revoked, spec, layout, current, now)
    for entry in plan.certificates:
        if entry.action is Action.REMOVE:
            for file in layout.files_of(entry.spec.name):
                _remove(file)
        elif entry.makes_certificate or entry.action is Action.REPAIR:
            _apply_certificate(entry, layout, current.certificates[entry.spec.name], authority, now)


def _apply_ca(plan: CaPlan, spec: CaSpec, layout: Layout, ca: CurrentCa, now: datetime) -> Authority:
    key = ca.key or generate_key(spec.key_type)
    if plan.writes_key:
        _write(layout.ca_key, key_pem(key, spec.passphrase), _PRIVATE)
    if ca.certificate and not plan.makes_certificate:
        authority = Authority(key, ca.certificate)
    else:
        authority = Authority.self_signed(spec, key, now)
        _write(layout.ca_certificate, certificate_pem(authority.certificate), _PUBLIC)
    if plan.action is not Action.KEEP:
        _write(layout.ca_bundle, certificate_pem(authority.certificate), _PUBLIC)
    return authority


def _record_revocations(plan: Plan, layout: Layout, current: Current, now: datetime) -> Mapping[int, datetime]:
    """Every revocation, those of this run included."""
    moment = now.replace(microsecond=0)
    revoked = dict(current.revoked)
    for entry in plan.certificates:
        for serial in entry.revokes:
            _write(layout.revoked_record(entry.spec.name, serial), f"{moment.isoformat()}\n".encode(), _PUBLIC)
            revoked[serial] = moment
    return revoked


def _write_crl(
    authority: Authority,
    revoked: Mapping[int, datetime],
    spec: PkiSpec,
    layout: Layout,
    current: Current,
    now: datetime,
) -> None:
    # Numbers only ever grow (RFC 5280 §5.2.3), also after a CRL was lost: hence the clock.
    previous = 0 if current.crl.value is None else facts.crl_number(current.crl.value)
    number = max(previous + 1, int(now.timestamp()))
    crl = authority.revocation_list(revoked, number=number, valid_days=spec.crl_valid_days, now=now)
    _write(layout.crl, crl_pem(crl), _PUBLIC)


def _apply_certificate(
    plan: CertificatePlan, layout: Layout, found: CurrentCertificate, authority: Authority, now: datetime
) -> None:
    spec, files = plan.spec, layout.files_of(plan.spec.name)
    key, certificate = found.private_key.value, found.certificate.value
    if key is None or plan.makes_key:
        key = generate_key(spec.key_type)
    if certificate is None or plan.makes_certificate:
        certificate = authority.issue(spec, key.public_key(), now)

    pem = certificate_pem(certificate)
    _write(files.private_key, key_pem(key), _PRIVATE)
    _write(layout.issued_record(spec.name, certificate.serial_number), pem, _PUBLIC)
    _write(files.certificate, pem, _PUBLIC)
    _write(files.chain, pem, _PUBLIC)  # no intermediate CA yet
    if spec.pkcs12:
        _write(files.pkcs12, pkcs12_bundle(spec, key, certificate, authority.certificate), _PRIVATE)
    else:
        _remove(files.pkcs12)


def _write(path: Path, data: bytes, mode: int) -> None:
    with _writing(path):
        write_atomically(path, data, mode=mode)


def _remove(path: Path) -> None:
    with _writing(path):
        path.unlink(missing_ok=True)


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise WriteError(f"Writing {path}", error.strerror or str(error)) from error
