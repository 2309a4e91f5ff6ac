# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever bytes a peer answers with, there is a report: in time, in little memory, and never another exception."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import struct
import threading
import time
import tracemalloc
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import pytest
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.echo.probe import check
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.failure import FailureName
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.net.pdu import (
    MALFORMED,
    VERIFICATION,
    associate_request,
    collect_command,
    read_acceptance,
    status_of_response,
    verification_proposal,
)
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.net.tls import Certificate, TlsSession
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.peer import Timeouts
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pynetdicom import AE

from support.peers import peer_at

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

HERE = "127.0.0.1"
PROPOSALS = [verification_proposal()]
REQUEST = {"CommandField": 0x0030, "MessageID": 1}
STEP_SECONDS = 0.1
# Connecting, associating, the echo, the release or a look for TLS; and a machine that has other things to do.
WITHIN_SECONDS = 20
MEGABYTE = 1_000_000


def element(number: int, value: bytes) -> bytes:
    """Return an element of a command set (PS3.7 §6.3.1)."""
    return struct.pack("<HHL", 0x0000, number, len(value)) + value


def p_data(command: bytes, control: int = 0x03, context_id: int = 1) -> bytes:
    """Return a P-DATA-TF PDU with one fragment (PS3.8 §9.3.5)."""
    return struct.pack(">BxLLBB", 0x04, len(command) + 6, len(command) + 2, context_id, control) + command


RESPONSE = (
    element(0x0002, VERIFICATION.encode() + b"\0")
    + element(0x0100, struct.pack("<H", 0x8030))
    + element(0x0120, struct.pack("<H", 1))
    + element(0x0800, struct.pack("<H", 0x0101))
    + element(0x0900, struct.pack("<H", 0x0000))
)
GOOD_ANSWER = p_data(element(0x0000, struct.pack("<L", len(RESPONSE))) + RESPONSE)
RELEASED = bytes.fromhex("06000000000400000000")


@st.composite
def mutations(draw: st.DrawFn, original: bytes) -> bytes:
    """Return ``original`` with bytes changed, put in, taken out or cut off, or with a length that lies."""
    data = bytearray(original)
    for _each in range(draw(st.integers(1, 4))):
        position = draw(st.integers(0, max(len(data) - 1, 0)))
        match draw(st.sampled_from(["change", "insert", "remove", "cut", "lengthen", "repeat"])):
            case "change":
                data[position : position + 1] = bytes([draw(st.integers(0, 255))])
            case "insert":
                data[position:position] = draw(st.binary(min_size=1, max_size=20))
            case "remove":
                del data[position : position + draw(st.integers(1, 20))]
            case "cut":
                del data[position:]
            case "lengthen":
                data[position : position + 2] = draw(st.sampled_from([b"\0\0", b"\0\x01", b"\x7f\xff", b"\xff\xff"]))
            case "repeat":
                data[position:position] = data[position : position + draw(st.integers(1, 60))]
    return bytes(data)


KINDS = st.integers(0, 8)


def pdus() -> st.SearchStrategy[bytes]:
    """Return PDUs of any type with any content, most with their true length."""
    honest = st.builds(lambda kind, body: struct.pack(">BxL", kind, len(body)) + body, KINDS, st.binary(max_size=200))
    lying = st.builds(
        lambda kind, length, body: struct.pack(">BxL", kind, length) + body,
        KINDS,
        st.integers(0, 0xFFFFFFFF),
        st.binary(max_size=200),
    )
    return st.one_of(honest, lying)


@pytest.fixture(scope="module")
def acceptance(authority) -> bytes:
    """Return the A-ASSOCIATE-AC of a real SCP."""
    ae = AE(ae_title="ORTHANC")
    ae.add_supported_context(VERIFICATION)
    server = ae.start_server((HERE, 0), block=False)
    peer = peer_at(server.server_address[1])
    with socket.create_connection((peer.host, peer.port)) as connection:
        connection.sendall(associate_request(peer, PROPOSALS))
        header = connection.recv(6, socket.MSG_WAITALL)
        answer = header + connection.recv(struct.unpack(">L", header[2:])[0], socket.MSG_WAITALL)
    server.shutdown()
    return answer


# The codec alone: many examples, no socket


@settings(max_examples=5 * settings.default.max_examples, deadline=None)
@given(data=st.data())
def test_an_acceptance_is_read_or_malformed(acceptance, data):
    answer = data.draw(
        st.one_of(mutations(acceptance), st.binary(max_size=300).map(lambda body: acceptance[:6] + body))
    )
    with contextlib.suppress(*MALFORMED):
        read = read_acceptance(answer, PROPOSALS)
        assert len(read.accepted) + len(read.refused) == 1
        assert isinstance(read.information.maximum_pdu, int)


@settings(max_examples=5 * settings.default.max_examples, deadline=None)
@given(data=st.data())
def test_a_response_is_read_or_malformed(data):
    answer = data.draw(st.one_of(mutations(GOOD_ANSWER), st.binary(max_size=100).map(p_data)))
    with contextlib.suppress(*MALFORMED):
        command = bytearray()
        if collect_command(answer, command):
            assert 0 <= status_of_response(bytes(command), REQUEST) <= 0xFFFF


def test_a_good_response_is_read():
    command = bytearray()
    assert collect_command(GOOD_ANSWER, command)
    assert status_of_response(bytes(command), REQUEST) == 0x0000


# A certificate, which a peer shows before anything is known of it


@pytest.fixture(scope="module")
def certificate(authority) -> bytes:
    pem = Path(authority.issue_to("fuzzed", names=("localhost", HERE, "one.example"))[0]).read_text()
    return ssl.PEM_cert_to_DER_cert(pem)


def read(der: bytes) -> Certificate | None:
    return TlsSession("TLSv1.3", "TLS_AES_128_GCM_SHA256", False, der).peer_certificate


@settings(max_examples=5 * settings.default.max_examples, deadline=None)
@given(data=st.data())
def test_a_certificate_is_read_or_not(certificate, data):
    shown = read(data.draw(mutations(certificate)))
    assert shown is None or json.dumps(shown.to_result())


@pytest.mark.parametrize(
    ("original", "replaced", "names"),
    [
        (b"", b"", ("DNS:localhost", f"IP:{HERE}", "DNS:one.example")),
        (b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x01", None),  # version 2
        (b"\x06\x03\x55\x1d\x13", b"\x06\x03\x55\x1d\x11", ()),  # subject alternative names twice
        (b"\x82\x0bone.example", b"\xa3\x0bone.example", ()),  # an X.400 address
    ],
)
def test_an_odd_certificate_is_no_fault(certificate, original, replaced, names):
    assert original in certificate
    shown = read(certificate.replace(original, replaced))
    assert (shown.subject_alt_names if shown else None) == names


# The whole check, over a real socket


@dataclass
class Scripted:
    """A peer that answers the association request, the echo and the release with bytes of our choice."""

    answers: tuple[bytes, ...] = ()
    lingers: bool = False
    port: int = 0

    def behave(self, connection: socket.socket) -> None:
        connection.settimeout(2)
        for answer in self.answers:
            if not connection.recv(4096):
                return
            connection.sendall(answer)
        if self.lingers:
            while connection.recv(4096):
                pass


@pytest.fixture(scope="module")
def scripted() -> Iterator[Scripted]:
    peer = Scripted()
    server = socket.create_server((HERE, 0))

    def treat(connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            peer.behave(connection)

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=treat, args=server.accept()[:1], daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    peer.port = server.getsockname()[1]
    yield peer
    server.close()


def look_at(scripted: Scripted, step_seconds: float = STEP_SECONDS) -> str | None:
    """Check the peer, see that it ends as it should, and return its failure."""
    start = time.monotonic()
    report = check(peer_at(scripted.port, timeouts=Timeouts(*[step_seconds] * 4)))
    assert time.monotonic() - start < WITHIN_SECONDS
    result = report.to_result()
    if report.failure is None:
        return None
    assert result["failure"] in get_args(FailureName)
    assert result["failure"] != "internal_error"
    return str(result["failure"])


def test_the_scripted_peer_can_be_well(scripted, acceptance):
    scripted.answers, scripted.lingers = (acceptance, GOOD_ANSWER, RELEASED), False
    assert look_at(scripted, step_seconds=20) is None


def test_an_answer_of_sequences_without_end_is_no_dicom(scripted, acceptance):
    """Each of them takes pydicom deeper, for 16 bytes."""
    sequence = struct.pack("<HHLHHL", 0x0008, 0x1140, 0xFFFFFFFF, 0xFFFE, 0xE000, 0xFFFFFFFF)
    scripted.answers, scripted.lingers = (acceptance, p_data(sequence * 10000), RELEASED), False
    assert look_at(scripted, step_seconds=20) == "not_dicom"


SOCKETS = settings(
    max_examples=settings.default.max_examples * 3 // 5, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


@SOCKETS
@given(data=st.data())
def test_any_answer_to_the_association_request(scripted, acceptance, data):
    answer = data.draw(st.one_of(mutations(acceptance), pdus(), st.binary(max_size=300)))
    scripted.answers = (answer, GOOD_ANSWER, RELEASED)
    scripted.lingers = data.draw(st.integers(0, 9)) == 0
    look_at(scripted)


@SOCKETS
@given(data=st.data())
def test_any_answer_to_the_echo(scripted, acceptance, data):
    answer = data.draw(
        st.one_of(
            mutations(GOOD_ANSWER),
            mutations(RESPONSE).map(p_data),
            st.lists(pdus(), max_size=3).map(b"".join),
            st.binary(max_size=300),
        )
    )
    scripted.answers = (acceptance, answer, data.draw(st.one_of(st.just(RELEASED), pdus())))
    scripted.lingers = data.draw(st.integers(0, 9)) == 0
    look_at(scripted)


# Memory


@pytest.mark.parametrize(
    ("flood", "failure"),
    [
        (struct.pack(">BxL", 0x04, 0xFFFFFFFF) + bytes(60000), "not_dicom"),
        (struct.pack(">BxL", 0x02, 0xFFFFFFFF) + bytes(60000), "not_dicom"),
        (p_data(bytes(60000), control=0x01), "not_dicom"),  # a command set without end
        (p_data(bytes(60000), control=0x00), "dimse_timeout"),  # a data set without end
        (struct.pack(">BxL", 0x04, 0), "dimse_timeout"),  # empty PDUs
    ],
    ids=["4 GB", "4 GB of another kind", "command", "data set", "empty"],
)
def test_a_flood_takes_no_memory(listener, acceptance, flood, failure):
    def pour(connection):
        connection.recv(4096)
        connection.sendall(acceptance)
        connection.recv(4096)
        while True:
            connection.sendall(flood)

    port = listener(pour)
    tracemalloc.start()
    try:
        report = check(peer_at(port, timeouts=Timeouts(20, 20, 20, 1)))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert report.failure is not None
    assert report.failure.failure == failure, report.sentence
    assert peak < 4 * MEGABYTE
