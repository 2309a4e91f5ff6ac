# SPDX-License-Identifier: GPL-3.0-or-later
"""A PKI to work on."""

from __future__ import annotations

from support.fixtures.pki import client, pki, server

__all__ = ["client", "pki", "server"]
