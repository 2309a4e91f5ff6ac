# SPDX-License-Identifier: GPL-3.0-or-later
"""What of the controller's folder is kept, what takes its place, and which of two is newer."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from ansible_collections.cellcs.orthweb.plugins.module_utils.controller_state import folder
from ansible_collections.cellcs.orthweb.plugins.module_utils.controller_state.archive import Entry
from ansible_collections.cellcs.orthweb.plugins.module_utils.controller_state.decisions import (
    differences,
    named,
    only_here,
)
from ansible_collections.cellcs.orthweb.plugins.module_utils.controller_state.folder import FolderError, Seen

TREE = {
    "pki": Entry(0o700, None),
    "pki/ca.key": Entry(0o600, b"key"),
    "pki/ca.crt": Entry(0o644, b"certificate"),
    "secrets.json": Entry(0o600, b"{}"),
}
SEEN = Seen("a-version", "a-hash")
REGION = "eu-central-1"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "orthweb"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_folder_is_made_with_its_modes(path: Path) -> None:
    old = os.umask(0o077)
    try:
        folder.replace(path, TREE, SEEN, REGION)
    finally:
        os.umask(old)
    assert folder.read(path) == TREE
    assert (mode(path), mode(path.parent), mode(path / folder.SEEN)) == (0o700, 0o700, 0o600)
    assert folder.read_seen(path, REGION) == SEEN
    assert [each.name for each in path.parent.iterdir()] == ["orthweb"]


def test_a_folder_that_nobody_may_write_into_is_made_too(path: Path) -> None:
    folder.replace(path, {**TREE, "pki": Entry(0o500, None)}, SEEN, REGION)
    assert mode(path / "pki") == 0o500
    (path / "pki").chmod(0o700)


def test_what_is_made_again_stays_and_is_not_kept(path: Path) -> None:
    folder.replace(path, TREE, SEEN, REGION)
    for name in ("outputs.json", "rds-ca.pem", "renewal.log", "pki/.lock", "pki/.tmp-12ab~"):
        (path / name).write_text(name)
    assert folder.read(path) == TREE
    folder.replace(path, {"secrets.json": Entry(0o600, b"new")}, Seen("b", "c"), REGION)
    assert (path / "outputs.json").read_text() == "outputs.json"
    assert sorted(each.name for each in path.iterdir()) == [
        "account-copy.json",
        "outputs.json",
        "rds-ca.pem",
        "renewal.log",
        "secrets.json",
    ]


def test_the_old_folder_is_kept_where_asked(path: Path) -> None:
    folder.replace(path, TREE, SEEN, REGION)
    folder.replace(path, {"secrets.json": Entry(0o600, b"new")}, SEEN, REGION, path.with_name("old"))
    assert folder.read(path.with_name("old")) == TREE
    assert sorted(each.name for each in path.parent.iterdir()) == ["old", "orthweb"]


def test_a_failure_leaves_the_old_one(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.replace(path, TREE, SEEN, REGION)

    def full(*_arguments: object, **_options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(folder, "write_atomically", full)
    with pytest.raises(OSError, match="No space"):
        folder.replace(path, {"secrets.json": Entry(0o600, b"new")}, SEEN, REGION)
    assert folder.read(path) == TREE
    assert [each.name for each in path.parent.iterdir()] == ["orthweb"]


def test_what_a_killed_one_left_is_removed(path: Path) -> None:
    (path.parent / ".orthweb.new-abc").mkdir(parents=True)
    folder.replace(path, TREE, SEEN, REGION)
    assert [each.name for each in path.parent.iterdir()] == ["orthweb"]


def test_a_link_to_the_folder_is_followed(path: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "encrypted" / "orthweb"
    elsewhere.mkdir(parents=True)
    path.parent.mkdir()
    path.symlink_to(elsewhere)
    folder.replace(path, TREE, SEEN, REGION)
    assert path.is_symlink()
    assert folder.read(path) == folder.read(elsewhere) == TREE


def test_a_link_inside_is_refused(path: Path) -> None:
    folder.replace(path, TREE, SEEN, REGION)
    (path / "pki" / "other.key").symlink_to("/etc/passwd")
    with pytest.raises(FolderError, match=r"pki/other\.key is a symbolic link"):
        folder.read(path)


def test_nothing_is_nothing(path: Path) -> None:
    assert folder.read(path) == {}
    (path / "pki").mkdir(parents=True)
    (path / "outputs.json").touch()
    assert folder.read(path) == {}
    assert folder.read_seen(path, REGION) == Seen()


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", "null", '{"version": "x"}', '{"regions": []}', '{"regions": {"eu-central-1": 1}}']
)
def test_a_spoilt_note_is_none(path: Path, text: str) -> None:
    path.mkdir(parents=True)
    (path / folder.SEEN).write_text(text)
    assert folder.read_seen(path, REGION) == Seen()


def test_each_region_has_its_own(path: Path) -> None:
    """One folder, two stacks of one name: each deployment compares with what it has seen in its region."""
    folder.replace(path, TREE, SEEN, REGION)
    other = Seen("their-version", "a-hash")
    folder.write_seen(path, other, "eu-west-1")
    assert folder.read_seen(path, REGION) == SEEN
    assert folder.read_seen(path, "eu-west-1") == other
    assert folder.read_seen(path, "us-east-1") == Seen()
    folder.replace(path, TREE, Seen("b", "c"), REGION)
    assert folder.read_seen(path, REGION) == Seen("b", "c")
    assert folder.read_seen(path, "eu-west-1") == other


def test_a_note_without_a_region_is_of_any(path: Path) -> None:
    """As it was before regions were told apart."""
    path.mkdir(parents=True)
    (path / folder.SEEN).write_text('{"version": "a-version", "sha256": "a-hash"}')
    assert folder.read_seen(path, REGION) == SEEN
    folder.write_seen(path, Seen("b", "c"), "eu-west-1")
    assert (folder.read_seen(path, REGION), folder.read_seen(path, "eu-west-1")) == (SEEN, Seen("b", "c"))


def test_differences_are_of_content_and_mode() -> None:
    other = {**TREE, "pki/ca.crt": Entry(0o600, b"certificate"), "new": Entry(0o600, b"")}
    del other["secrets.json"]
    assert differences(TREE, TREE) == []
    assert differences(TREE, other) == ["new", "pki/ca.crt", "secrets.json"]


def test_what_would_be_lost() -> None:
    copy = {**TREE, "pki/ca.crt": Entry(0o600, b"certificate")}
    assert only_here(TREE, copy) == [], "a mode is no loss"
    assert only_here({**TREE, "pki/ca.key": Entry(0o600, b"mine")}, copy) == ["pki/ca.key"]
    assert only_here({**TREE, "pki/new.key": Entry(0o600, b"")}, copy) == ["pki/new.key"]
    assert only_here({}, copy) == []
    assert only_here({"ssh/known_hosts": Entry(0o600, b"mine")}, copy) == []


def test_few_are_named() -> None:
    assert named(["a", "b"]) == "a, b"
    assert named(list("abcdefg")) == "a, b, c, d, e and 2 more"
