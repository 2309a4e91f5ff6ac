# SPDX-License-Identifier: GPL-3.0-or-later
"""Corrections of Secrets Manager: what AWS refuses and moto takes."""

from __future__ import annotations

import base64
import time
from typing import Any

from moto.secretsmanager import exceptions, models

from ..settings import settings
from .replace import replaces

LARGEST = 65536
# When a name was freed by a forced deletion, by account, region and name.
freed: dict[tuple[str, str, str], float] = {}


def refuse_large(text: str | None, binary: str | None) -> None:
    """AWS stores 65536 bytes at most."""
    size = len((text or "").encode()) or len(base64.b64decode(binary or ""))
    if size > LARGEST:
        raise exceptions.SecretsManagerClientError(
            "ValidationException",
            f"1 validation error detected: a value of {size} bytes failed to satisfy constraint: Member must have "
            f"length less than or equal to {LARGEST}",
        )


# AWS does not give a name again while its secret is scheduled for deletion, nor for some time after a forced deletion.
@replaces(models.SecretsManagerBackend, "create_secret")
def create_secret(
    original: Any, backend: Any, name: str, secret_string: str | None, secret_binary: str | None, **more: Any
) -> Any:
    refuse_large(secret_string, secret_binary)
    there = backend.secrets.get(name)
    since = time.monotonic() - freed.get((backend.account_id, backend.region_name, name), float("-inf"))
    if (there and there.is_deleted()) or since < settings.deletion_seconds:
        raise exceptions.InvalidRequestException(
            "You can't create this secret because a secret with this name is already scheduled for deletion."
        )
    return original(backend, name=name, secret_string=secret_string, secret_binary=secret_binary, **more)


@replaces(models.SecretsManagerBackend, "delete_secret")
def delete_secret(original: Any, backend: Any, secret_id: str, **more: Any) -> Any:
    answer = original(backend, secret_id=secret_id, **more)
    if more.get("force_delete_without_recovery"):
        freed[(backend.account_id, backend.region_name, answer[1])] = time.monotonic()
    return answer


@replaces(models.SecretsManagerBackend, "put_secret_value")
def put_secret_value(
    original: Any, backend: Any, secret_id: str, secret_string: str, secret_binary: str, **more: Any
) -> Any:
    refuse_large(secret_string, secret_binary)
    return original(backend, secret_id=secret_id, secret_string=secret_string, secret_binary=secret_binary, **more)


# Where no version is asked for, AWS gives the one that has the label AWSCURRENT; moto gives the one that was put last.
@replaces(models.SecretsManagerBackend, "update_secret_version_stage")
def update_secret_version_stage(original: Any, backend: Any, secret_id: str, **more: Any) -> Any:
    answer = original(backend, secret_id=secret_id, **more)
    secret = backend.secrets[secret_id]
    for version, content in secret.versions.items():
        if "AWSCURRENT" in content["version_stages"]:
            secret.set_default_version_id(version)
    return answer
