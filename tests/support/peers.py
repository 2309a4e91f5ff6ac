# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of this folder make their peers of."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from typing import Any

from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.peer import Peer, Timeouts, TlsOptions
from pydicom.uid import ExplicitVRLittleEndian, JPEG2000Lossless, JPEGBaseline8Bit, RLELossless
from pynetdicom.sop_class import (
    CTImageStorage,
    MRImageStorage,
    UltrasoundImageStorage,
    UltrasoundMultiFrameImageStorage,
)

from .authority import Authority

SHORT = Timeouts(connect=1.0, tls=0.5, association=0.5, dimse=0.5)
STORED_CLASSES = (CTImageStorage, MRImageStorage, UltrasoundImageStorage, UltrasoundMultiFrameImageStorage)
STORED_SYNTAXES = [ExplicitVRLittleEndian, JPEG2000Lossless, JPEGBaseline8Bit, RLELossless]


@dataclass
class Archive:
    """An SCP in this process, and what was stored in it: SOP instance UIDs and the bytes of the data sets."""

    port: int
    stored: dict[str, bytes]


def server_context(
    authority: Authority, certificate: tuple[str, str], demand: bool = False, version: ssl.TLSVersion | None = None
) -> ssl.SSLContext:
    """Return the TLS context of a server that may demand a client certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    if demand:
        context.load_verify_locations(authority.file)
        context.verify_mode = ssl.CERT_REQUIRED
    if version:
        context.minimum_version = context.maximum_version = version
    return context


def peer_at(port: int, tls: TlsOptions | None = None, **changes: Any) -> Peer:
    """Return a peer on this machine, with short time-outs."""
    settings: dict[str, Any] = {"host": "127.0.0.1", "called_aet": "ORTHANC", "timeouts": SHORT, **changes}
    return Peer(port=port, tls=tls, **settings)


@dataclass(frozen=True)
class Ran:
    """What a module returned."""

    failed: bool
    result: dict[str, Any]
