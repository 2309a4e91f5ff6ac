# SPDX-License-Identifier: GPL-3.0-or-later
"""Accounts, peers and PKIs for the modules."""

from __future__ import annotations

from support.fixtures.aws import account, run
from support.fixtures.dicom import archive, authority, folder, instances, listener, run_module, stranger, unanswered
from support.fixtures.pki import client, pki, server

__all__ = [
    "account",
    "archive",
    "authority",
    "client",
    "folder",
    "instances",
    "listener",
    "pki",
    "run",
    "run_module",
    "server",
    "stranger",
    "unanswered",
]
