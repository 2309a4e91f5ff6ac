# SPDX-License-Identifier: GPL-3.0-or-later
"""Is this peer alive, and if not, why: connect, associate, C-ECHO, and tell how far it went."""

from __future__ import annotations

import ssl
import statistics
import time
from dataclasses import dataclass, replace
from typing import Any

from ..failure import DicomError
from ..net import failures
from ..net.association import Association, AssociationRequest, echo_command
from ..net.pdu import VERIFICATION, PeerInformation, verification_proposal
from ..net.tls import Certificate, TlsSession
from ..net.transport import Stopwatch, open_tcp, start_tls
from ..peer import Peer


@dataclass(frozen=True)
class Report:
    """How far one check of a peer went. What was not reached is ``None``, or empty."""

    peer: Peer
    attempts: int = 1
    failure: DicomError | None = None
    tcp_ms: float | None = None
    tls_ms: float | None = None
    association_ms: float | None = None
    echo_ms: tuple[float, ...] = ()
    tls: TlsSession | None = None
    certificate: Certificate | None = None
    information: PeerInformation | None = None

    @property
    def alive(self) -> bool:
        """Say whether every C-ECHO was answered with success."""
        return self.failure is None

    @property
    def sentence(self) -> str:
        """Tell a person what came out."""
        if self.failure:
            return str(self.failure)
        over = f" over {self.tls.version}" if self.tls else ""
        if self.peer.tls and not self.peer.tls.verify:
            over += ", its certificate not verified"
        return f"{self.peer} answered {len(self.echo_ms)} C-ECHO{over}, in {statistics.median(self.echo_ms):.1f} ms."

    def to_result(self) -> dict[str, Any]:
        """Return the report as a module's result."""
        details = self.failure.details if self.failure else {}
        return {
            "msg": self.sentence,
            "host": self.peer.host,
            "port": self.peer.port,
            "called_aet": self.peer.called_aet,
            "alive": self.alive,
            "failure": self.failure.failure if self.failure else None,
            "attempts": self.attempts,
            "latency_ms": {
                "tcp": self.tcp_ms,
                "tls": self.tls_ms,
                "association": self.association_ms,
                "echo": _spread(self.echo_ms),
            },
            "tls_version": self.tls.version if self.tls else None,
            "cipher": self.tls.cipher if self.tls else None,
            "client_certificate_requested": self.tls.client_certificate_requested if self.tls else None,
            "peer_certificate": self.certificate.to_result() if self.certificate else details.get("peer_certificate"),
            "implementation_class_uid": self.information.implementation_class_uid if self.information else None,
            "implementation_version_name": self.information.implementation_version_name if self.information else None,
            "maximum_pdu": self.information.maximum_pdu if self.information else None,
            "rejection": details.get("rejection"),
            "dimse_status": details.get("dimse_status"),
        }


def check(peer: Peer, count: int = 1, context: ssl.SSLContext | None = None) -> Report:
    """Send ``count`` C-ECHO to ``peer`` over one association; begin again as often as ``peer.retries`` allows.

    ``context`` is the one that ``peer.tls`` describes, if it is there already. Never raises for what the peer does:
    the report says it.
    """
    attempts = 1
    report = _check_once(peer, count, context)
    while not report.alive and attempts <= peer.retries:
        time.sleep(peer.retry_delay)
        attempts += 1
        report = _check_once(peer, count, context)
    certificate = report.tls.peer_certificate if report.tls else None
    return replace(report, attempts=attempts, certificate=certificate)


def _check_once(peer: Peer, count: int, context: ssl.SSLContext | None) -> Report:
    report = Report(peer)
    # Coded before the peer waits for it, and before anything is timed.
    request = AssociationRequest.to(peer, [verification_proposal()])
    command = echo_command(1)
    try:
        connection = open_tcp(peer)
        report = replace(report, tcp_ms=connection.tcp_ms)
        if peer.tls:
            connection = start_tls(connection, peer, context)
            report = replace(report, tls_ms=connection.tls_ms, tls=connection.tls)

        with Association.request(connection, request) as association:
            report = replace(
                report, association_ms=association.establishment_ms, information=association.acceptance.information
            )
            context_id = _verification_context(association)
            for number in range(count):
                if number:
                    command = echo_command(number % 0xFFFF + 1)
                stopwatch = Stopwatch()
                status = association.echo(context_id, command)
                if status != 0x0000:
                    raise failures.of_echo_status(peer, status)
                report = replace(report, echo_ms=(*report.echo_ms, stopwatch.elapsed_ms()))
    except DicomError as failure:
        return replace(report, failure=failure)
    return report


def _verification_context(association: Association) -> int:
    context_id = association.context_for(VERIFICATION)
    if context_id is None:
        reason = association.acceptance.refused[0].reason
        raise failures.verification_refused(association.peer, reason)
    return context_id


def _spread(values: tuple[float, ...]) -> dict[str, float] | None:
    if not values:
        return None
    return {"min": min(values), "median": round(statistics.median(values), 3), "max": max(values)}
