# SPDX-License-Identifier: GPL-3.0-or-later
"""Somebody tidies up: the key does not rotate any more, nobody knows whose it is, and in a week it is gone."""

from __future__ import annotations

from api import STACK, client

kms = client("kms")
key = kms.describe_key(KeyId=f"alias/{STACK}")["KeyMetadata"]["KeyId"]
kms.disable_key_rotation(KeyId=key)
kms.untag_resource(KeyId=key, TagKeys=["team"])
kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
