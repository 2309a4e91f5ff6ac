# SPDX-License-Identifier: GPL-3.0-or-later
"""A username and a generated password in Secrets Manager: what is in it, and what of it has to change."""

from __future__ import annotations

import json
import secrets
import string
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .resource import lacking_tags, tags_of


@dataclass(frozen=True)
class Update:
    """What to hand to UpdateSecret, and the tags that are missing. False if there is neither."""

    options: dict[str, str]
    tags: dict[str, str]

    def __bool__(self) -> bool:
        return bool(self.options or self.tags)


def generated(length: int) -> str:
    """Letters and digits: the upstream Orthanc image would expand a dollar sign, and a URI would need escapes."""
    return "".join(secrets.choice(string.ascii_letters + string.digits) for unused in range(length))


def written(username: str, password: str) -> str:
    """The text of a new secret."""
    return json.dumps({"username": username, "password": password})


def read(text: str) -> dict[str, Any]:
    """What a secret holds; others may have added keys. Raises :class:`ValueError` if it has no password."""
    kept = json.loads(text)
    if not isinstance(kept, dict) or not kept.get("password"):
        raise ValueError("no password")
    return kept


def update_of(
    described: Mapping[str, Any],
    kept: Mapping[str, Any],
    username: str,
    kms_key: str | None,
    tags: Mapping[str, str],
    password: str | None = None,
) -> Update:
    """What makes a secret that is there one of this user, under this key, with these tags.

    :param described: what DescribeSecret says
    :param kept: what :func:`read` gives
    :param kms_key: an ID or an ARN; without one, the key is left as it is
    :param password: a new one; without one, it stays
    """
    options: dict[str, str] = {}
    wanted = {**kept, "username": username, "password": password or kept["password"]}
    if wanted != kept:
        options["SecretString"] = json.dumps(wanted)
    if kms_key and _key_id(kms_key) != _key_id(described.get("KmsKeyId", "")):
        options["KmsKeyId"] = kms_key
    return Update(options, lacking_tags(tags, tags_of(described.get("Tags"))))


def _key_id(key: str) -> str:
    return key.rpartition("/")[2]
