# SPDX-License-Identifier: GPL-3.0-or-later
"""What a role's defaults say and what its argument specification says is the same."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from support.checkout import ROOT

ROLES = sorted(path for path in (ROOT / "roles").iterdir() if path.is_dir())


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
class TestRole:
    def options(self, role: Path) -> dict:
        spec = yaml.safe_load((role / "meta" / "argument_specs.yml").read_text())
        return spec["argument_specs"]["settings" if role.name == "site" else "main"].get("options", {})

    def defaults(self, role: Path) -> dict:
        file = role / "defaults" / "main.yml"
        return yaml.safe_load(file.read_text()) if file.exists() else {}

    def test_defaults_and_specification_have_the_same_keys(self, role: Path) -> None:
        assert set(self.options(role)) == set(self.defaults(role))

    def test_literal_defaults_are_the_same(self, role: Path) -> None:
        defaults = self.defaults(role)
        for name, option in self.options(role).items():
            if "default" in option and "{{" not in str(defaults[name]):
                assert option["default"] == defaults[name], name

    def test_names_begin_with_the_role(self, role: Path) -> None:
        prefix = "orthweb_" if role.name == "site" else f"{role.name}_"
        assert all(name.startswith(prefix) for name in self.defaults(role))

    def test_it_says_what_it_is(self, role: Path) -> None:
        assert (role / "README.md").read_text().startswith("#")

    def test_its_table_of_contents_is_short(self, role: Path) -> None:
        if role.name != "site":
            assert len((role / "tasks" / "main.yml").read_text().splitlines()) <= 45


def test_the_site_has_nothing_to_run() -> None:
    """Each role depends on it, and each play begins with it: whatever it had would run each time."""
    site = ROLES[0].parent / "site"
    assert not (site / "tasks").exists() and not (site / "handlers").exists()
    assert "main" not in yaml.safe_load((site / "meta" / "argument_specs.yml").read_text())["argument_specs"]
