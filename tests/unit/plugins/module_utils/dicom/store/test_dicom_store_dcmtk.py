# SPDX-License-Identifier: GPL-3.0-or-later
"""Several associations to dcmtk's storescp, which forks for each, and what is left of a send when it is killed."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pydicom
import pytest
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.peer import Timeouts, TlsOptions
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.samples import SAMPLES
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.store.files import read_instance
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.store.journal import Journal
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.store.paths import collect
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.store.send import send
from ansible_collections.cellcs.orthweb.plugins.modules import dicom_store

from support.peers import peer_at
from support.samples import write_samples

# Debian's: pynetdicom brings a program of the same name into the virtual environment. tests/prepare.yml installs it.
STORESCP = "/usr/bin/storescp"
pytestmark = pytest.mark.needs(STORESCP)
WIDE = Timeouts(connect=30, tls=30, association=30, dimse=30)


class StoreScp:
    """A storescp that writes what it gets bit by bit, and forks for each association."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self._command = [STORESCP, "--fork", "-aet", "ORTHANC", "-od", str(folder), "+xa", "+B", *options]
        self._process: subprocess.Popen | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(
            [*self._command, str(self.port)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        until = time.monotonic() + 30
        while time.monotonic() < until:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        raise AssertionError("storescp does not listen")

    def kill(self) -> None:
        """Kill it and those that it has forked, at once."""
        if self._process:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def data_sets(self) -> dict[str, bytes]:
        """Return what it has stored, by SOP instance UID, each of which it must have once."""
        files = [path for path in self.folder.iterdir() if path.is_file()]
        stored = {str(pydicom.dcmread(path, stop_before_pixels=True).SOPInstanceUID): data_set(path) for path in files}
        assert len(stored) == len(files)
        return stored


@pytest.fixture
def storescp(tmp_path) -> Iterator:
    started = []

    def start(*options: str) -> StoreScp:
        folder = tmp_path / "stored"
        folder.mkdir()
        scp = StoreScp(folder, *options)
        started.append(scp)
        scp.start()
        return scp

    yield start
    for scp in started:
        scp.kill()


@pytest.fixture
def sent(tmp_path) -> Path:
    """A folder of 44 instances, 40 of them CT and one each of the others."""
    folder = tmp_path / "sent"
    folder.mkdir()
    return write_samples(folder, *SAMPLES, copies=40)


@pytest.fixture
def many(tmp_path) -> Path:
    """As many as keep four associations busy, on a busy machine too."""
    folder = tmp_path / "many"
    folder.mkdir()
    return write_samples(folder, *SAMPLES, copies=200)


def data_set(path: Path) -> bytes:
    return path.read_bytes()[read_instance(path).data_set_offset :]


def data_sets(folder: Path) -> dict[str, bytes]:
    return {each.sop_instance_uid: data_set(each.path) for each in collect([str(folder)]).instances}


def test_four_associations(storescp, many):
    scp = storescp()
    sending = send(peer_at(scp.port, timeouts=WIDE), collect([str(many)]).instances, associations=4)
    assert sending.failed == (), sending.sentence
    assert sending.associations == 4
    assert scp.data_sets() == data_sets(many)


def test_four_associations_over_mutual_tls(storescp, many, authority):
    certificate, key = authority.issue_to("forking-server")
    scp = storescp("+tls", key, certificate, "+cf", str(authority.file))
    mine = TlsOptions("localhost", str(authority.file), None, *authority.issue_to("forking-client"))
    sending = send(peer_at(scp.port, mine, timeouts=WIDE), collect([str(many)]).instances, associations=4)
    assert sending.failed == (), sending.sentence
    assert sending.associations == 4
    assert scp.data_sets() == data_sets(many)


@pytest.mark.parametrize("associations", [1, 4])
def test_killed_in_the_midst_and_resumed(storescp, sent, tmp_path, run_module, associations):
    scp = storescp()
    peer = peer_at(scp.port, timeouts=WIDE, retry_delay=0.05)
    path = tmp_path / "journal"
    instances = collect([str(sent)]).instances
    recorded = []

    with Journal.open(path, peer) as journal:

        def record(instance, status):
            journal.record(instance, status)
            recorded.append(instance.sop_instance_uid)
            if len(recorded) == 15:
                scp.kill()

        first = send(peer, instances, associations, record=record)
    assert 15 <= len(first.stored) == len(recorded) < len(instances)
    assert len(first.failed) == len(instances) - len(first.stored)

    def acknowledged() -> dict[str, tuple[int, int]]:
        """Which of the acknowledged ones lies in which file, written when: it would write a second one anew."""
        found = {read_instance(file).sop_instance_uid: file.stat() for file in whole(scp.folder)}
        return {uid: (found[uid].st_ino, found[uid].st_mtime_ns) for uid in recorded}

    before = acknowledged()
    scp.start()
    options = {
        "host": "127.0.0.1",
        "port": scp.port,
        "called_aet": "ORTHANC",
        "paths": [str(sent)],
        "journal": str(path),
        "associations": associations,
        "connect_timeout_seconds": 30,
        "association_timeout_seconds": 30,
    }
    second = run_module(dicom_store, options)
    assert not second.failed, second.result["msg"]
    assert {each["sop_instance_uid"] for each in second.result["instances"] if each["already_stored"]} == set(recorded)
    assert second.result["summary"]["stored"] == len(instances) - len(recorded)
    assert acknowledged() == before
    assert scp.data_sets() == data_sets(sent)

    scp.kill()
    third = run_module(dicom_store, options)
    assert not third.failed, third.result["msg"]
    assert third.result["changed"] is False
    assert b"DOE" not in path.read_bytes()


def whole(folder: Path) -> list[Path]:
    """Return the files that were written to their end; a process that is killed leaves parts behind."""
    return [each.path for each in collect([str(folder)]).instances]


def test_killed_and_back_again_while_sending(storescp, sent):
    """With retries the send itself goes on, as soon as the peer is back."""
    scp = storescp()
    acknowledged = []

    def record(instance, status):
        acknowledged.append(instance.sop_instance_uid)
        if len(acknowledged) == 15:
            scp.kill()
            scp.start()

    peer = peer_at(scp.port, timeouts=WIDE, retries=100, retry_delay=0.1)
    sending = send(peer, collect([str(sent)]).instances, associations=3, record=record)
    assert sending.failed == (), sending.sentence
    assert len(acknowledged) == len(set(acknowledged)) == 44
    assert scp.data_sets() == data_sets(sent)
