# SPDX-License-Identifier: GPL-3.0-or-later
"""Make this checkout importable as ``ansible_collections.cellcs.orthweb``, as Ansible does, and group tests.

Those of one group run one after the other; groups run beside each other.
"""

from __future__ import annotations

import importlib.util
import os
import sys

import pytest

if importlib.util.find_spec("support"):
    pytest.register_assert_rewrite("support")
else:  # ansible-test does not read pyproject.toml
    sys.modules["support"] = importlib.import_module("ansible_collections.cellcs.orthweb.tests.support")

from ansible.utils.collection_loader._collection_finder import _AnsibleCollectionFinder
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from support.checkout import COLLECTIONS, ROOT

if (ROOT / ".venv").exists():  # else ansible-test has done it
    _AnsibleCollectionFinder(paths=[str(COLLECTIONS)])._install()

MARKERS = (
    "long: takes minutes, as it deploys one stack several times, or goes a way that another test goes too",
    "slow: starts whole programs, waits for time-outs, or goes on with more of a kind that another test has already;"
    " not in make test-unit",
    "engine: needs Docker and our images, though the other tests of its folder do not",
    "needs: the programs that are named",
)

# What shares ports or names on the engine, or one simulated account, stays in one process. The longest groups begin.
FIRST = ("integration", "aws", "rehearsal", "own_stacks", "machine", "hosts", "package", "ansible_test")


def group(test: str) -> str:
    """Of a test by its node ID, which begins with its path from the checkout."""
    path, _mark, name = test.partition("::")
    folders = path.split("/")[1:-1]
    if folders[0] == "molecule":
        scenario = name.partition("[")[2].rstrip("]")
        if scenario.startswith("aws_"):
            return "aws"
        # In containers of their own, or one stack beside that of tests/integration.
        return "hosts" if (ROOT / "molecule" / scenario / "hosts.yml").exists() else "machine"
    if folders[0] == "unit":
        return path  # a file: they need nothing of each other
    return "/".join(folders)


def pytest_configure(config: pytest.Config) -> None:
    for marker in MARKERS:
        config.addinivalue_line("markers", marker)
    if (ROOT / ".venv").exists():
        os.environ["PYTHONPATH"] = str(ROOT / "tests" / "support" / "module_bytecode")


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
