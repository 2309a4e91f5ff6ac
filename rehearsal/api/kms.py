# SPDX-License-Identifier: GPL-3.0-or-later
"""Corrections of KMS."""

from __future__ import annotations

from typing import Any

from moto.kms import models

from .replace import replaces

# AWS takes the ARN of a key wherever it takes its id; moto looks these up by id only.
for action in ("schedule_key_deletion", "cancel_key_deletion", "enable_key", "disable_key"):

    @replaces(models.KmsBackend, action)
    def by_id_or_arn(original: Any, backend: Any, key_id: str, *args: Any, **kwargs: Any) -> Any:
        return original(backend, key_id.split(":key/")[-1], *args, **kwargs)
