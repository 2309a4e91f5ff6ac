# SPDX-License-Identifier: GPL-3.0-or-later
"""TLS as a DICOM client speaks it (PS3.15 Annex B): contexts and certificates."""

from __future__ import annotations

import contextlib
import ssl
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

with contextlib.suppress(ImportError):  # the module says what is missing
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization

from ..peer import TlsOptions
from .failures import TOO_WEAK


@dataclass(frozen=True)
class Certificate:
    """What a certificate says about whom, by whom and until when."""

    subject: str
    subject_alt_names: tuple[str, ...]
    issuer: str
    not_valid_after: str
    days_left: int

    @classmethod
    def from_der(cls, der: bytes, now: datetime) -> Certificate:
        """Read a certificate. Raises ``ValueError`` if it is none."""
        certificate = x509.load_der_x509_certificate(der)
        end = certificate.not_valid_after_utc
        return cls(
            subject=certificate.subject.rfc4514_string(),
            subject_alt_names=_subject_alt_names(certificate),
            issuer=certificate.issuer.rfc4514_string(),
            not_valid_after=end.strftime("%Y-%m-%dT%H:%M:%SZ"),
            days_left=(end - now).days,
        )

    def to_result(self) -> dict[str, Any]:
        """Return the certificate as a module's result."""
        return asdict(self) | {"subject_alt_names": list(self.subject_alt_names)}


@dataclass(frozen=True)
class TlsSession:
    """What a handshake came to."""

    version: str
    cipher: str
    client_certificate_requested: bool
    certificate_der: bytes | None = field(default=None, repr=False)

    @property
    def peer_certificate(self) -> Certificate | None:
        """Return the certificate that the peer has shown, verified or not. It is read now: the peer does not wait."""
        return _certificate(self.certificate_der)


class TlsOptionsError(Exception):
    """A file or a passphrase of ``TlsOptions`` cannot be used."""


class WatchedSocket(ssl.SSLSocket):
    """Knows whether the peer has asked for a client certificate (CertificateRequest, RFC 8446 §4.3.2).

    Under TLS 1.3 the client has finished its handshake before the server looks at its certificate, or misses it: the
    alert comes later, and is lost if the server closes on unread data. That the peer had asked is then all there is to
    tell a missing certificate from a broken service.
    """

    client_certificate_requested = False


class TlsContexts:
    """Contexts by the options that they come from, each made once.

    To load the authorities that a machine trusts takes tens of milliseconds, which many peers need not pay each.
    """

    def __init__(self) -> None:
        self._made: dict[TlsOptions, ssl.SSLContext] = {}

    def context(self, options: TlsOptions) -> ssl.SSLContext:
        """Return the context that ``options`` describe. Raises ``TlsOptionsError``."""
        nameless = replace(options, server_name="")  # the only option that belongs to the connection
        if nameless not in self._made:
            self._made[nameless] = client_context(options)
        return self._made[nameless]


def client_context(options: TlsOptions) -> ssl.SSLContext:
    """Return the context that ``options`` describe. Raises ``TlsOptionsError`` for the first file that is no good."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.sslsocket_class = WatchedSocket
    # The only way that Python has to see handshake messages. Not public, so it may be gone one day.
    if hasattr(context, "_msg_callback"):
        context._msg_callback = _note_certificate_request
    context.minimum_version = ssl.TLSVersion.TLSv1_3 if options.minimum_version == "1.3" else ssl.TLSVersion.TLSv1_2
    if not options.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif options.ca_file:
        _load_authorities(context, "ca_file", options.ca_file)
    else:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    if options.crl_file:
        _load_authorities(context, "crl_file", options.crl_file)
        context.verify_flags |= ssl.VerifyFlags.VERIFY_CRL_CHECK_LEAF
    if options.client_certificate:
        _load_client_certificate(context, options.client_certificate, options)
    return context


def unverified_context() -> ssl.SSLContext:
    """Return a context that takes any certificate, to look at what a peer shows; nothing is ever sent over it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def tls_problems(options: TlsOptions | None, contexts: TlsContexts | None = None) -> list[str]:
    """Return all that is wrong with the files of ``options``. If that is nothing, ``contexts`` has their context."""
    if options is None:
        return []
    problems = [
        f"{option}: {problem}"
        for option in ("ca_file", "crl_file", "client_certificate", "client_key")
        if (path := getattr(options, option)) and (problem := file_problem(path))
    ]
    if not problems:
        try:
            (contexts or TlsContexts()).context(options)
        except TlsOptionsError as error:
            problems.append(str(error))
    return problems


def file_problem(path: str) -> str | None:
    """Say what keeps ``path`` from being read, or ``None``."""
    try:
        with Path(path).open("rb"):
            return None
    except OSError as error:
        return f"cannot read {path}: {error.strerror}"


def certificate_shown(socket: ssl.SSLSocket) -> Certificate | None:
    """Return the certificate that the peer has shown, verified or not."""
    return _certificate(socket.getpeercert(binary_form=True))


def _certificate(der: bytes | None) -> Certificate | None:
    if not der:
        return None
    with contextlib.suppress(ValueError, x509.InvalidVersion):
        return Certificate.from_der(der, datetime.now(UTC))
    return None


def _note_certificate_request(
    socket: Any, direction: str, _version: Any, _content: Any, message: Any, _data: bytes
) -> None:
    if direction == "read" and getattr(message, "name", "") == "CERTIFICATE_REQUEST":
        socket.client_certificate_requested = True


def _load_authorities(context: ssl.SSLContext, option: str, path: str) -> None:
    try:
        context.load_verify_locations(path)
    except (ssl.SSLError, OSError) as error:
        raise TlsOptionsError(f"{option}: {path} has no PEM that OpenSSL can read ({error})") from error


def _load_client_certificate(context: ssl.SSLContext, certificate: str, options: TlsOptions) -> None:
    """Load certificate and key. A passphrase is always given, or else OpenSSL would ask the terminal for one."""
    key = options.client_key or certificate
    try:
        context.load_cert_chain(certificate, options.client_key, password=options.client_key_passphrase or "")
    except ssl.SSLError as error:
        reason = error.reason or ""
        if reason == "KEY_VALUES_MISMATCH":
            raise TlsOptionsError(f"client_key: {key} is not the key of {certificate}") from error
        if reason.endswith(("_TOO_SMALL", "_TOO_WEAK")):
            raise TlsOptionsError(
                f"client_certificate: OpenSSL rejects {certificate}, which is too weak ({reason}). {TOO_WEAK}"
            ) from error
        problem = _key_problem(key, options.client_key_passphrase)
        raise TlsOptionsError(problem or f"client_certificate: {certificate} is not a PEM certificate") from error
    except ValueError as error:
        raise TlsOptionsError(f"client_key_passphrase: cannot be used: {error}") from error


def _key_problem(key: str, passphrase: str | None) -> str | None:
    """Say what is wrong with a private key that OpenSSL does not take; its own message is the same for all."""
    try:
        serialization.load_pem_private_key(Path(key).read_bytes(), passphrase.encode() if passphrase else None)
    except TypeError:
        return None if passphrase else f"client_key_passphrase: is missing, but {key} is encrypted"
    except (ValueError, UnsupportedAlgorithm):
        if passphrase:
            return f"client_key_passphrase: does not decrypt {key}, or the file is not a PEM private key"
        return f"client_key: {key} is not a PEM private key"
    return None


def _subject_alt_names(certificate: x509.Certificate) -> tuple[str, ...]:
    """Return the subject alternative names as OpenSSL writes them: ``DNS:archive``, ``IP:10.0.0.1``."""
    kinds = {"DNSName": "DNS", "IPAddress": "IP", "RFC822Name": "email", "UniformResourceIdentifier": "URI"}
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, x509.DuplicateExtension, x509.UnsupportedGeneralNameType, ValueError):
        return ()
    return tuple(f"{kinds.get(type(name).__name__, 'other')}:{name.value}" for name in names)
