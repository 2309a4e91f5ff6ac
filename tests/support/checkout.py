# SPDX-License-Identifier: GPL-3.0-or-later
"""Where this checkout is, and what `make venv-test` has put into it."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
COLLECTIONS = ROOT / ".venv" / "collections"
if not COLLECTIONS.exists():  # the copy that ansible-test runs on is in such a folder itself
    COLLECTIONS = ROOT.parents[2]
PLAYBOOK = ROOT / ".venv" / "bin" / "ansible-playbook"
