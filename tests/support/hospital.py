# SPDX-License-Identifier: GPL-3.0-or-later
"""Whom the archive of the integration tests knows, and where it listens: a hospital with a bit of everything."""

from __future__ import annotations

from typing import Any

ACCOUNTS = {
    "admin": "admin",
    "rosa": "radiologist",
    "rita": "reader",
    "lena": "reader",
    "leo": "reader",
    "lars": "reader",
    "ulf": "uploader",
}

# Networks of two addresses: this machine's, and that of who is there.
MODALITY_NETWORK, DISPLAY_NETWORK = "192.0.2.4/30", "192.0.2.32/30"
MODALITY, DISPLAY = "192.0.2.6", "192.0.2.34"
DISPLAY_PORT = 11113

INTERNET, VPN, OPTIONAL, PLAIN, OLD = 22112, 22762, 22763, 22104, 22765

WORKSTATION: dict[str, Any] = {"name": "workstation", "aet": "WORKSTATION"}
MODALITIES: list[dict[str, Any]] = [
    WORKSTATION,
    # Whoever calls from its address gets in there, without a listener that is written down.
    {"name": "old", "aet": "OLD", "host": MODALITY, "tls": False, "listener": PLAIN},
    {"name": "display", "aet": "DISPLAY", "further_aets": ["DISPLAY-WEST"], "host": DISPLAY, "port": DISPLAY_PORT},
    {"name": "gone", "aet": "GONE", "host": "gone.invalid"},  # nginx starts all the same
]
LISTENERS: list[dict[str, Any]] = [
    {"port": INTERNET},
    {"port": VPN, "client_certificate": "none", "allowed": [f"{MODALITY}/32"]},
    {"port": OPTIONAL, "client_certificate": "optional", "allowed": [f"{MODALITY}/32"]},
    {"port": OLD, "tls_profile": "widest"},
]
SETTINGS: dict[str, Any] = {
    "orthweb_users": [
        *({"name": name, "role": role} for name, role in ACCOUNTS.items()),
        {"name": "export", "role": "reader", "kind": "program"},
    ],
    "orthweb_modalities": MODALITIES,
    "orthweb_dicom_listeners": LISTENERS,
    "nginx_ready_ranges": [f"{MODALITY}/32"],  # as if a load balancer were there
}
