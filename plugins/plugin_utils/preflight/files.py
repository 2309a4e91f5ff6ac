# SPDX-License-Identifier: GPL-3.0-or-later
"""Files on the controller that settings name."""

from __future__ import annotations

from pathlib import Path


def has_words(file: object, *words: str) -> bool:
    """Whether there is such a file, with all these words."""
    path = Path(str(file))
    text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    return all(word in text for word in words)


def has_certificate(file: object) -> bool:
    """Whether there is such a file, with a certificate in PEM format."""
    return has_words(file, "BEGIN CERTIFICATE")
