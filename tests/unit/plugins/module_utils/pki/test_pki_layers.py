# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of ``module_utils/pki``: no circle, and what is decided does not depend on reading or writing files."""

from __future__ import annotations

from graphlib import TopologicalSorter

import pytest

from support.checkout import ROOT
from support.imports import all_needed_by, imports_of

PACKAGE = ROOT / "plugins" / "module_utils" / "pki"
FILES = sorted(PACKAGE.glob("*.py"))


def test_there_is_no_circle():
    assert set(TopologicalSorter({file: imports_of(file, PACKAGE) for file in FILES}).static_order()) == set(FILES)


@pytest.mark.parametrize("name", ["spec", "decisions", "ownership", "stored_authority"])
def test_what_is_decided_does_without_files(name):
    needed = {file.stem for file in all_needed_by(PACKAGE / f"{name}.py", PACKAGE)}
    assert needed.isdisjoint({"files", "read_authorities", "compare_ownership", "apply_ownership", "apply", "current"})
    assert all((PACKAGE / f"{each}.py").exists() for each in needed)


def test_reading_needs_files():
    assert PACKAGE / "files.py" in all_needed_by(PACKAGE / "current.py", PACKAGE)
