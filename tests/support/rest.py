# SPDX-License-Identifier: GPL-3.0-or-later
"""The archive over Orthanc's REST API, behind the portal."""

from __future__ import annotations

import requests

from .stack import Stack


def rest(stack: Stack, account: str = "") -> requests.Session:
    """What this account, or the first admin, sees of the archive without a browser."""
    session = requests.Session()
    session.auth, session.verify = stack.login_of(account) if account else stack.login, stack.ca
    session.trust_env = False  # REQUESTS_CA_BUNDLE would win over our CA
    return session


def orthanc_path(stack: Stack, uid: str) -> str:
    """Where Orthanc has what has this UID; nothing if it has it not."""
    found = rest(stack).post(f"{stack.portal}/orthanc/tools/lookup", data=uid, timeout=60).json()
    return found[0]["Path"] if found else ""


def remove(stack: Stack, uid: str) -> None:
    if path := orthanc_path(stack, uid):
        rest(stack).delete(f"{stack.portal}/orthanc{path}", timeout=120).raise_for_status()
