# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
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
