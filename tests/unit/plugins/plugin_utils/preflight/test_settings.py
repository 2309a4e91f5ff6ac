# SPDX-License-Identifier: GPL-3.0-or-later
"""A setting that nobody knows is named, with the nearest one that there is; and so is one of the wrong type."""

from __future__ import annotations

import re

import pytest
import yaml
from ansible_collections.cellcs.orthweb.plugins.plugin_utils.preflight.settings import (
    JUDGED_ELSEWHERE,
    setting_problems,
    settings,
)

from support.checkout import ROOT

DEFAULTS = yaml.safe_load((ROOT / "roles/site/defaults/main.yml").read_text())
YAML = [
    file
    for folder in ("playbooks", "roles", "inventory", "molecule")
    for file in sorted((ROOT / folder).rglob("*"))
    if file.suffix in (".yml", ".j2")
]
NOT_SETTINGS = {"orthweb_admin"}  # a user of RDS


def test_they_are_those_that_playbooks_roles_and_inventories_read() -> None:
    files = [file for file in YAML if not {"site", "molecule"} & set(file.relative_to(ROOT).parts)]
    read = {name for file in files for name in re.findall(r"\borthweb_[a-z0-9_]+", file.read_text())}
    assert settings().keys() == read - NOT_SETTINGS


def test_a_default_is_said_in_one_place() -> None:
    """An inline default would be a second one."""
    pattern = re.compile(r"orthweb_\w+ *(?:\| *default\(|is (?:not )?defined)")
    found = [
        f"{file}: {match}"
        for file in YAML
        if "site" not in file.relative_to(ROOT).parts
        for match in pattern.findall(file.read_text())
    ]
    assert found == []


def test_every_play_begins_with_the_settings() -> None:
    for file in sorted((ROOT / "playbooks").glob("*.yml")):
        for play in yaml.safe_load(file.read_text()):
            if "hosts" in play and play["name"] != "Refuse to do anything but plan":
                assert play["roles"][0] == {"role": "cellcs.orthweb.site"}, f"{file}: {play['name']}"


def test_the_defaults_are_fine() -> None:
    assert setting_problems({name: value for name, value in DEFAULTS.items() if "{{" not in str(value)}) == {}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (
            "orthweb_portal_prot",
            "orthweb_portal_prot is not a setting of this archive: did you mean orthweb_portal_port?",
        ),
        ("orthweb_modality", "orthweb_modality is not a setting of this archive: did you mean orthweb_modalities?"),
        ("orthweb_xyzzyxyzzy", "orthweb_xyzzyxyzzy is not a setting of this archive: docs/index.md lists"),
    ],
)
def test_what_is_not_is_named_with_the_nearest(name: str, said: str) -> None:
    problems = setting_problems({**dict.fromkeys(JUDGED_ELSEWHERE), name: "x"})
    assert problems.keys() == {name}
    assert problems[name].startswith(said)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("orthweb_new_ca", "perhaps", "orthweb_new_ca is 'perhaps': use true or false."),
        ("orthweb_new_ca", 2, "orthweb_new_ca is 2: use true or false."),
        ("orthweb_server_aliases", {"a": "b"}, "orthweb_server_aliases is {'a': 'b'}: use a list."),
        ("orthweb_server_aliases", None, "orthweb_server_aliases is None: use a list."),
        ("orthweb_server_aliases", "pacs", "orthweb_server_aliases is 'pacs': use a list."),
        ("orthweb_tags", ["a"], "orthweb_tags is ['a']: use keys with values."),
        ("orthweb_aet", ["A"], "orthweb_aet is ['A']: use a string."),
        ("orthweb_host_directory", True, "orthweb_host_directory is True: use a string."),
        ("orthweb_connect_by", "pigeon", 'orthweb_connect_by is "pigeon": choose public, private or systems_manager.'),
        ("orthweb_share_roles", ["admin", "cat"], 'orthweb_share_roles is "cat": choose admin, radiologist or reader.'),
        ("orthweb_storage", "tape", 'orthweb_storage is "tape": choose database or filesystem.'),
    ],
)
def test_a_value_of_the_wrong_type_is_named_with_what_to_give(name: str, value: object, said: str) -> None:
    assert setting_problems({name: value}) == {name: said}


@pytest.mark.parametrize(
    ("name", "value"),
    [("orthweb_new_ca", "true"), ("orthweb_new_ca", False), ("orthweb_stack", 7), ("orthweb_rds_engine_version", 17.4)],
)
def test_text_of_the_command_line_is_fine(name: str, value: object) -> None:
    assert setting_problems({name: value}) == {}
