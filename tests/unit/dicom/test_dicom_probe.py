# SPDX-License-Identifier: GPL-3.0-or-later
"""Every way in which a peer can fail, each by a real peer that fails that way."""

from __future__ import annotations

import contextlib
import datetime
import socket
import ssl
import struct
import threading
import time
from dataclasses import dataclass, replace

import pytest
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom_pdu import associate_request, verification_proposal
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom_peer import Peer, Timeouts, TlsOptions
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom_probe import check
from dicom_peers import DAY, peer_at, server_context
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pynetdicom import AE, evt
from pynetdicom.sop_class import CTImageStorage

TLS_VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


@pytest.fixture(scope="module")
def server(authority):
    return authority.issue("server")


@pytest.fixture
def trusting(authority):
    return TlsOptions(server_name="localhost", ca_file=str(authority.file))


def failure_of(peer: Peer, within: float = 2.5) -> str:
    """Check the peer and return its failure, having looked at the clock and at the sentence."""
    start = time.monotonic()
    report = check(peer)
    assert time.monotonic() - start < within
    assert not report.alive
    assert len(report.sentence) > 40, "a sentence says what was tried, what came back and what to do"
    assert report.failure is not None
    return report.failure.failure


# A peer that is well


def test_a_peer_that_answers(archive):
    report = check(peer_at(archive().port), count=3)
    assert report.alive
    result = report.to_result()
    assert result["failure"] is None
    assert result["latency_ms"]["tcp"] > 0
    assert result["latency_ms"]["tls"] is None
    assert result["latency_ms"]["association"] > 0
    echo = result["latency_ms"]["echo"]
    assert 0 < echo["min"] <= echo["median"] <= echo["max"]
    assert result["implementation_version_name"].startswith("PYNETDICOM")
    assert result["implementation_class_uid"].startswith("1.2.826.0.1.3680043.9.3811.")
    assert result["maximum_pdu"] == 16382
    assert result["peer_certificate"] is result["tls_version"] is None


@pytest.mark.parametrize("version", TLS_VERSIONS)
def test_a_peer_that_answers_over_mutual_tls(archive, authority, server, trusting, version):
    port = archive(tls=server_context(authority, server, demand=True, version=version)).port
    certificate, key = authority.issue("client", passphrase=b"secret")
    mine = replace(trusting, client_certificate=certificate, client_key=key, client_key_passphrase="secret")
    report = check(peer_at(port, mine))
    result = report.to_result()
    assert report.alive, report.sentence
    assert result["tls_version"] == version.name.replace("_", ".")
    assert result["client_certificate_requested"] is True
    assert result["latency_ms"]["tls"] > 0
    assert result["peer_certificate"]["subject"] == "CN=server"
    assert result["peer_certificate"]["issuer"] == "CN=imaging-ca"
    assert result["peer_certificate"]["subject_alt_names"] == ["DNS:localhost", "IP:127.0.0.1"]
    assert result["peer_certificate"]["days_left"] == 4


def test_the_association_is_released(archive):
    released = threading.Event()
    ae = AE()
    ae.add_supported_context("1.2.840.10008.1.1")
    scp = ae.start_server(
        ("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_RELEASED, lambda event: released.set())]
    )
    try:
        assert check(peer_at(scp.server_address[1])).alive
        assert released.wait(2)
    finally:
        scp.shutdown()


# The way there


def test_name_not_resolved():
    assert failure_of(Peer(host="nowhere.invalid", port=104, called_aet="A"), within=20) == "name_not_resolved"


def test_connection_refused():
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert failure_of(peer_at(port)) == "connection_refused"


def test_connect_timeout():
    with contextlib.ExitStack() as stack:
        full = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):  # nobody accepts, so the queue of connections is full
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        peer = peer_at(full.getsockname()[1], timeouts=Timeouts(connect=0.3))
        assert failure_of(peer) == "connect_timeout"


def test_a_name_with_an_address_that_refuses_is_reached_at_the_other(archive):
    assert check(peer_at(archive().port, host="localhost")).alive  # ::1 comes first where there is IPv6


def test_retries_until_the_peer_is_there():
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    ae = AE()
    ae.add_supported_context("1.2.840.10008.1.1")
    servers = []
    later = threading.Timer(0.3, lambda: servers.append(ae.start_server(("127.0.0.1", port), block=False)))
    later.start()
    report = check(peer_at(port, retries=30, retry_delay=0.1))
    later.join()
    servers[0].shutdown()
    assert report.alive
    assert report.attempts > 1


def test_retries_end():
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert check(peer_at(port, retries=2, retry_delay=0.01)).attempts == 3


# TLS


def test_tls_expected(archive, authority, server):
    assert failure_of(peer_at(archive(tls=server_context(authority, server)).port)) == "tls_expected"


@pytest.mark.parametrize("version", TLS_VERSIONS)
def test_tls_expected_with_a_client_certificate(archive, authority, server, version):
    port = archive(tls=server_context(authority, server, demand=True, version=version)).port
    assert failure_of(peer_at(port)) == "tls_expected"


def test_tls_expected_by_an_alert(listener):
    port = listener(lambda connection: connection.sendall(bytes.fromhex("15030100020246")))
    assert failure_of(peer_at(port)) == "tls_expected"


def test_tls_not_spoken_by_a_plain_archive(archive, trusting):
    assert failure_of(peer_at(archive().port, trusting)) == "tls_not_spoken"


@pytest.mark.parametrize("banner", [b"SSH-2.0-OpenSSH_9.2\r\n", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x00" * 40])
def test_tls_not_spoken_by_others(listener, trusting, banner):
    def answer(connection):
        connection.recv(4096)
        connection.sendall(banner)
        time.sleep(0.2)

    assert failure_of(peer_at(listener(answer), trusting)) == "tls_not_spoken"


def test_tls_timeout(listener, trusting):
    assert failure_of(peer_at(listener(lambda connection: time.sleep(3)), trusting)) == "tls_timeout"


def test_tls_timeout_of_a_peer_that_drips(listener, trusting):
    def drip(connection):
        for byte in bytes.fromhex("160303007a") + bytes(20):
            connection.sendall(bytes([byte]))
            time.sleep(0.2)

    assert failure_of(peer_at(listener(drip), trusting)) == "tls_timeout"


@pytest.mark.parametrize("said", [b"", bytes.fromhex("160303007a0200")])
def test_closed_in_the_midst_of_the_handshake(listener, trusting, said):
    def leave(connection):
        connection.recv(4096)
        connection.sendall(said)

    assert failure_of(peer_at(listener(leave), trusting)) == "tls_failed"


def test_no_version_in_common(archive, authority, server, trusting):
    port = archive(tls=server_context(authority, server, version=ssl.TLSVersion.TLSv1_2)).port
    peer = peer_at(port, replace(trusting, minimum_version="1.3"))
    assert failure_of(peer) == "tls_failed"
    assert "version" in check(peer).sentence


# The peer's certificate


def test_certificate_unknown(archive, authority, server, stranger):
    port = archive(tls=server_context(authority, server)).port
    peer = peer_at(port, TlsOptions(server_name="localhost", ca_file=str(stranger.file)))
    assert failure_of(peer) == "certificate_unknown"
    assert check(peer).to_result()["peer_certificate"]["issuer"] == "CN=imaging-ca"


def test_certificate_unknown_is_let_pass_without_verification(archive, authority, server):
    port = archive(tls=server_context(authority, server)).port
    report = check(peer_at(port, TlsOptions(server_name="whatever", verify=False)))
    assert report.alive
    assert report.to_result()["peer_certificate"]["subject"] == "CN=server"


def test_certificate_expired(archive, authority, trusting):
    port = archive(tls=server_context(authority, authority.issue("old", ends=-2 * DAY))).port
    peer = peer_at(port, trusting)
    assert failure_of(peer) == "certificate_expired"
    assert check(peer).to_result()["peer_certificate"]["days_left"] < 0


@pytest.mark.parametrize("name", ["archive.example", "10.9.8.7"])
def test_certificate_wrong_name(archive, authority, server, trusting, name):
    port = archive(tls=server_context(authority, server)).port
    assert failure_of(peer_at(port, replace(trusting, server_name=name))) == "certificate_wrong_name"


def test_certificate_revoked(archive, authority, server, trusting):
    port = archive(tls=server_context(authority, server)).port
    assert failure_of(peer_at(port, replace(trusting, crl_file=authority.revoke(server[0])))) == "certificate_revoked"
    assert check(peer_at(port, replace(trusting, crl_file=authority.revoke()))).alive


def test_a_revocation_list_that_is_out_of_date(archive, authority, server, trusting):
    port = archive(tls=server_context(authority, server)).port
    stale = authority.revoke(ends=datetime.timedelta(days=-1))
    peer = peer_at(port, replace(trusting, crl_file=stale))
    assert failure_of(peer) == "certificate_unknown"
    assert "crl_file is out of date" in check(peer).sentence


# Our certificate


@pytest.mark.parametrize("version", TLS_VERSIONS)
def test_client_certificate_demanded(archive, authority, server, trusting, version):
    port = archive(tls=server_context(authority, server, demand=True, version=version)).port
    for _ in range(10):  # under TLS 1.3 the alert may be lost, or not
        assert failure_of(peer_at(port, trusting)) == "client_certificate_demanded"


def test_client_certificate_refused(archive, authority, stranger, server, trusting):
    certificate, key = stranger.issue("stranger")
    mine = replace(trusting, client_certificate=certificate, client_key=key)
    port = archive(tls=server_context(authority, server, demand=True, version=ssl.TLSVersion.TLSv1_2)).port
    assert failure_of(peer_at(port, mine)) == "client_certificate_refused"
    port = archive(tls=server_context(authority, server, demand=True, version=ssl.TLSVersion.TLSv1_3)).port
    assert failure_of(peer_at(port, mine)) in ("client_certificate_refused", "connection_closed")


def test_a_proxy_that_asks_for_a_certificate_and_closes_as_nginx_does(listener, authority, server, trusting):
    context = server_context(authority, server, demand=True)
    context.verify_mode = ssl.CERT_OPTIONAL

    def close_after_the_handshake(connection):
        context.wrap_socket(connection, server_side=True).close()

    port = listener(close_after_the_handshake)
    assert failure_of(peer_at(port, trusting)) == "client_certificate_demanded"

    certificate, key = authority.issue("revoked-for-nginx")
    mine = replace(trusting, client_certificate=certificate, client_key=key)
    assert failure_of(peer_at(port, mine)) == "connection_closed"
    assert "does not accept" in check(peer_at(port, mine)).sentence


def test_a_proxy_with_nothing_behind_it(listener, authority, server, trusting):
    context = server_context(authority, server)
    port = listener(lambda connection: context.wrap_socket(connection, server_side=True).close())
    assert failure_of(peer_at(port, trusting)) == "connection_closed"


# The association


def test_association_rejected(archive):
    peer = peer_at(archive(require_called_aet=True).port, called_aet="NOBODY")
    assert failure_of(peer) == "association_rejected"
    result = check(peer).to_result()
    assert result["rejection"] == {
        "result": "rejected permanently",
        "source": "the application (DICOM UL service-user)",
        "reason": "called AE title not recognized",
    }


def test_calling_aet_rejected(archive):
    peer = peer_at(archive(require_calling_aet=["CT1"]).port)
    assert failure_of(peer) == "association_rejected"
    assert "calling AE title not recognized" in check(peer).sentence
    assert check(replace(peer, calling_aet="CT1")).alive


def test_association_aborted(listener):
    def abort(connection):
        connection.recv(4096)
        connection.sendall(bytes.fromhex("07000000000400000206"))

    peer = peer_at(listener(abort))
    assert failure_of(peer) == "association_aborted"
    assert "invalid PDU parameter value" in check(peer).sentence


def test_presentation_context_refused(archive):
    peer = peer_at(archive(contexts=[(CTImageStorage,)]).port)
    assert failure_of(peer) == "presentation_context_refused"
    assert "abstract syntax" in check(peer).sentence


@pytest.mark.parametrize(
    "said",
    [b"", b"\x02", b"\x02\x00\x00\x00\x10\x00abc", b"\x02\x00\x00\x00\x00\xff"],
    ids=["nothing", "one byte", "part of a PDU", "a header only"],
)
def test_association_timeout(listener, said):
    def say_and_wait(connection):
        connection.sendall(said)
        time.sleep(3)

    assert failure_of(peer_at(listener(say_and_wait))) == "association_timeout"


def test_association_timeout_of_a_peer_that_drips(listener):
    def drip(connection):
        for byte in bytes.fromhex("0200000000ff") + bytes(200):
            connection.sendall(bytes([byte]))
            time.sleep(0.05)

    assert failure_of(peer_at(listener(drip))) == "association_timeout"


@pytest.mark.parametrize("said", [b"", b"\x02\x00", b"\x02\x00\x00\x00\x10\x00abc"])
def test_connection_closed(listener, said):
    def leave(connection):
        connection.recv(4096)
        connection.sendall(said)

    assert failure_of(peer_at(listener(leave))) == "connection_closed"


@pytest.mark.parametrize(
    ("said", "quoted"),
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n", "SSH-2.0-OpenSSH_9.2"),
        (b"HTTP/1.1 400 Bad Request\r\nServer: nginx\r\n\r\n", "HTTP/1.1 400 Bad Request"),
        (b"\x02\x00\xff\xff\xff\xff" + b"x" * 100, "4294967295 bytes"),
        (b"\x04\x00\x00\x00\x00\x04abcd", "PDU of type 04"),
        (b"\x02\x00\x00\x00\x00\x04abcd", "cannot be decoded"),
        (b"\x03\x00\x00\x00\x00\x00", "too short"),
        (b"\x07\x00\x00\x00\x00\x00", "too short"),
        (bytes(range(200, 256)), "check the port"),
    ],
)
def test_not_dicom(listener, said, quoted):
    def answer(connection):
        connection.recv(4096)
        connection.sendall(said)
        time.sleep(0.1)

    peer = peer_at(listener(answer))
    assert failure_of(peer) == "not_dicom"
    assert quoted in check(peer).sentence


def test_not_dicom_behind_tls(listener, authority, server, trusting):
    context = server_context(authority, server)

    def answer_as_http(connection):
        with context.wrap_socket(connection, server_side=True) as tls:
            tls.recv(4096)
            tls.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            time.sleep(0.1)

    assert failure_of(peer_at(listener(answer_as_http), trusting)) == "not_dicom"


# The message


def test_dimse_status(archive):
    peer = peer_at(archive(status=0x0122).port)
    assert failure_of(peer) == "dimse_status"
    assert check(peer).to_result()["dimse_status"] == "0122"
    assert "SOP class not supported" in check(peer).sentence


def test_dimse_timeout(archive):
    def late(event):
        time.sleep(1)
        return 0x0000

    assert failure_of(peer_at(archive(status=late).port)) == "dimse_timeout"


def a_real_acceptance(archive) -> bytes:
    """Return the A-ASSOCIATE-AC of a real SCP."""
    peer = peer_at(archive().port)
    with socket.create_connection((peer.host, peer.port)) as connection:
        connection.sendall(associate_request(peer, [verification_proposal()]))
        header = connection.recv(6, socket.MSG_WAITALL)
        return header + connection.recv(struct.unpack(">L", header[2:])[0], socket.MSG_WAITALL)


def accept_then(acceptance: bytes, answer: bytes, linger: float = 0.0):
    def behave(connection):
        connection.recv(4096)
        connection.sendall(acceptance)
        connection.recv(4096)
        connection.sendall(answer)
        time.sleep(linger)

    return behave


@pytest.mark.parametrize(
    ("answer", "failure"),
    [
        (b"", "connection_closed"),
        (b"\x04\x00\x00\x00\x00\x10abc", "connection_closed"),
        (bytes.fromhex("07000000000400000000"), "association_aborted"),
        (bytes.fromhex("05000000000400000000"), "association_aborted"),
        (b"\x04\x00\xff\xff\xff\xf0", "not_dicom"),
        (b"\x02\x00\x00\x00\x00\x00", "not_dicom"),
        (bytes.fromhex("04000000000a000000060103ffffffff"), "not_dicom"),
        (bytes.fromhex("040000000006ffffffff0103"), "not_dicom"),
        (b"GET /", "connection_closed"),
        (b"GET / HTTP/1.1\r\n", "not_dicom"),
    ],
)
def test_hostile_answers_to_c_echo(archive, listener, answer, failure):
    port = listener(accept_then(a_real_acceptance(archive), answer))
    assert failure_of(peer_at(port)) == failure


def test_a_peer_that_accepts_and_falls_silent(archive, listener):
    port = listener(accept_then(a_real_acceptance(archive), b"\x04\x00", linger=3))
    assert failure_of(peer_at(port), within=3) == "dimse_timeout"


def test_a_command_without_end(archive, listener):
    fragment = bytes.fromhex("04000000200600002002" + "0101") + bytes(0x2000)
    port = listener(accept_then(a_real_acceptance(archive), fragment * 64, linger=1))
    assert failure_of(peer_at(port)) == "not_dicom"


@pytest.mark.filterwarnings("ignore::UserWarning")
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_answer_upsets_the_probe(fuzzed, data):
    """Whatever comes back, mutated acceptances among it, there is a report, in time."""
    mutated = bytearray(fuzzed.acceptance)
    for position in data.draw(st.lists(st.integers(0, len(mutated) - 1), max_size=3)):
        mutated[position] = data.draw(st.integers(0, 255))
    as_p_data = st.binary(max_size=40).map(lambda value: struct.pack(">BxL", 0x04, len(value)) + value)
    fuzzed.answers = (
        data.draw(st.one_of(st.just(bytes(mutated)), st.binary(max_size=60))),
        data.draw(st.one_of(as_p_data, st.binary(max_size=60))),
    )
    start = time.monotonic()
    report = check(peer_at(fuzzed.port, timeouts=Timeouts(0.1, 0.1, 0.1, 0.1)))
    assert not report.alive
    assert time.monotonic() - start < 2


@dataclass
class Fuzzed:
    """A peer that gives two answers, and what a real one would say first."""

    acceptance: bytes
    port: int = 0
    answers: tuple[bytes, bytes] = (b"", b"")


@pytest.fixture
def fuzzed(archive, listener):
    fuzzed = Fuzzed(a_real_acceptance(archive))
    fuzzed.port = listener(lambda connection: accept_then(*fuzzed.answers)(connection))
    return fuzzed
