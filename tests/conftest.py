# SPDX-License-Identifier: GPL-3.0-or-later
"""
Make this checkout importable as ``ansible_collections.cellcs.orthweb``, the way Ansible itself does it, and say which
tests may run beside each other.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible.utils.collection_loader._collection_finder import _AnsibleCollectionFinder

ROOT = Path(__file__).resolve().parents[1]
COLLECTIONS = ROOT / ".venv" / "collections"

_AnsibleCollectionFinder(paths=[str(COLLECTIONS)])._install()

# What shares an engine and its ports, or one simulated account, stays in one process. The longest groups begin.
ENGINE = ("docs", "integration", "molecule", "package", "rehearsal")
FIRST = ("engine", "aws", "ansible_test")


def group(item: pytest.Item) -> str:
    folders = item.path.relative_to(ROOT / "tests").parts[:-1]
    if folders[:1] == ("molecule",) and "[aws_" in item.name:
        return "aws"
    return "engine" if folders[0] in ENGINE else "/".join(folders)


@pytest.hookimpl(tryfirst=True)  # xdist reads the groups in its own
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    groups = {item: group(item) for item in items}
    for item, name in groups.items():
        item.add_marker(pytest.mark.xdist_group(name))
    items.sort(key=lambda item: FIRST.index(groups[item]) if groups[item] in FIRST else len(FIRST))
