# SPDX-License-Identifier: GPL-3.0-or-later
"""An account for the inventories to look at."""

from __future__ import annotations

from support.fixtures.aws import account

__all__ = ["account"]
