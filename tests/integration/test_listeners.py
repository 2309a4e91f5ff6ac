# SPDX-License-Identifier: GPL-3.0-or-later
"""The DICOM listeners of a hospital, each as those meet it who are to use it, and those who are not."""

from __future__ import annotations

import json
import re
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest
from pynetdicom import AE
from pynetdicom.sop_class import Verification

from support import attack
from support.hospital import INTERNET, OLD, OPTIONAL, PLAIN, VPN
from support.places import Place, place
from support.stack import ECHOSCU, Stack, docker

LEGACY_SUITE = "AES128-SHA"  # TLS_RSA_WITH_AES_128_CBC_SHA, which PS3.15's former AES profile demanded


@pytest.fixture(scope="module")
def stranger() -> Iterator[Place]:
    with place("stranger", "192.0.2.8/30") as other:
        yield other


def tls(stack: Stack, client: str | None) -> list[str]:
    if client is None:
        return ["--anonymous-tls", "+cf", stack.ca]
    return ["+tls", f"{stack.pki}/{client}.key", f"{stack.pki}/{client}.crt", "+cf", stack.ca]


def echo(
    where: Place, port: int, *security: str, calling: str, called: str = "ORTHANC"
) -> subprocess.CompletedProcess[str]:
    """A C-ECHO from there."""
    limits = ["--timeout", "10", "--acse-timeout", "10", "--dimse-timeout", "10"]
    return where.run([ECHOSCU, *limits, *security, "-aet", calling, "-aec", called, where.archive, str(port)])


def answered(where: Place, port: int, *security: str) -> bool:
    """Whether a C-ECHO from there is answered, with the AE title of the certificate, or else of the address."""
    calling = "WORKSTATION" if "+tls" in security and port != VPN else "OLD"  # VPN does not ask for a certificate
    return echo(where, port, *security, calling=calling).returncode == 0


@pytest.mark.parametrize("port", [INTERNET, VPN, OPTIONAL, PLAIN, OLD])
@pytest.mark.parametrize("shows", ["certificate", "no certificate", "plain"])
def test_who_gets_in_where(stack: Stack, modality: Place, stranger: Place, port: int, shows: str) -> None:
    security = {
        "certificate": tls(stack, "client-workstation"),
        "no certificate": tls(stack, None),
        "plain": [],
    }[shows]
    for_all = {INTERNET: {"certificate"}, OLD: {"certificate"}}
    for_known = {VPN: {"certificate", "no certificate"}, OPTIONAL: {"certificate", "no certificate"}, PLAIN: {"plain"}}
    assert answered(modality, port, *security) is (shows in {**for_all, **for_known}[port])
    assert answered(stranger, port, *security) is (shows in for_all.get(port, ()))


def said_by_openssl(stack: Stack, port: int, *arguments: str) -> str:
    """What s_client says of a connection, from this machine, with a client certificate."""
    pki = [
        "-CAfile",
        stack.ca,
        "-cert",
        f"{stack.pki}/client-workstation.crt",
        "-key",
        f"{stack.pki}/client-workstation.key",
    ]
    done = subprocess.run(
        ["openssl", "s_client", "-connect", f"localhost:{port}", "-verify_return_error", *pki, *arguments],
        input="",
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    return done.stdout + done.stderr


@pytest.mark.parametrize(
    ("arguments", "default", "widest"),
    [
        (["-tls1_3"], True, True),
        (["-tls1_2"], True, True),
        (["-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256"], True, True),
        (["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"], True, True),
        (["-tls1_2", "-cipher", LEGACY_SUITE], False, True),
        (["-tls1_2", "-cipher", "ECDHE-RSA-AES128-SHA256"], False, True),
        (["-tls1_2", "-cipher", "ECDHE-RSA-CHACHA20-POLY1305"], False, False),
        (["-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0"], False, False),
    ],
)
def test_protocols_and_suites(stack: Stack, arguments: list[str], default: bool, widest: bool) -> None:
    for port, accepted in ((INTERNET, default), (OLD, widest)):
        said = said_by_openssl(stack, port, *arguments)
        agreed = re.search(r"^New, .*, Cipher is [A-Z]", said, flags=re.MULTILINE)
        assert bool(agreed and "Verify return code: 0 (ok)" in said) is accepted, said


@pytest.mark.parametrize(
    ("can_verify", "key"), [("RSA-PSS+SHA256", "rsaEncryption"), ("ECDSA+SHA256", "id-ecPublicKey")]
)
def test_a_client_gets_the_certificate_that_it_can_verify(stack: Stack, can_verify: str, key: str) -> None:
    # The signature in the handshake; that of the CA on the certificate is another matter (signature_algorithms_cert).
    said = said_by_openssl(stack, INTERNET, "-tls1_3", "-sigalgs", f"{can_verify}:RSA+SHA256")
    [shown] = re.findall("-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", said, flags=re.DOTALL)
    text = subprocess.run(
        ["openssl", "x509", "-noout", "-text"], input=shown, capture_output=True, text=True, check=True
    )
    assert f"Public Key Algorithm: {key}" in text.stdout


def test_sessions_are_resumed(stack: Stack, tmp_path: Path) -> None:
    session = tmp_path / "session"
    first = said_by_openssl(stack, INTERNET, "-tls1_2", "-sess_out", str(session))
    assert "New, TLSv1.2" in first
    assert "Reused, TLSv1.2" in said_by_openssl(stack, INTERNET, "-tls1_2", "-sess_in", str(session))
    # What a listener that asks for no certificate gave does not lead into one that does.
    assert "Reused" not in said_by_openssl(stack, OLD, "-tls1_2", "-sess_in", str(session))


def log_lines(stack: Stack) -> list[dict[str, object]]:
    lines = docker("logs", stack.container("nginx")).splitlines()
    return [json.loads(line) for line in lines if line.startswith("{")]


def test_the_log_says_who_it_was(stack: Stack, modality: Place) -> None:
    assert answered(modality, INTERNET, *tls(stack, "client-workstation"))
    assert answered(modality, PLAIN)
    over_tls, plain = log_lines(stack)[-2:]
    assert (over_tls["listener"], over_tls["address"], over_tls["client"]) == (
        "22112",
        modality.address,
        "CN=workstation,O=OrthWeb",
    )
    assert (over_tls["calling"], over_tls["called"], over_tls["result"]) == ("WORKSTATION", "ORTHANC", "accepted")
    assert over_tls["contexts"] == "1.2.840.10008.1.1"
    assert str(over_tls["implementation"]).startswith("1.2.276.0.7230010.3.0.3.6")  # DCMTK's
    assert str(over_tls["version"]).startswith("OFFIS_DCMTK_3")
    serial = subprocess.run(
        ["openssl", "x509", "-noout", "-serial", "-in", f"{stack.pki}/client-workstation.crt"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert serial.stdout.strip() == f"serial={over_tls['serial']}"
    assert (plain["listener"], plain["address"], plain["client"], plain["tls"]) == ("22104", modality.address, "", "")
    for line in (over_tls, plain):
        assert line["bytes_received"] > 200  # an A-ASSOCIATE-RQ alone is longer
        assert line["bytes_sent"] > 200
        assert 0 <= line["seconds"] < 10


@pytest.mark.parametrize(
    ("client", "calling", "called", "reason", "refused"),
    [
        ("client-display", "DISPLAY", "ORTHANC", "", ""),
        ("client-display", "DISPLAY-WEST", "ORTHANC", "", ""),
        ("client-display", "display", "ORTHANC", "", ""),
        (
            "client-display",
            "WORKSTATION",
            "ORTHANC",
            "Calling AE Title Not Recognized",
            "not a calling AE title of display, whose certificate was shown",
        ),
        (
            "client-workstation",
            "OLD",
            "ORTHANC",
            "Calling AE Title Not Recognized",
            "not a calling AE title of workstation, whose certificate was shown",
        ),
        (
            "client-workstation",
            "WORKSTATION",
            "ELSEWHERE",
            "Called AE Title Not Recognized",
            "the called AE title is not ORTHANC",
        ),
    ],
)
def test_a_calling_title_belongs_to_the_certificate(
    stack: Stack, stranger: Place, client: str, calling: str, called: str, reason: str, refused: str
) -> None:
    done = echo(stranger, INTERNET, *tls(stack, client), calling=calling, called=called)
    assert (done.returncode == 0) is not bool(reason), done.stderr
    assert reason in done.stderr
    line = log_lines(stack)[-1]
    assert (line["calling"], line["called"], line["refused"]) == (calling, called, refused)
    number = {"": "accepted", "Calling": "rejected 1/1/3", "Called": "rejected 1/1/7"}[reason.partition(" ")[0]]
    assert (line["status"], line["result"]) == (200, number)


@pytest.mark.parametrize("port", [PLAIN, VPN, OPTIONAL])
@pytest.mark.parametrize("calling", ["WORKSTATION", "DISPLAY", "NOBODY"])
def test_without_a_certificate_the_address_takes_its_place(
    stack: Stack, modality: Place, port: int, calling: str
) -> None:
    security = [] if port == PLAIN else tls(stack, None)
    assert echo(modality, port, *security, calling="OLD").returncode == 0
    assert "Calling AE Title Not Recognized" in echo(modality, port, *security, calling=calling).stderr
    assert log_lines(stack)[-1]["refused"] == f"not a calling AE title of {modality.address}, without a certificate"


# Opens connections and says nothing; prints how many were still open after a second, and waits to be ended.
FLOOD = """
import select, socket, sys
address, port, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
connections = [socket.create_connection((address, port), timeout=5) for _ in range(count)]
closed = set()
while ready := select.select([c for c in connections if c not in closed], [], [], 1)[0]:
    closed |= {c for c in ready if c.recv(1) == b""}
print(count - len(closed), flush=True)
sys.stdin.read()
"""


@contextmanager
def flood_from(stranger: Place, port: int, connections: int) -> Iterator[int]:
    """How many of these connections from one address are open, in the block."""
    command = stranger.command(sys.executable, "-c", FLOOD, stranger.archive, str(port), str(connections))
    flood = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert flood.stdout is not None
        yield int(flood.stdout.readline())
    finally:
        flood.communicate()


def test_a_flood_from_one_address_is_bounded(stack: Stack, modality: Place, stranger: Place) -> None:
    with flood_from(stranger, INTERNET, 150) as still_open:
        assert still_open == 100, "nginx_dicom_connections_per_address"
        assert not answered(stranger, INTERNET, *tls(stack, "client-workstation"))
        assert log_lines(stack)[-1]["refused"] == "too many connections at a time"
        assert answered(modality, INTERNET, *tls(stack, "client-workstation")), "The others are none the worse"
    assert answered(stranger, INTERNET, *tls(stack, "client-workstation")), "As soon as it is over"


def portal_answers(place: Place, port: int) -> bool:
    """To this place, which does not know the archive's CA."""
    asked = ["curl", "--silent", "--insecure", "--fail", f"https://{place.archive}:{port}/auth/"]
    return "<form" in place.run(asked).stdout


def test_a_flood_of_the_portal_is_bounded_and_keeps_no_modality_out(
    stack: Stack, modality: Place, stranger: Place
) -> None:
    for port in stack.portal_port, stack.orthanc_port:
        with flood_from(stranger, port, 300) as still_open:
            assert still_open == 256, "nginx_portal_connections_per_address"
            assert not portal_answers(stranger, stack.portal_port)
            assert portal_answers(modality, stack.portal_port), "The others are none the worse"
            assert answered(stranger, INTERNET, *tls(stack, "client-workstation")), (
                "Modalities have limits of their own"
            )


def request(called: str = "ORTHANC", calling: str = "OLD", user: bytes = b"") -> bytes:
    """An A-ASSOCIATE-RQ for verification (PS3.8 section 9.3.2)."""
    about = attack.item(0x50, attack.item(0x51, struct.pack(">I", 16384)) + attack.item(0x52, b"1.2.3.4") + user)
    return attack.request(called, calling, attack.APPLICATION + attack.CONTEXT + about)


# Says as much as it is told to, and then nothing; prints after how many seconds the other side hangs up.
HALF_OPEN = """
import socket, ssl, sys, time
address, port, with_tls, said = sys.argv[1], int(sys.argv[2]), sys.argv[3] == "tls", bytes.fromhex(sys.argv[4])
connection = socket.create_connection((address, port), timeout=90)
if with_tls:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    connection = context.wrap_socket(connection)
begun = time.monotonic()
try:
    connection.sendall(said)
    while connection.recv(1000):
        pass
except OSError:
    pass
print(time.monotonic() - begun)
"""


def half_open(where: Place, port: int, how: str, said: bytes) -> subprocess.Popen[str]:
    arguments = [where.archive, str(port), how, said.hex()]
    return subprocess.Popen(
        where.command(sys.executable, "-c", HALF_OPEN, *arguments), stdout=subprocess.PIPE, text=True
    )


def answered_in_time(where: Place, port: int, *security: str) -> bool:
    """Whether a C-ECHO from there is answered before a half-open association ends, which takes 10 seconds."""
    begun = time.monotonic()
    return answered(where, port, *security) and time.monotonic() - begun < 9


def test_half_open_associations_end(stack: Stack, modality: Place) -> None:
    """No handshake; a handshake and no A-ASSOCIATE-RQ; neither of them in the clear; half a request."""
    waiting = [
        half_open(modality, INTERNET, "nothing", b""),
        half_open(modality, VPN, "tls", b""),
        half_open(modality, PLAIN, "nothing", b""),
        half_open(modality, VPN, "tls", request()[:8]),
        half_open(modality, PLAIN, "nothing", request()[:-1]),
    ]
    # Orthanc itself would take no other association meanwhile.
    for _each in range(10):
        assert answered_in_time(modality, INTERNET, *tls(stack, "client-workstation"))
        time.sleep(0.5)
    handshake, *requests = [float(process.communicate(timeout=100)[0]) for process in waiting]
    assert 25 < handshake < 40
    assert all(8 < each < 15 for each in requests), requests


@pytest.mark.parametrize(
    ("said", "refused"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", "begins with PDU type 71, not with an A-ASSOCIATE-RQ"),
        (struct.pack(">BxI", 4, 100), "begins with PDU type 4, not with an A-ASSOCIATE-RQ"),
        (struct.pack(">BxI", 1, 2**31), "an A-ASSOCIATE-RQ of 2147483648 bytes"),
        (struct.pack(">BxI", 1, 4), "an A-ASSOCIATE-RQ of 4 bytes"),
        (request(calling="A\\B"), "an AE title with characters that it cannot have"),
        (request(calling=""), "an AE title with characters that it cannot have"),
        (request(user=struct.pack(">BxH", 0x55, 100)), "an A-ASSOCIATE-RQ whose items do not fit into it"),
        (request(user=bytes(4 * 2001)), "an A-ASSOCIATE-RQ whose items do not fit into it"),
    ],
)
def test_what_is_no_request_is_refused_at_once(stack: Stack, modality: Place, said: bytes, refused: str) -> None:
    assert float(half_open(modality, PLAIN, "nothing", said).communicate(timeout=60)[0]) < 2
    line = log_lines(stack)[-1]
    assert (line["listener"], line["status"], line["refused"]) == (str(PLAIN), 403, refused)
    assert (line["bytes_received"], line["bytes_sent"]) == (0, 0)


# Sends a request in pieces; prints the type of the PDU that it is answered with.
IN_PIECES = """
import socket, sys, time
address, port, *pieces = sys.argv[1:]
connection = socket.create_connection((address, int(port)), timeout=20)
connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
for piece in pieces:
    connection.sendall(bytes.fromhex(piece))
    time.sleep(0.2)
print(connection.recv(1000)[0])
"""


@pytest.mark.parametrize("cuts", [[1], [5], [6, 7], [60, 100, 150], [-1]])
def test_a_request_in_pieces_is_read_as_one(stack: Stack, modality: Place, cuts: list[int]) -> None:
    whole = request()
    places = [0, *(cut % len(whole) for cut in cuts), len(whole)]
    pieces = [whole[start:end].hex() for start, end in pairwise(places)]
    said = modality.run([sys.executable, "-c", IN_PIECES, modality.archive, str(PLAIN), *pieces])
    assert said.stdout == "2\n", f"An A-ASSOCIATE-AC is expected: {said.stderr}"


def test_what_a_client_says_of_itself_is_logged_in_bounds_and_its_password_is_not(
    stack: Stack, modality: Place
) -> None:
    said = b"\"} {\x00\xff\\'$status"
    version = struct.pack(">BxH", 0x55, len(said)) + said
    secret = b"a password that nobody may read"
    identity = struct.pack(">BBH", 2, 1, 2) + b"me" + struct.pack(">H", len(secret)) + secret
    half_open(
        modality,
        PLAIN,
        "nothing",
        request("NOBODY", user=version + struct.pack(">BxH", 0x58, len(identity)) + identity),
    ).communicate(timeout=30)
    line = log_lines(stack)[-1]
    assert (line["version"], line["implementation"]) == ("\"} {??\\'$status", "1.2.3.4")
    assert "a password" not in docker("logs", "--tail", "50", stack.container("nginx"))


class TestLowLimits:
    @pytest.fixture(autouse=True, scope="class")
    def low_limits(self, stack: Stack) -> Iterator[None]:
        limits = {"nginx_dicom_connections_per_certificate": 3, "nginx_portal_connections": 50}
        try:
            stack.configure("--tags", "nginx", **limits).ok()
            yield
        finally:
            stack.configure("--tags", "nginx").ok()

    def test_associations_of_one_certificate_are_limited(self, stack: Stack, modality: Place, stranger: Place) -> None:
        """Wherever it is shown; others are none the worse."""
        ae = AE("WORKSTATION")
        ae.add_requested_context(Verification)
        arguments = {"ae_title": "ORTHANC", "tls_args": (stack.client_tls(), "localhost")}
        held = [ae.associate("localhost", stack.dicom_port, **arguments) for _each in range(4)]
        try:
            assert [each.is_established for each in held] == [True, True, True, False]
            assert not answered(stranger, INTERNET, *tls(stack, "client-workstation"))
            line = log_lines(stack)[-1]
            assert (line["client"], line["refused"]) == ("CN=workstation,O=OrthWeb", "too many connections at a time")
            assert echo(stranger, INTERNET, *tls(stack, "client-display"), calling="DISPLAY").returncode == 0
            assert answered(modality, PLAIN)
        finally:
            for association in held:
                if association.is_established:
                    association.release()
        assert answered(stranger, INTERNET, *tls(stack, "client-workstation")), "As soon as it is over"

    def test_the_portal_leaves_room_for_modalities(self, stack: Stack, modality: Place, stranger: Place) -> None:
        with flood_from(stranger, stack.portal_port, 60) as still_open:
            assert still_open == 50, "nginx_portal_connections"
            assert not portal_answers(modality, stack.portal_port)
            assert answered(modality, INTERNET, *tls(stack, "client-workstation"))
        assert portal_answers(modality, stack.portal_port), "As soon as it is over"


@pytest.mark.parametrize(
    ("said", "times"),
    [
        (request(called="NOBODY"), 3),  # rejected, and the connection is held
        (request(), 15),  # accepted, and nothing more
        (request() + struct.pack(">BxI", 4, 1000), 15),  # the beginning of a P-DATA-TF
    ],
    ids=["rejected", "idle", "half a P-DATA-TF"],
)
def test_associations_held_open_keep_nobody_waiting(
    stack: Stack, modality: Place, stranger: Place, said: bytes, times: int
) -> None:
    holding = [half_open(modality, PLAIN, "nothing", said) for _each in range(times)]
    try:
        time.sleep(1)
        for _each in range(3):
            assert answered_in_time(stranger, INTERNET, *tls(stack, "client-workstation"))
    finally:
        for process in holding:
            process.kill()
            process.communicate()
