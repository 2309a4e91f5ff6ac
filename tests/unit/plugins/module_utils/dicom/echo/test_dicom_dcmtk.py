# SPDX-License-Identifier: GPL-3.0-or-later
"""Against dcmtk, which shares no line of code with us: its storescp, plain and over mutual TLS."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator

import pydicom
import pytest
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.echo.probe import check
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.peer import Timeouts, TlsOptions
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.samples import (
    SAMPLES,
)
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.store.paths import collect
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.store.send import send

from support.peers import peer_at as hasty_peer_at
from support.samples import write_samples

# Debian's: pynetdicom brings a program of the same name into the virtual environment. tests/prepare.yml installs it.
STORESCP = "/usr/bin/storescp"
pytestmark = pytest.mark.needs(STORESCP)


def peer_at(port, tls=None):
    return hasty_peer_at(port, tls, timeouts=Timeouts(20, 20, 20, 20))


@pytest.fixture
def storescp(tmp_path) -> Iterator:
    """Start a storescp that takes every transfer syntax and writes what it gets, bit by bit."""
    processes = []

    def start(*options: str) -> int:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        command = [STORESCP, "-aet", "ORTHANC", "-od", str(tmp_path), "+xa", "+B", *options, str(port)]
        processes.append(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        for _attempt in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return port
            time.sleep(0.05)
        raise AssertionError("storescp does not listen")

    yield start
    for process in processes:
        process.kill()
        process.wait()


@pytest.fixture
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sent")
    return write_samples(folder, *SAMPLES)


def test_dcmtk_stores_the_pixel_data_as_they_were(storescp, study, tmp_path):
    peer = peer_at(storescp())
    report = check(peer)
    assert report.alive, report.sentence
    assert report.to_result()["implementation_version_name"].startswith("OFFIS_DCMTK_")

    instances = collect([str(study)]).instances
    sending = send(peer, instances)
    assert sending.failed == (), sending.sentence
    stored = {image.SOPInstanceUID: image for image in map(pydicom.dcmread, tmp_path.iterdir())}
    for instance in instances:
        sent, kept = pydicom.dcmread(instance.path), stored[instance.sop_instance_uid]
        assert kept.PixelData == sent.PixelData
        assert kept.file_meta.TransferSyntaxUID == sent.file_meta.TransferSyntaxUID


def test_dcmtk_over_mutual_tls(storescp, study, authority, stranger):
    certificate, key = authority.issue_to("dcmtk-server")
    port = storescp("+tls", key, certificate, "+cf", str(authority.file))

    mine = TlsOptions("localhost", str(authority.file), None, *authority.issue_to("dcmtk-client"))
    report = check(peer_at(port, mine))
    assert report.alive, report.sentence
    assert report.to_result()["client_certificate_requested"] is True
    assert send(peer_at(port, mine), collect([str(study)]).instances).failed == ()

    nothing = TlsOptions("localhost", str(authority.file))
    assert check(peer_at(port, nothing)).failure.failure == "client_certificate_demanded"
    theirs = TlsOptions("localhost", str(authority.file), None, *stranger.issue_to("dcmtk-stranger"))
    assert check(peer_at(port, theirs)).failure.failure in ("client_certificate_refused", "connection_closed")
    assert check(peer_at(port)).failure.failure == "tls_expected"


def test_a_plain_dcmtk_does_not_speak_tls(storescp, authority):
    mine = TlsOptions("localhost", str(authority.file))
    assert check(peer_at(storescp(), mine)).failure.failure in ("tls_not_spoken", "tls_failed")
