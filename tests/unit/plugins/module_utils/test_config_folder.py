# SPDX-License-Identifier: GPL-3.0-or-later
"""What of a folder of configuration has to be written; the module's test writes it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.cellcs.orthweb.plugins.module_utils.config_folder import (
    Change,
    Folder,
    access,
    changes,
    desired,
    folder_differs,
    name_problem,
)

WHO = access(101, 102, (0, 0))
PLAIN = desired({"name": "a", "content": "text\n", "secret_content": None}, WHO)
SECRET = desired({"name": "b", "content": None, "secret_content": "key\n"}, WHO)


def test_for_a_container_the_folder_is_roots() -> None:
    assert (WHO.folder_owner, WHO.owner, WHO.group, WHO.folder_mode) == (0, 101, 102, 0o750)
    assert (PLAIN.mode, SECRET.mode) == (0o440, 0o400)


def test_for_nobody_else_it_is_ours() -> None:
    ours = access(None, None, (7, 8))
    assert (ours.folder_owner, ours.owner, ours.group) == (7, 7, 8)
    assert (ours.folder_mode, ours.mode, ours.secret_mode) == (0o700, 0o600, 0o600)


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/etc/passwd"])
def test_a_name_stays_in_the_folder(name: str) -> None:
    assert name_problem(name) == f"{name!r} must be a file name without a folder"
    assert name_problem("nginx.conf") is None


def test_what_is_there_as_it_should_be_is_left() -> None:
    found = replace(SECRET, is_secret=False)  # of a file that is read, nobody knows
    assert changes({"a": PLAIN, "b": SECRET}, {"a": PLAIN, "b": found}) == []


@pytest.mark.parametrize("differs", [{"content": b"x"}, {"mode": 0o644}, {"owner": 0}, {"group": 0}])
def test_what_differs_is_written(differs: dict) -> None:
    found = replace(PLAIN, **differs)
    assert changes({"a": PLAIN}, {"a": found}) == [Change("a", found, PLAIN)]


@pytest.mark.parametrize("found", [None, Folder(0o755, 0, 102), Folder(0o750, 1, 102), Folder(0o750, 0, 0)])
def test_the_folder_too(found: Folder | None) -> None:
    assert folder_differs(found, WHO)
    assert not folder_differs(Folder(0o750, 0, 102), WHO)


def test_a_diff_has_no_secret() -> None:
    [change] = changes({"b": SECRET}, {"b": replace(SECRET, content=b"old key")})
    assert change.to_diff()["before"] == change.to_diff()["after"] == "# mode 0400, owner 101, group 102\n(secret)\n"
    [change] = changes({"a": PLAIN}, {"a": None})
    assert (change.to_diff()["before"], change.to_diff()["after"]) == ("", "# mode 0440, owner 101, group 102\ntext\n")
