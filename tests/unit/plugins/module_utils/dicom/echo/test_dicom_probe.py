# SPDX-License-Identifier: GPL-3.0-or-later
"""Every way in which a peer can fail, each by a real peer that fails that way."""

from __future__ import annotations

import contextlib
import datetime
import errno
import socket
import ssl
import struct
import threading
import time
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.echo.probe import check
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.net import transport
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.net.pdu import (
    C_ECHO_RQ,
    NO_DATA_SET,
    VERIFICATION,
    associate_request,
    command_fragments,
    command_set,
    verification_proposal,
)
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.net.tls import tls_problems
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.peer import Peer, Timeouts, TlsOptions
from cryptography.x509.oid import ExtendedKeyUsageOID
from pynetdicom import AE, evt
from pynetdicom.sop_class import CTImageStorage

from support.authority import DAY
from support.peers import SHORT, server_context
from support.peers import peer_at as hasty_peer_at

# For what has to come in time on a machine that has other things to do; what has to time out gets SHORT.
PATIENT = Timeouts(20, 20, 20, 20)
TLS_VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


@pytest.fixture(scope="module")
def server(authority):
    return authority.issue_to("server")


@pytest.fixture
def trusting(authority):
    return TlsOptions(server_name="localhost", ca_file=str(authority.file))


def peer_at(port: int, tls: TlsOptions | None = None, **changes: Any) -> Peer:
    return hasty_peer_at(port, tls, **{"timeouts": PATIENT, **changes})


def failure_of(peer: Peer) -> str:
    """Check the peer and return its failure, having looked at the sentence."""
    report = check(peer)
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
    certificate, key = authority.issue_to("client", passphrase=b"secret")
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


def test_each_echo_has_a_message_id_of_its_own(archive):
    seen = []

    def answer(event):
        seen.append(event.request.MessageID)
        return 0x0000

    assert check(peer_at(archive(status=answer).port), count=3).alive
    assert seen == [1, 2, 3]


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
    assert failure_of(peer_at(104, host="nowhere.invalid", timeouts=Timeouts(connect=120))) == "name_not_resolved"


def test_connection_refused():
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert failure_of(peer_at(port)) == "connection_refused"


def test_a_connection_that_is_reset_at_once_is_closed_by_the_peer(monkeypatch):
    """No peer on this machine can be had to do so at will: the handshake is the kernel's."""

    def reset(*_unused):
        raise ConnectionResetError(errno.ECONNRESET, "Connection reset by peer")

    monkeypatch.setattr(transport, "_connect", reset)
    assert failure_of(peer_at(1)) == "connection_closed"


def test_connect_timeout():
    with contextlib.ExitStack() as stack:
        full = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _each in range(4):  # nobody accepts, so the queue of connections is full
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
    assert failure_of(peer_at(listener(lambda connection: time.sleep(30)), trusting, timeouts=SHORT)) == "tls_timeout"


def test_tls_timeout_of_a_peer_that_drips(listener, trusting):
    def drip(connection):
        for byte in bytes.fromhex("160303007a") + bytes(20):
            connection.sendall(bytes([byte]))
            time.sleep(1)

    assert failure_of(peer_at(listener(drip), trusting, timeouts=SHORT)) == "tls_timeout"


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
    assert "certificate not verified" in report.sentence
    assert report.to_result()["peer_certificate"]["subject"] == "CN=server"


def test_certificate_expired(archive, authority, trusting):
    port = archive(tls=server_context(authority, authority.issue_to("old", ends=-2 * DAY))).port
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
    assert "Renew crl_file: it is out of date" in check(peer).sentence


def test_a_certificate_of_another_purpose_or_too_weak_says_what_to_have_reissued(archive, authority, trusting):
    for_clients = authority.issue_to("for-clients", usage=ExtendedKeyUsageOID.CLIENT_AUTH)
    peer = peer_at(archive(tls=server_context(authority, for_clients)).port, trusting)
    assert failure_of(peer) == "certificate_unknown"
    assert "reissued for servers" in check(peer).sentence

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.load_cert_chain(*authority.issue_to("weak-server", rsa_bits=1024))
    peer = peer_at(archive(tls=context).port, trusting)
    assert failure_of(peer) == "certificate_unknown"
    assert "RSA key of at least 2048 bits" in check(peer).sentence
    assert "ca_file" not in check(peer).sentence


# Our certificate


def test_our_certificate_that_is_too_weak_and_a_passphrase_that_is_too_long(authority, trusting):
    certificate, key = authority.issue_to("weak-client", rsa_bits=1024)
    (problem,) = tls_problems(replace(trusting, client_certificate=certificate, client_key=key))
    assert problem.startswith(f"client_certificate: OpenSSL rejects {certificate}, which is too weak (EE_KEY_")
    certificate, key = authority.issue_to("closed", passphrase=b"secret")
    mine = replace(trusting, client_certificate=certificate, client_key=key, client_key_passphrase="x" * 1025)
    (problem,) = tls_problems(mine)
    assert problem.startswith("client_key_passphrase: cannot be used: ")


@pytest.mark.parametrize("version", TLS_VERSIONS)
def test_client_certificate_demanded(archive, authority, server, trusting, version):
    port = archive(tls=server_context(authority, server, demand=True, version=version)).port
    for _attempt in range(10):  # under TLS 1.3 the alert may be lost, or not
        assert failure_of(peer_at(port, trusting)) == "client_certificate_demanded"


def test_client_certificate_refused(archive, authority, stranger, server, trusting):
    certificate, key = stranger.issue_to("stranger")
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

    certificate, key = authority.issue_to("revoked-for-nginx")
    mine = replace(trusting, client_certificate=certificate, client_key=key)
    assert failure_of(peer_at(port, mine)) == "connection_closed"
    assert "does not accept" in check(peer_at(port, mine)).sentence


def test_a_proxy_with_nothing_behind_it(listener, authority, server, trusting):
    context = server_context(authority, server)
    port = listener(lambda connection: context.wrap_socket(connection, server_side=True).close())
    assert failure_of(peer_at(port, trusting)) == "connection_closed"


def test_a_file_that_has_gone_meanwhile(archive, authority, server):
    port = archive(tls=server_context(authority, server)).port
    gone = TlsOptions(server_name="localhost", ca_file="/nowhere/ca.pem")
    assert failure_of(peer_at(port, gone)) == "file_not_read"


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


@pytest.mark.parametrize(
    ("source", "reason", "words"),
    [
        (1, 1, "no reason given"),
        (1, 2, "application context name not supported"),
        (1, 3, "calling AE title not recognized"),
        (1, 7, "called AE title not recognized"),
        (2, 1, "no reason given"),
        (2, 2, "protocol version not supported"),
        (3, 1, "temporary congestion"),
        (3, 2, "local limit exceeded"),
        (3, 7, "reserved value 7"),
        (9, 1, "reserved value 1"),
    ],
)
def test_rejections_in_words(listener, source, reason, words):
    def reject(connection):
        connection.recv(4096)
        connection.sendall(bytes((0x03, 0, 0, 0, 0, 4, 0, 2, source, reason)))

    report = check(peer_at(listener(reject)))
    assert report.failure.failure == "association_rejected"
    assert report.to_result()["rejection"]["result"] == "rejected for now"
    assert report.to_result()["rejection"]["reason"] == words
    assert words in report.sentence


def test_association_aborted(listener):
    def abort(connection):
        connection.recv(4096)
        connection.sendall(bytes.fromhex("07000000000400000206"))

    peer = peer_at(listener(abort))
    assert failure_of(peer) == "association_aborted"
    sentence = check(peer).sentence
    assert "answered A-ASSOCIATE-RQ with A-ABORT" in sentence
    assert "invalid PDU parameter value" in sentence


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
        time.sleep(30)

    assert failure_of(peer_at(listener(say_and_wait), timeouts=SHORT)) == "association_timeout"


def test_association_timeout_of_a_peer_that_drips(listener):
    def drip(connection):
        for byte in bytes.fromhex("0200000000ff") + bytes(200):
            connection.sendall(bytes([byte]))
            time.sleep(0.2)

    assert failure_of(peer_at(listener(drip), timeouts=SHORT)) == "association_timeout"


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
    answer = threading.Event()

    def late(event):
        answer.wait(60)
        return 0x0000

    report = check(peer_at(archive(status=late).port, timeouts=replace(PATIENT, dimse=0.5)))
    answer.set()
    assert report.failure.failure == "dimse_timeout"
    assert "accepted the association, but did not answer C-ECHO within 0.5 s" in report.sentence


A_C_ECHO = command_set(
    {"AffectedSOPClassUID": VERIFICATION, "CommandField": C_ECHO_RQ, "MessageID": 1, "CommandDataSetType": NO_DATA_SET}
)


def a_real_acceptance(archive) -> bytes:
    """Return the A-ASSOCIATE-AC of a real SCP."""
    peer = peer_at(archive().port)
    with socket.create_connection((peer.host, peer.port)) as connection:
        connection.sendall(associate_request(peer, [verification_proposal()]))
        header = connection.recv(6, socket.MSG_WAITALL)
        return header + connection.recv(struct.unpack(">L", header[2:])[0], socket.MSG_WAITALL)


def a_real_response(archive) -> bytes:
    """Return the C-ECHO-RSP of a real SCP, as a PDU."""
    peer = peer_at(archive().port)
    with socket.create_connection((peer.host, peer.port)) as connection:
        answers = []
        for question in (associate_request(peer, [verification_proposal()]), *command_fragments(1, A_C_ECHO, 0)):
            connection.sendall(question)
            header = connection.recv(6, socket.MSG_WAITALL)
            answers.append(header + connection.recv(struct.unpack(">L", header[2:])[0], socket.MSG_WAITALL))
        return answers[-1]


def accept_then(acceptance: bytes, answer: bytes, linger: float = 0.0):
    def behave(connection):
        connection.recv(4096)
        connection.sendall(acceptance)
        connection.recv(4096)
        connection.sendall(answer)
        time.sleep(linger)

    return behave


@pytest.mark.parametrize(
    ("answer", "failure", "said"),
    [
        (b"", "connection_closed", "closed the connection in the middle of a C-ECHO"),
        (b"\x04\x00\x00\x00\x00\x10abc", "connection_closed", "closed the connection in the middle of a C-ECHO"),
        (bytes.fromhex("07000000000400000000"), "association_aborted", "answered C-ECHO with A-ABORT"),
        (bytes.fromhex("05000000000400000000"), "association_aborted", "to release the association instead of"),
        (b"\x04\x00\xff\xff\xff\xf0", "not_dicom", "announced a PDU of 4294967280 bytes"),
        (b"\x02\x00\x00\x00\x00\x00", "not_dicom", "answered C-ECHO with a PDU of type 02"),
        (bytes.fromhex("04000000000a000000060103ffffffff"), "not_dicom", "answered C-ECHO with a message that cannot"),
        (bytes.fromhex("040000000006ffffffff0103"), "not_dicom", "answered C-ECHO with a message that cannot"),
        (b"GET /", "connection_closed", "closed the connection in the middle of a C-ECHO"),
        (b"GET / HTTP/1.1\r\n", "not_dicom", "GET / HTTP/1.1"),
    ],
)
def test_hostile_answers_to_c_echo(archive, listener, answer, failure, said):
    peer = peer_at(listener(accept_then(a_real_acceptance(archive), answer)))
    assert failure_of(peer) == failure
    assert said in check(peer).sentence


def test_a_peer_that_accepts_and_falls_silent(archive, listener):
    port = listener(accept_then(a_real_acceptance(archive), b"\x04\x00", linger=30))
    assert failure_of(peer_at(port, timeouts=replace(PATIENT, dimse=0.5))) == "dimse_timeout"


def test_a_peer_that_accepts_and_drips(archive, listener):
    acceptance = a_real_acceptance(archive)

    def drip(connection):
        connection.recv(4096)
        connection.sendall(acceptance)
        for byte in bytes.fromhex("0400000000ff") + bytes(200):
            connection.sendall(bytes([byte]))
            time.sleep(0.2)

    assert failure_of(peer_at(listener(drip), timeouts=replace(PATIENT, dimse=1))) == "dimse_timeout"


@pytest.mark.parametrize("said", [b"", b"\x06", struct.pack(">BxL", 0x04, 0) * 1000, b"SSH-2.0-x\r\n"])
def test_a_peer_that_does_not_release_is_alive(archive, listener, said):
    acceptance, answer = a_real_acceptance(archive), a_real_response(archive)
    checked, outwaited = threading.Event(), threading.Event()

    def keep(connection):
        for each in (acceptance, answer, said):
            connection.recv(4096)
            connection.sendall(each)
        if not checked.wait(30):
            outwaited.set()

    assert check(peer_at(listener(keep), timeouts=replace(PATIENT, association=1))).alive
    checked.set()
    assert not outwaited.is_set(), "the check waits for the release as long as the peer likes"


def test_a_command_without_end(archive, listener):
    fragment = bytes.fromhex("04000000200600002002" + "0101") + bytes(0x2000)
    port = listener(accept_then(a_real_acceptance(archive), fragment * 64, linger=1))
    assert failure_of(peer_at(port)) == "not_dicom"
