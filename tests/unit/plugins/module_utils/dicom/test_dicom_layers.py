# SPDX-License-Identifier: GPL-3.0-or-later
"""The layers of ``module_utils/dicom``: no file imports from one that stands above it, and there is no circle."""

from __future__ import annotations

from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from support.checkout import ROOT
from support.imports import imports_of

PACKAGE = ROOT / "plugins" / "module_utils" / "dicom"
# From the ground up. What stands in no folder is the ground.
LAYERS = ({"."}, {"net"}, {"echo", "store"}, {"web"})


def layer_of(file: Path) -> int:
    folder = file.relative_to(PACKAGE).parts[0] if file.parent != PACKAGE else "."
    return next(number for number, folders in enumerate(LAYERS) if folder in folders)


FILES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_nothing_imports_from_above(file):
    assert all(other.is_file() for other in imports_of(file, PACKAGE))
    assert [other for other in imports_of(file, PACKAGE) if layer_of(other) > layer_of(file)] == []


def test_echo_and_store_do_without_each_other():
    pairs = {(file.parent.name, other.parent.name) for file in FILES for other in imports_of(file, PACKAGE)}
    assert ("store", "net") in pairs
    assert not pairs & {("echo", "store"), ("store", "echo")}


def test_there_is_no_circle():
    assert set(TopologicalSorter({file: imports_of(file, PACKAGE) for file in FILES}).static_order()) == set(FILES)
