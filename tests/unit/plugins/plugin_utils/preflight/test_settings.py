# SPDX-License-Identifier: GPL-3.0-or-later
"""A setting that nobody knows is named, with the nearest one that there is."""

from __future__ import annotations

import re

import pytest
from ansible_collections.cellcs.orthweb.plugins.plugin_utils.preflight.settings import SETTINGS, setting_problems

from support.checkout import ROOT

NOT_SETTINGS = {"orthweb_admin"}  # a user of RDS


def test_they_are_those_that_playbooks_roles_and_inventories_read() -> None:
    files = [file for folder in ("playbooks", "roles", "inventory") for file in (ROOT / folder).rglob("*.yml")]
    read = {name for file in files for name in re.findall(r"\borthweb_[a-z0-9_]+", file.read_text())}
    assert set(SETTINGS) == read - NOT_SETTINGS


def test_what_is_known_is_fine() -> None:
    assert list(setting_problems(SETTINGS)) == []


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (
            "orthweb_portal_prot",
            "orthweb_portal_prot is no setting of this archive: did you mean orthweb_portal_port?",
        ),
        ("orthweb_modality", "orthweb_modality is no setting of this archive: did you mean orthweb_modalities?"),
        ("orthweb_xyzzyxyzzy", "orthweb_xyzzyxyzzy is no setting of this archive: docs/index.md leads"),
    ],
)
def test_what_is_not_is_named_with_the_nearest(name: str, said: str) -> None:
    (problem,) = setting_problems([*SETTINGS, name])
    assert problem.startswith(said)
