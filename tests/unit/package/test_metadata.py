# SPDX-License-Identifier: GPL-3.0-or-later
"""galaxy.yml and the roles' metadata say what is in the collection."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from support.checkout import ROOT

ROLES = sorted(path for path in (ROOT / "roles").iterdir() if path.is_dir())
OTHERS = r"(?<![\w./])((?:amazon|ansible|community)\.(?!builtin|module_utils|plugins|utils|errors)[a-z_]+)\.[a-z_]+"


def test_every_collection_that_is_used_is_a_dependency() -> None:
    published = [
        file for folder in ("inventory", "playbooks", "plugins", "roles") for file in (ROOT / folder).rglob("*")
    ]
    texts = [file.read_text() for file in published if file.suffix in (".yml", ".py", ".j2")]
    used = {name for text in [*texts, (ROOT / "ansible.cfg").read_text()] for name in re.findall(OTHERS, text)}
    assert used == set(yaml.safe_load((ROOT / "galaxy.yml").read_text())["dependencies"])


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_galaxy_calls_a_role_what_it_calls_itself(role: Path) -> None:
    meta = yaml.safe_load((role / "meta" / "main.yml").read_text())
    specs = yaml.safe_load((role / "meta" / "argument_specs.yml").read_text())["argument_specs"]
    entry = specs["settings" if role.name == "site" else "main"]
    assert meta["galaxy_info"]["description"] == entry["short_description"]
    # A dependency would run unasked; the site's settings have nothing to run.
    assert meta["dependencies"] == ([] if role.name == "site" else ["cellcs.orthweb.site"])


def test_each_source_file_has_the_licence_header() -> None:
    """One line; ansible-test wants the name of the licence, too, where documentation is in the file."""
    licence = "# SPDX-License-Identifier: GPL-3.0-or-later"
    folders = ("benchmarks", "docs", "molecule", "plugins", "rehearsal", "tests", "tools")
    files = [file for folder in folders for file in (ROOT / folder).rglob("*.py")]
    assert len(files) > 300
    for file in files:
        head = [line for line in file.read_text().splitlines()[:3] if line.startswith("# ")]
        if file.parent in [ROOT / "plugins" / name for name in ("callback", "inventory", "lookup", "modules")]:
            head = [line for line in head if not line.startswith("# GNU General Public License v3.0+")]
        assert head == [licence], file
