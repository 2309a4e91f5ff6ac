# SPDX-License-Identifier: GPL-3.0-or-later
"""Peers to talk to."""

from __future__ import annotations

from support.fixtures.dicom import archive, authority, folder, instances, listener, run_module, stranger, unanswered

__all__ = ["archive", "authority", "folder", "instances", "listener", "run_module", "stranger", "unanswered"]
