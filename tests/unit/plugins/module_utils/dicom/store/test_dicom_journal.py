# SPDX-License-Identifier: GPL-3.0-or-later
"""Journals: what they list, how they are torn, and which files are none."""

from __future__ import annotations

import errno
import json
import os
import resource
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.store.files import Instance
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.store.journal import (
    Journal,
    JournalError,
    read_journal,
    rehearse_journal,
)

from support.peers import peer_at

PEER = peer_at(11112, host="Archive.example.")
HEAD = (
    b'{"journal": "cellcs.orthweb.dicom_store 1", "called_aet": "ORTHANC", "host": "archive.example", "port": 11112}\n'
)


def instance(number: int, path: str = "/srv/Doe^John/image.dcm", size: int = 1000, modified_ns: int = 7) -> Instance:
    return Instance(
        Path(path), "1.2.3", f"1.2.3.{number}", "1.2", "1.2.4", "1.2.840.10008.1.2.1", 300, size, modified_ns
    )


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "old-archive.journal"


def fill(path: Path, *instances: Instance) -> bytes:
    with Journal.open(path, PEER) as journal:
        for each in instances:
            journal.record(each, 0xB000)
    return path.read_bytes()


def statuses(path: Path, *instances: Instance) -> list[int | None]:
    listed = read_journal(path, PEER)
    with Journal.open(path, PEER) as journal:
        assert [journal.acknowledged.status_of(each) for each in instances] == [
            listed.status_of(each) for each in instances
        ]
    return [listed.status_of(each) for each in instances]


def test_what_is_recorded_is_listed(path):
    fill(path, instance(1), instance(2))
    fill(path, instance(3))
    assert statuses(path, *map(instance, range(1, 5))) == [0xB000, 0xB000, 0xB000, None]


def test_a_changed_file_is_another_one(path):
    fill(path, instance(1))
    changes = {"data_set_bytes": 1001}, {"modified_ns": 8}, {"sop_instance_uid": "1.2.3.9"}
    assert statuses(path, *(replace(instance(1), **change) for change in changes)) == [None, None, None]


def test_a_file_that_was_moved_is_the_same(path):
    fill(path, instance(1))
    assert statuses(path, instance(1, path="/mnt/elsewhere.dcm")) == [0xB000]


def test_two_files_of_one_instance_are_both_listed(path):
    both = instance(1, "/srv/a.dcm"), instance(1, "/srv/b.dcm", modified_ns=8)
    fill(path, *both)
    assert statuses(path, *both) == [0xB000, 0xB000]


def test_a_file_that_was_changed_back_is_sent_again(path):
    """The archive has the changed one by now."""
    fill(path, instance(1), instance(1, modified_ns=8))
    assert statuses(path, instance(1), instance(1, modified_ns=8)) == [None, 0xB000]


def test_nobody_else_reads_it_and_it_names_nobody(path):
    before = os.umask(0)
    try:
        written = fill(path, instance(1))
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o600
    assert b"Doe" not in written
    path.chmod(0o644)
    fill(path, instance(2))
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_line_is_there_as_soon_as_it_is_recorded(path):
    with Journal.open(path, PEER) as journal:
        for number in range(1, 4):
            journal.record(instance(number), 0)
            assert read_journal(path, PEER).status_of(instance(number)) == 0


def test_several_threads_write_whole_lines(path):
    with Journal.open(path, PEER) as journal:

        def record(first: int) -> None:
            for number in range(first, first + 200):
                journal.record(instance(number), 0)

        threads = [threading.Thread(target=record, args=(first,)) for first in range(0, 1600, 200)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert statuses(path, *map(instance, range(1600))) == [0] * 1600


def test_torn_anywhere_the_whole_lines_count_and_writing_goes_on(path):
    three = [instance(number) for number in range(3)]
    whole = fill(path, *three)
    ends = [end for end, byte in enumerate(whole, 1) if byte == ord("\n")]
    assert len(ends) == 4
    for length in range(len(whole) + 1):
        path.write_bytes(whole[:length])
        listed = [status is not None for status in statuses(path, *three)]
        assert listed == [length >= end for end in ends[1:]], length
        fill(path, *(each for each, is_listed in zip(three, listed, strict=True) if not is_listed))
        assert path.read_bytes() == whole, length


def test_what_a_power_cut_leaves(path):
    """A file system may have given it its length, and not yet its last bytes."""
    fill(path, instance(1))
    with path.open("ab") as file:
        file.write(bytes(300))
    assert statuses(path, instance(1)) == [0xB000]
    assert b"\0" not in path.read_bytes()


@pytest.mark.parametrize(
    "damage",
    [
        b"{}\n",
        b"\0\0\n",
        b"[]\n",
        b"3\n",
        b"\n",
        b'{"uid": "1", "file": 3}\n',
        b'{"uid": "1", "file": "3", "bytes": 1e999, "modified_ns": 7, "status": "0000"}\n',
        b"\xff\n",
        pytest.param(b"[" * 60000 + b"\n", id="nested"),
    ],
)
def test_a_damaged_line_is_named_and_nothing_is_touched(path, damage):
    whole = fill(path, instance(1), instance(2))
    lines = whole.splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:2], damage, *lines[2:]]))
    before = path.read_bytes()
    for use in (Journal.open, read_journal, rehearse_journal):
        with pytest.raises(JournalError, match="its line 3 is damaged"):
            use(path, PEER)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "content",
    [
        b"\n",
        b"text",
        b"text\n",
        b"{}\n",
        b"[]\n",
        b"null\n",
        pytest.param(b"[" * 60000 + b"\n", id="nested"),
        bytes(128) + b"DICM",
        bytes(70000),
        HEAD.replace(b"dicom_store 1", b"dicom_store 2"),
    ],
)
def test_a_foreign_file_is_left_as_it_is(path, content):
    path.write_bytes(content)
    path.chmod(0o644)
    for use in (Journal.open, read_journal, rehearse_journal):
        with pytest.raises(JournalError, match="is not a journal of dicom_store"):
            use(path, PEER)
    assert path.read_bytes() == content
    assert path.stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("change", [{"called_aet": "OTHER"}, {"host": "archive-2.example"}, {"port": 104}])
def test_the_journal_of_another_peer(path, change):
    fill(path, instance(1))
    for use in (Journal.open, read_journal, rehearse_journal):
        with pytest.raises(JournalError, match=r"ORTHANC at archive\.example, port 11112 acknowledged, not"):
            use(path, replace(PEER, **change))


def test_the_same_peer_written_otherwise(path):
    fill(path, instance(1))
    assert read_journal(path, replace(PEER, host="archive.EXAMPLE", called_aet="ORTHANC ")).status_of(instance(1))


def test_two_at_once(path):
    with Journal.open(path, PEER):
        with pytest.raises(JournalError, match=f"^{path}: another run is writing to it"):
            Journal.open(path, PEER)
        with pytest.raises(JournalError, match=f"^{path}: another run is writing to it"):
            rehearse_journal(path, PEER)
        read_journal(path, PEER)
    rehearse_journal(path, PEER)
    Journal.open(path, PEER).close()


def test_what_can_be_no_journal(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "target")
    for name in ("pipe", "link", ".", "none/journal"):
        for use in (Journal.open, read_journal, rehearse_journal):
            with pytest.raises(JournalError, match=f"{tmp_path}"):
                use(tmp_path / name, PEER)
    for use, what in (
        (Journal.open, "opened for writing"),
        (read_journal, "read"),
        (rehearse_journal, "opened for writing"),
    ):
        with pytest.raises(
            JournalError, match=f"^{tmp_path}/link: cannot be {what}: Too many levels of symbolic links"
        ):
            use(tmp_path / "link", PEER)
    assert not (tmp_path / "target").exists()
    for use in (Journal.open, read_journal, rehearse_journal):
        with pytest.raises(JournalError, match="is not a regular file"):
            use(tmp_path / "pipe", PEER)


def test_a_disk_that_cannot_be_read(path, monkeypatch):
    fill(path, instance(1))

    def broken(_descriptor):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "dup", broken)
    with pytest.raises(JournalError, match=f"^{path}: cannot be read: Input/output error"):
        read_journal(path, PEER)


@pytest.mark.parametrize("read", [read_journal, rehearse_journal])
def test_reading_begins_none(path, read):
    assert read(path, PEER).status_of(instance(1)) is None
    assert not path.exists()


def test_a_disk_that_is_full(path):
    fill(path, instance(1))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with Journal.open(path, PEER) as journal:
        resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 10, hard))
        try:
            with pytest.raises(JournalError, match=f"^{path}: cannot be written: File too large"):
                journal.record(instance(2), 0)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        with pytest.raises(JournalError):  # behind half a line there must be no other
            journal.record(instance(2), 0)
    assert statuses(path, instance(1), instance(2)) == [0xB000, None]


def test_a_disk_that_is_full_from_the_start(path):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, hard))
    try:
        with pytest.raises(JournalError, match=f"^{path}: cannot be written: File too large"):
            Journal.open(path, PEER)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    fill(path, instance(1))
    assert statuses(path, instance(1)) == [0xB000]


def test_lines_are_json(path):
    head, line = (json.loads(each) for each in fill(path, instance(1)).splitlines())
    assert head == {
        "journal": "cellcs.orthweb.dicom_store 1",
        "called_aet": "ORTHANC",
        "host": "archive.example",
        "port": 11112,
    }
    assert fill(path).startswith(HEAD)
    assert line.keys() == {"uid", "file", "bytes", "modified_ns", "status"}
    assert (line["uid"], line["bytes"], line["modified_ns"], line["status"]) == ("1.2.3.1", 1300, 7, "B000")
