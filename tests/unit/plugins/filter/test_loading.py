# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible loads all filters of a collection anew in each task that uses one of them, so loading them must be cheap."""

from __future__ import annotations

import subprocess
import sys

from support.checkout import COLLECTIONS, ROOT

LOAD_ALL = """
import sys
from importlib import import_module
from pathlib import Path
from ansible.utils.collection_loader._collection_finder import _AnsibleCollectionFinder

_AnsibleCollectionFinder(paths=[sys.argv[1]])._install()
for file in Path(sys.argv[2]).glob("*.py"):
    import_module(f"ansible_collections.cellcs.orthweb.plugins.filter.{file.stem}")
print(*{name.partition(".")[0] for name in sys.modules})
"""
LARGE = {"boto3", "botocore", "cryptography", "pydicom", "pynetdicom"}


def test_loads_no_large_library() -> None:
    command = [sys.executable, "-c", LOAD_ALL, str(COLLECTIONS), str(ROOT / "plugins" / "filter")]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert "ansible_collections" in loaded
    assert LARGE & set(loaded) == set()
