# SPDX-License-Identifier: GPL-3.0-or-later
"""What PostgreSQL keeps instead of a password, computed here so that the password never travels in a statement."""

from __future__ import annotations

import hashlib
import hmac
import os
from base64 import b64encode
from collections.abc import Callable

from ansible.errors import AnsibleFilterError, AnsibleTypeError

ITERATIONS = 4096  # PostgreSQL's own, and the least that RFC 7677 allows
SALT_BYTES = 16


def scram_sha_256_verifier(password: object, salt: bytes | None = None) -> str:
    """``SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>`` (RFC 5803, RFC 7677), as ``pg_authid`` has it.

    Only printable ASCII, where SASLprep (RFC 4013) changes nothing and every client agrees on the bytes.
    """
    if not isinstance(password, str):
        raise AnsibleTypeError(f"Expected a string, got {type(password).__name__}.")
    if not password or not (password.isascii() and password.isprintable()):
        raise AnsibleFilterError(
            "A database password must be printable ASCII: letters, digits and signs, at least one."
        )
    salt = salt or os.urandom(SALT_BYTES)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, ITERATIONS)
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    server_key = hmac.digest(salted, b"Server Key", "sha256")
    stored_key = hashlib.sha256(client_key).digest()
    encoded = [b64encode(part).decode() for part in (salt, stored_key, server_key)]
    return f"SCRAM-SHA-256${ITERATIONS}:{encoded[0]}${encoded[1]}:{encoded[2]}"


class FilterModule:
    def filters(self) -> dict[str, Callable[..., str]]:
        return {"scram_sha_256_verifier": scram_sha_256_verifier}
