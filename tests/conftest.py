# SPDX-License-Identifier: GPL-3.0-or-later
"""
Make this checkout importable as ``ansible_collections.cellcs.orthweb``, the way Ansible itself does it, and say which
tests may run beside each other.
"""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite("support")

from ansible.utils.collection_loader._collection_finder import _AnsibleCollectionFinder
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from support.checkout import COLLECTIONS, ROOT

_AnsibleCollectionFinder(paths=[str(COLLECTIONS)])._install()

# What shares ports or names on the engine, or one simulated account, stays in one process. The longest groups begin.
ENGINE = ("docs", "integration", "molecule")
FIRST = ("engine", "aws", "rehearsal", "hosts", "package", "ansible_test")


def group(test: str) -> str:
    """Of a test by its node ID, which begins with its path from the checkout."""
    path, _mark, name = test.partition("::")
    folders = path.split("/")[1:-1]
    if folders[0] == "molecule":
        scenario = name.partition("[")[2].rstrip("]")
        if scenario.startswith("aws_"):
            return "aws"
        if (ROOT / "molecule" / scenario / "hosts.yml").exists():
            return "hosts"  # in containers of their own
    return "engine" if folders[0] in ENGINE else "/".join(folders)


class Groups(LoadScopeScheduling):
    """xdist's own groups by marks do not reach it from pytest 9.2 on."""

    def _split_scope(self, nodeid: str) -> str:
        return group(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Groups | None:
    """Unless each test may run beside each other, as those of tests/unit (make test-unit)."""
    return Groups(config, log) if config.getoption("dist") != "worksteal" else None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    groups = {item: group(item.nodeid) for item in items}
    items.sort(key=lambda item: FIRST.index(groups[item]) if groups[item] in FIRST else len(FIRST))
