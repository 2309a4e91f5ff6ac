# SPDX-License-Identifier: GPL-3.0-or-later
"""What people who join are told: files and names are there, links lead somewhere, hooks are those of ``make lint``."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from support.checkout import ROOT

CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text()
PAGES = sorted(
    page
    for pattern in ("*.md", ".github/*.md", "docs/architecture.md", "docs/decisions/*.md")
    for page in ROOT.glob(pattern)
)
FILE = re.compile(r"`((?:[\w.-]+/)+[\w.*-]*)`")
# Names of our own: Python's and Jinja's private ones, constants, and classes.
NAME = re.compile(r"`(__?[a-z]\w+|_?[A-Z][A-Z_]{3,}|(?:[A-Z][a-z]+){2,})`")


def named_files(text: str) -> set[str]:
    """Of this checkout: what begins with one of its folders. What people add to it themselves need not be there."""
    found = (file for file in FILE.findall(text) if "/host_vars/" not in file)
    return {file for file in found if (ROOT / file.partition("/")[0]).exists()}


def test_the_recipes_name_files() -> None:
    assert len(named_files(CONTRIBUTING)) > 40


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_names_is_there(page: Path) -> None:
    text = page.read_text()
    assert {file for file in named_files(text) if not any(ROOT.glob(file.rstrip("/")))} == set()
    links = {link.partition("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in link}
    assert {link for link in links if link and not (page.parent / link).exists()} == set()


def test_names_are_in_the_files_that_are_named() -> None:
    files = [ROOT / file for file in named_files(CONTRIBUTING) if (ROOT / file).is_file()]
    texts = " ".join(file.read_text() for file in files)
    names = set(NAME.findall(CONTRIBUTING))
    assert len(names) > 6
    assert {name for name in names if not re.search(rf"\b{name}\b", texts)} == set()


def test_hooks_use_what_is_here() -> None:
    [repository] = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert repository["repo"] == "local"
    lint = (ROOT / "Makefile").read_text().replace("$(VENV)", ".venv")
    for hook in repository["hooks"]:
        command = hook["entry"].partition(" --")[0]
        assert re.search(rf"^\t{re.escape(command)}\b", lint, flags=re.MULTILINE), hook["id"]


def test_nothing_of_this_is_published() -> None:
    ignored = yaml.safe_load((ROOT / "galaxy.yml").read_text())["build_ignore"]
    assert {"CONTRIBUTING.md", "SECURITY.md", ".*"} <= set(ignored)
