# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeping libraries off the terminal, which belongs to the module's result."""

from __future__ import annotations

import logging
import warnings


def silence_libraries() -> None:
    """Stop the libraries from telling standard error about odd values. For a process of our own only."""
    warnings.simplefilter("ignore")
    for name in ("pydicom", "pynetdicom", "dicomweb_client"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
