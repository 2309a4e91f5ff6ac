# SPDX-License-Identifier: GPL-3.0-or-later
"""Who logs in to the portal: what is kept of each account."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError

ROUNDS = 5000


def portal_users(users: list[dict[str, Any]], kept: dict[str, str], pepper: str, generate: str) -> list[dict[str, Any]]:
    """Each with ``name``, ``role``, ``kind``, ``mail``, ``password`` (empty if only its hash is known) and
    ``password_hash``.

    :param kept: generated passwords from before, by name
    :param pepper: a secret, from which salts are made: the same password has the same hash each time
    :param generate: 64 random letters and digits or more, from which new passwords are made
    """
    try:
        from passlib.hash import sha512_crypt
    except ImportError as error:
        raise AnsibleFilterError(
            f"Passwords cannot be hashed on the controller: {error}. Install libpass, as listed in requirements.txt."
        ) from error
    complete = []
    for user in users:
        name, password_hash = user["name"], user.get("password_hash") or ""
        password = ""
        if not password_hash:
            generated = hashlib.sha256(f"{generate} {name}".encode()).hexdigest()[:32]
            password = user.get("password") or kept.get(name) or generated
            salt = hashlib.sha256(f"{pepper} {name} {password}".encode()).hexdigest()[:16]
            password_hash = sha512_crypt.using(rounds=ROUNDS, salt=salt).hash(password)
        described = {
            "name": name,
            "role": user["role"],
            "kind": user.get("kind", "person"),
            "mail": user.get("mail", ""),
        }
        complete.append({**described, "password": password, "password_hash": password_hash})
    return complete


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"portal_users": portal_users}
