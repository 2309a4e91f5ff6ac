# SPDX-License-Identifier: GPL-3.0-or-later
"""A resolver that does not answer: nothing can interrupt it, and nobody has to wait for it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.echo.probe import check
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.peer import Timeouts

from support.checkout import COLLECTIONS
from support.peers import peer_at

MODULE = "ansible_collections.cellcs.orthweb.plugins.modules.dicom_echo"

# A name server that takes questions and never answers, in a network and with a resolv.conf of its own. The resolver of
# glibc asks it 5 times for 30 s each.
SILENT_NAME_SERVER = """
import fcntl, os, socket, struct, subprocess, sys
folder, *command = sys.argv[1:]
subprocess.run(["mount", "--bind", folder + "/resolv.conf", "/etc/resolv.conf"], check=True)
subprocess.run(["mount", "--bind", folder + "/nsswitch.conf", "/etc/nsswitch.conf"], check=True)
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
fcntl.ioctl(server, 0x8914, struct.pack("16sH14x", b"lo", 0x41))  # SIOCSIFFLAGS: up and running
server.bind(("127.0.0.1", 53))
sys.exit(subprocess.run(command).returncode)
"""
UNSHARE = ["unshare", "--map-root-user", "--mount", "--net"]


@pytest.fixture
def silent_resolver(monkeypatch):
    """Let every lookup of a name hang until the test is over; count those that were begun."""
    over, begun = threading.Event(), []
    real = socket.getaddrinfo

    def hang(host, port, *args, flags=0, **kwargs):
        if not flags & socket.AI_NUMERICHOST:
            begun.append(host)
            over.wait(60)
        return real(host, port, *args, flags=flags, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    yield begun
    over.set()


@pytest.mark.skipif(
    subprocess.run([*UNSHARE, "true"], capture_output=True, check=False).returncode != 0,
    reason="no namespaces for us here",
)
def test_the_module_ends_though_the_resolver_hangs(tmp_path):
    (tmp_path / "resolv.conf").write_text("nameserver 127.0.0.1\noptions timeout:30 attempts:5\n")
    (tmp_path / "nsswitch.conf").write_text("hosts: files dns\n")
    arguments = {"peers": [{"host": "archive.example"}, {"host": "127.0.0.1"}], "called_aet": "ORTHANC"}
    (tmp_path / "arguments.json").write_text(
        json.dumps({"ANSIBLE_MODULE_ARGS": {**arguments, "connect_timeout_seconds": 0.5}})
    )
    module = [sys.executable, "-m", MODULE, str(tmp_path / "arguments.json")]
    start = time.monotonic()
    ran = subprocess.run(
        [*UNSHARE, sys.executable, "-c", SILENT_NAME_SERVER, str(tmp_path), *module],
        env={**os.environ, "PYTHONPATH": str(COLLECTIONS)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert time.monotonic() - start < 25, "the resolver itself gives up after 30 s at the earliest"
    assert ran.stderr == ""
    silent, refused = json.loads(ran.stdout)["peers"]
    assert silent["failure"] == "resolver_timeout"
    assert "did not answer for the name archive.example within 0.5 s" in silent["msg"]
    assert refused["failure"] == "connection_refused"


def test_a_name_is_asked_for_once_at_a_time(silent_resolver):
    peer = peer_at(104, host="archive.example", timeouts=Timeouts(connect=0.2), retries=2, retry_delay=0)
    with ThreadPoolExecutor(5) as pool:
        reports = [*pool.map(check, [peer] * 5)]
    assert {report.failure.failure for report in reports} == {"resolver_timeout"}
    assert silent_resolver == ["archive.example"]


def test_an_address_needs_no_resolver(silent_resolver, listener):
    assert check(peer_at(listener(lambda connection: None), timeouts=Timeouts())).failure.failure == "connection_closed"
    assert silent_resolver == []


def test_a_name_is_asked_for_again_after_an_answer(archive, monkeypatch):
    """What the resolver said a while ago is not kept: a peer may move while we retry."""
    asked = []
    real = socket.getaddrinfo

    def note(host, *args, flags=0, **kwargs):
        asked.append((host, flags))
        return real(host, *args, flags=flags, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", note)
    peer = peer_at(archive().port, host="localhost", timeouts=Timeouts())
    assert check(peer).alive
    assert check(peer).alive
    assert asked.count(("localhost", 0)) == 2
