# SPDX-License-Identifier: GPL-3.0-or-later
"""Which files of a package need each other."""

from __future__ import annotations

import ast
from pathlib import Path


def imports_of(file: Path, package: Path) -> set[Path]:
    """The files of the package that ``file`` imports from, which it does by relative names."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            folder = file.parents[node.level - 1]
            target = folder.joinpath(*(node.module or "").split("."))
            names = [target / alias.name for alias in node.names] if target.is_dir() else [target]
            found |= {name.with_suffix(".py") for name in names}
    return {each for each in found if each.is_relative_to(package)}


def all_needed_by(file: Path, package: Path) -> set[Path]:
    """The same, with what those import, and so on."""
    found, left = set(), {file}
    while left:
        found |= left
        left = {other for each in left for other in imports_of(each, package)} - found
    return found - {file}
