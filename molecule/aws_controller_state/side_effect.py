# SPDX-License-Identifier: GPL-3.0-or-later
"""Somebody tidies up: nobody knows whose secret it is, and in a week it is gone."""

from __future__ import annotations

from api import STACK, client

secrets = client("secretsmanager")
secrets.untag_resource(SecretId=f"{STACK}/controller", TagKeys=["team"])
secrets.delete_secret(SecretId=f"{STACK}/controller", RecoveryWindowInDays=7)
