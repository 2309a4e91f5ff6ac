# SPDX-License-Identifier: GPL-3.0-or-later
"""What PostgreSQL stores of a password (RFC 5803), so that the password itself is in no statement."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os

ITERATIONS = 4096  # PostgreSQL's own default


def verifier(password: str) -> str:
    """The verifier of a password of printable ASCII, in the form that PASSWORD '...' takes as it is."""
    salt = os.urandom(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, ITERATIONS)

    def digest(what: bytes) -> bytes:
        return hmac.new(salted, what, hashlib.sha256).digest()

    stored = hashlib.sha256(digest(b"Client Key")).digest()
    parts = [base64.b64encode(part).decode() for part in (salt, stored, digest(b"Server Key"))]
    return f"SCRAM-SHA-256${ITERATIONS}:{parts[0]}${parts[1]}:{parts[2]}"
