# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.cellcs.orthweb.plugins.module_utils.atomic_file import write_atomically


def test_mode_is_exact_whatever_the_umask(tmp_path):
    mask = os.umask(0o077)
    try:
        write_atomically(tmp_path / "open", b"x", mode=0o644)
        os.umask(0)
        write_atomically(tmp_path / "private", b"x", mode=0o600)
    finally:
        os.umask(mask)
    assert (tmp_path / "open").stat().st_mode & 0o777 == 0o644
    assert (tmp_path / "private").stat().st_mode & 0o777 == 0o600


def test_without_a_mode_it_is_that_of_any_new_file(tmp_path):
    mask = os.umask(0o027)
    try:
        write_atomically(tmp_path / "file", b"x")
    finally:
        os.umask(mask)
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o640


def test_until_it_has_its_mode_it_is_empty_and_nobody_elses(tmp_path, monkeypatch):
    before = []
    set_mode = os.fchmod

    def note(descriptor, mode):
        status = os.fstat(descriptor)
        before.append((status.st_mode & 0o777, status.st_size))
        set_mode(descriptor, mode)

    monkeypatch.setattr(os, "fchmod", note)
    mask = os.umask(0)
    try:
        write_atomically(tmp_path / "open", b"x", mode=0o644)
    finally:
        os.umask(mask)
    assert before == [(0o600, 0)]


@pytest.mark.parametrize("step", ["fchmod", "fsync"])
def test_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, step):
    def fail(*_args):
        raise OSError("disk gone")

    write_atomically(tmp_path / "file", b"old", mode=0o600)
    monkeypatch.setattr(os, step, fail)
    with pytest.raises(OSError, match="disk gone"):
        write_atomically(tmp_path / "file", b"new", mode=0o600)
    assert [file.name for file in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_bytes() == b"old"


def test_failed_rename_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    def fail(*_args):
        raise OSError("disk gone")

    write_atomically(tmp_path / "file", b"old", mode=0o600)
    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(OSError, match="disk gone"):
        write_atomically(tmp_path / "file", b"new", mode=0o600)
    assert [file.name for file in tmp_path.iterdir()] == ["file"]


def test_link_is_replaced_and_its_target_stays(tmp_path):
    (tmp_path / "target").write_bytes(b"other")
    (tmp_path / "file").symlink_to("target")
    write_atomically(tmp_path / "file", b"new", mode=0o600)
    assert not (tmp_path / "file").is_symlink()
    assert (tmp_path / "target").read_bytes() == b"other"
