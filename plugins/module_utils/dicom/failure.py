# SPDX-License-Identifier: GPL-3.0-or-later
"""The ways in which talking to a DICOM peer fails, each with a name that stays and a sentence that helps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

FailureName = Literal[
    "name_not_resolved",
    "resolver_timeout",
    "connection_refused",
    "host_unreachable",
    "connect_timeout",
    "tls_timeout",
    "tls_not_spoken",
    "tls_expected",
    "tls_failed",
    "certificate_unknown",
    "certificate_expired",
    "certificate_not_yet_valid",
    "certificate_wrong_name",
    "certificate_revoked",
    "client_certificate_demanded",
    "client_certificate_refused",
    "connection_closed",
    "not_dicom",
    "association_timeout",
    "association_rejected",
    "association_aborted",
    "presentation_context_refused",
    "dimse_timeout",
    "dimse_status",
    "file_not_read",
    "internal_error",
]


class DicomError(Exception):
    """One attempt to use a peer, failed.

    ``failure`` names the case for a program, ``str()`` tells it to a person: what was tried, what came back, what to
    do. ``details`` has what the peer said, as data.
    """

    def __init__(self, failure: FailureName, sentence: str, details: Mapping[str, object] | None = None) -> None:
        super().__init__(sentence)
        self.failure = failure
        self.details = dict(details or {})
