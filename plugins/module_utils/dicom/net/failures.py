# SPDX-License-Identifier: GPL-3.0-or-later
"""What an error on the way to a peer means: the failure that it is, what was tried, what came back, what to do.

All of these only look at what they are given. Whoever has met an error asks here, and raises what is returned.
"""

from __future__ import annotations

import ssl

from ..failure import DicomError, FailureName
from ..peer import Peer
from ..words import abort_in_words, rejection_in_words, rejection_remedy, status_in_words

# OpenSSL's x509_vfy.h
_CERTIFICATE_FAILURE: dict[int, FailureName] = {
    9: "certificate_not_yet_valid",
    10: "certificate_expired",
    23: "certificate_revoked",
    62: "certificate_wrong_name",
    64: "certificate_wrong_name",
}
_CERTIFICATE_REMEDY: dict[str, str] = {
    "certificate_unknown": "Set ca_file to the authority that issued it.",
    "certificate_not_yet_valid": "Compare the clocks of both machines.",
    "certificate_expired": "Have the peer's certificate renewed, and the new one loaded. If it was, compare the clocks "
    "of both machines.",
    "certificate_revoked": "Do not trust this peer until it has a new certificate.",
    "certificate_wrong_name": "Use a host name from the certificate, set server_name to one, or have the certificate "
    "reissued.",
}
TOO_WEAK = "Have it reissued with an RSA key of at least 2048 bits or an elliptic-curve key, and signed with SHA-256"
# Where the code says more than the failure does.
_REMEDY_OF_CODE: dict[int, str] = {
    2: "ca_file contains an intermediate authority, but not the one above it: add the root to ca_file.",
    3: "Renew crl_file: it contains no revocation list of that authority.",
    12: "Renew crl_file: it is out of date.",
    26: "Have it reissued for servers (extended key usage serverAuth).",
    66: f"{TOO_WEAK}.",
    67: f"An authority above it has too weak a key. {TOO_WEAK}, the authority first.",
    68: f"Its signature, or that of an authority above it, is too weak. {TOO_WEAK}.",
}

# Alerts that speak of our certificate, as OpenSSL calls them (RFC 8446 §6.2)
_ALERTS_ON_OUR_CERTIFICATE = {
    "TLSV1_ALERT_UNKNOWN_CA": "the peer does not know the authority that issued it",
    "SSLV3_ALERT_BAD_CERTIFICATE": "the peer considers it invalid",
    "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE": "the peer does not support its type",
    "SSLV3_ALERT_CERTIFICATE_REVOKED": "the peer considers it revoked",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "the peer considers it expired",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": "the peer does not accept it",
    "TLSV1_ALERT_ACCESS_DENIED": "the peer denies it access",
    "TLSV1_ALERT_DECRYPT_ERROR": "the peer could not verify its signature",
}
_NOT_TLS = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG"})
_VERSION_REASONS = frozenset({"TLSV1_ALERT_PROTOCOL_VERSION", "UNSUPPORTED_PROTOCOL"})


# The name, and TCP


def name_without_address(peer: Peer) -> DicomError:
    return DicomError("name_not_resolved", f"The name {peer.host} has no address. Correct the name.")


def name_not_resolved(peer: Peer, error: Exception) -> DicomError:
    return DicomError(
        "name_not_resolved",
        f"The name {peer.host} does not resolve ({error}). Correct the name, or fix the resolver of this machine.",
    )


def resolver_timeout(peer: Peer) -> DicomError:
    return DicomError(
        "resolver_timeout",
        f"The resolver of this machine did not answer for the name {peer.host} within {peer.timeouts.connect:g} s. "
        "Check its name servers (/etc/resolv.conf), or use an IP address.",
    )


def of_tcp(peer: Peer, address: str, error: OSError) -> DicomError:
    """Say why an address of the peer does not let us connect."""
    where = str(peer) if address == peer.host else f"{peer} (address {address})"
    if isinstance(error, ConnectionRefusedError):
        return DicomError(
            "connection_refused",
            f"{where} refuses the connection: nothing listens on that port. Start the service, or correct the port.",
        )
    if isinstance(error, ConnectionResetError):
        return DicomError(
            "connection_closed",
            f"{where} reset the connection as soon as it was opened. Check its log, or that of a proxy in between.",
        )
    if isinstance(error, TimeoutError):
        return DicomError(
            "connect_timeout",
            f"{where} does not answer within {peer.timeouts.connect:g} s. "
            "A firewall drops the packets, or the machine is off.",
        )
    return DicomError("host_unreachable", f"{where} cannot be reached: {error.strerror or error}. Check the network.")


# TLS


def tls_files_not_read(peer: Peer, error: Exception) -> DicomError:
    return DicomError("file_not_read", f"Cannot speak TLS with {peer}: {error}.")


def of_handshake(peer: Peer, error: OSError, client_certificate_requested: bool) -> DicomError:
    """Say why the TLS handshake failed."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _of_peer_certificate(peer, error)
    if isinstance(error, (ssl.SSLEOFError, ConnectionError)):
        return DicomError(
            "tls_failed",
            f"{peer} closed the connection during the TLS handshake. It may not speak TLS on this port, or may want "
            "another version or cipher. Check its log.",
        )
    if isinstance(error, ssl.SSLError):
        return of_tls(peer, error, client_certificate_requested)
    if isinstance(error, TimeoutError):
        return DicomError(
            "tls_timeout",
            f"{peer} accepted the connection, but did not finish the TLS handshake within {peer.timeouts.tls:g} s. It "
            "may not speak TLS on this port, or may be overloaded.",
        )
    return DicomError("tls_failed", f"The connection to {peer} was lost during the TLS handshake: {error}.")


def of_tls(peer: Peer, error: ssl.SSLError, client_certificate_requested: bool) -> DicomError:
    """Say what a TLS error means that is not about the peer's certificate, in the handshake or at a later read."""
    if peer.tls is None:
        raise AssertionError(f"{peer} is spoken to in the clear")
    reason = error.reason or ""
    # Where a TLS 1.2 server misses the client certificate, it sends handshake_failure (RFC 5246 §7.4.6).
    if reason == "TLSV13_ALERT_CERTIFICATE_REQUIRED" or (
        client_certificate_requested and not peer.tls.client_certificate and "_ALERT_" in reason
    ):
        return client_certificate_demanded(peer)
    if peer.tls.client_certificate and reason in _ALERTS_ON_OUR_CERTIFICATE:
        return DicomError(
            "client_certificate_refused",
            f"{peer} refuses our certificate {peer.tls.client_certificate}: {_ALERTS_ON_OUR_CERTIFICATE[reason]} "
            f"(alert {reason}). Use one that the peer's authority has issued, and that is neither expired nor revoked.",
        )
    if reason in _NOT_TLS:
        return DicomError(
            "tls_not_spoken",
            f"{peer} does not speak TLS on this port: its answer to our ClientHello is not TLS. Set tls: false, or use "
            "the port where it speaks TLS.",
        )
    if reason in _VERSION_REASONS:
        return DicomError(
            "tls_failed",
            f"{peer} and we have no TLS version in common: we ask for {peer.tls.minimum_version} or above ({reason}). "
            "Enable a current version on the peer (PS3.15 §B.9 asks for 1.2 and 1.3).",
        )
    return DicomError(
        "tls_failed",
        f"The TLS handshake with {peer} failed: {reason or error}. Compare versions and ciphers of both sides.",
    )


def client_certificate_demanded(peer: Peer) -> DicomError:
    """Say that the peer does without us unless we show a certificate."""
    return DicomError(
        "client_certificate_demanded",
        f"{peer} requires a client certificate, and none is set. Set client_certificate and client_key to one that its "
        "authority has issued.",
    )


def tls_expected(peer: Peer) -> DicomError:
    return DicomError("tls_expected", f"{peer} expects TLS, but the connection was not encrypted. Set tls: true.")


def _of_peer_certificate(peer: Peer, error: ssl.SSLCertVerificationError) -> DicomError:
    failure = _CERTIFICATE_FAILURE.get(error.verify_code, "certificate_unknown")
    remedy = _REMEDY_OF_CODE.get(error.verify_code, _CERTIFICATE_REMEDY[failure])
    said = error.verify_message.rstrip(".")
    return DicomError(failure, f"The certificate of {peer} is not accepted: {said}. {remedy}")


# The association


def not_dicom(peer: Peer, what: str) -> DicomError:
    return DicomError("not_dicom", f"{peer} {what}. It is not a DICOM service, or a faulty one: check the port.")


def association_timeout(peer: Peer, seconds: float) -> DicomError:
    return DicomError(
        "association_timeout",
        f"{peer} accepted the connection, but did not answer A-ASSOCIATE-RQ within {seconds:g} s. It may be "
        "overloaded, or may not be a DICOM service.",
    )


def request_cut_off(peer: Peer) -> DicomError:
    return DicomError(
        "connection_closed", f"{peer} closed the connection in the middle of its answer to A-ASSOCIATE-RQ."
    )


def request_not_answered(peer: Peer, client_certificate_requested: bool) -> DicomError:
    """Say why a peer closes the connection rather than answer A-ASSOCIATE-RQ, as far as can be known."""
    if peer.tls is None or not client_certificate_requested:
        return DicomError(
            "connection_closed",
            f"{peer} closed the connection without an answer to A-ASSOCIATE-RQ. The DICOM service behind it is down, "
            "or it does not accept us. Check its log.",
        )
    if not peer.tls.client_certificate:
        return client_certificate_demanded(peer)
    return DicomError(
        "connection_closed",
        f"{peer} asked for our certificate, then closed the connection without an answer to A-ASSOCIATE-RQ. It does "
        f"not accept {peer.tls.client_certificate} (another authority, expired or revoked), or the DICOM service "
        "behind it is down. Check its log.",
    )


def of_rejection(peer: Peer, pdu: bytes) -> DicomError:
    """Say what an A-ASSOCIATE-RJ means (PS3.8 §9.3.4)."""
    if len(pdu) < 10:
        return not_dicom(peer, "answered with an A-ASSOCIATE-RJ that is too short")
    result, source, reason = pdu[7], pdu[8], pdu[9]
    words = rejection_in_words(result, source, reason)
    return DicomError(
        "association_rejected",
        f"{peer} {words['result']} the association asked for by {peer.calling_aet.strip()}: "
        f"{words['reason']}, says {words['source']} (PS3.8 §9.3.4). {rejection_remedy(source, reason)}",
        {"rejection": words},
    )


def of_abort(peer: Peer, pdu: bytes, operation: str) -> DicomError:
    """Say what an A-ABORT means (PS3.8 §9.3.8)."""
    if len(pdu) < 10:
        return not_dicom(peer, "sent an A-ABORT that is too short")
    return DicomError(
        "association_aborted",
        f"{peer} answered {operation} with A-ABORT, by {abort_in_words(pdu[8], pdu[9])} (PS3.8 §9.3.8). "
        "Its log says why.",
    )


def release_instead(peer: Peer, operation: str) -> DicomError:
    return DicomError(
        "association_aborted", f"{peer} asked to release the association instead of answering {operation}."
    )


# DIMSE


def dimse_timeout(peer: Peer, operation: str) -> DicomError:
    # Of a C-STORE, the file may be the cause as well: what else is sent tells.
    guess = " It may be overloaded, or its database may be." if operation == "C-ECHO" else ""
    return DicomError(
        "dimse_timeout",
        f"{peer} accepted the association, but did not answer {operation} within {peer.timeouts.dimse:g} s.{guess}",
    )


def operation_cut_off(peer: Peer, operation: str) -> DicomError:
    return DicomError(
        "connection_closed",
        f"{peer} closed the connection in the middle of a {operation}. Its log, or a proxy's, says why.",
    )


def verification_refused(peer: Peer, reason: str) -> DicomError:
    return DicomError(
        "presentation_context_refused",
        f"{peer} accepted the association, but not the Verification SOP class: {reason} "
        "(PS3.8 §9.3.3.2). It does not answer C-ECHO, or not to our calling AE title.",
    )


def of_echo_status(peer: Peer, status: int) -> DicomError:
    """Say what a C-ECHO means that was answered with another status than success."""
    return DicomError(
        "dimse_status",
        f"{peer} answered C-ECHO with status {status:04X}: {status_in_words(status)} (PS3.7 §9.1.5.1.4). "
        "Its log says why.",
        {"dimse_status": f"{status:04X}"},
    )
