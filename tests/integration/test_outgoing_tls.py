# SPDX-License-Identifier: GPL-3.0-or-later
"""Modalities that the archive calls over TLS: each shows a certificate, and demands one of the archive."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from subprocess import PIPE, Popen

import pytest
from cryptography import x509
from pydicom import Dataset
from pydicom.uid import generate_uid
from pynetdicom import AE
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelMove

from support.authority import Authority
from support.hospital import DISPLAY, MODALITIES
from support.images import CALLED_AET, associate, ct_image, is_stored
from support.places import Place
from support.rest import orthanc_path, rest
from support.stack import ECHOSCU, Stack, docker
from support.transfers import transfers

pytestmark = pytest.mark.long

PORT, OTHER_PORT = 12762, 12763
OUTGOING = "outgoing-localhost"  # what the archive shows
NAME = "viewer.clinic.example"
OURS = {
    "name": "viewer",
    "aet": "VIEWER",
    "host": DISPLAY,
    "port": PORT,
    "call_with_tls": True,
    "certificate_name": NAME,
}
THEIRS = {**OURS, "name": "theirs", "aet": "THEIRS", "port": OTHER_PORT}  # with a certificate of its own CA

# A modality that stores what it is sent, and demands a client certificate; prints its certificate's serial number.
VIEWER = """
import ssl, sys
from pynetdicom import AE, evt, AllStoragePresentationContexts
from pynetdicom.sop_class import Verification
address, port, certificate, key, trusted = sys.argv[1:]
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate, key)
context.load_verify_locations(trusted)
context.verify_mode = ssl.CERT_REQUIRED
def shown(event):
    print(event.assoc.dul.socket.socket.getpeercert()["serialNumber"], flush=True)
    return 0
def stored(event):
    print(event.request.AffectedSOPInstanceUID, flush=True)
    return 0
ae = AE()
ae.add_supported_context(Verification)
ae.supported_contexts = [*ae.supported_contexts, *AllStoragePresentationContexts]
handlers = [(evt.EVT_C_ECHO, shown), (evt.EVT_C_STORE, stored)]
ae.start_server((address, int(port)), block=False, ssl_context=context, evt_handlers=handlers)
print("ready", flush=True)
sys.stdin.read()
"""


class Viewer:
    def __init__(self, process: Popen[str]) -> None:
        self.process = process

    def says(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()


@contextmanager
def viewer(where: Place, port: int, certificate: str, key: str, trusted: str) -> Iterator[Viewer]:
    command = where.command(sys.executable, "-c", VIEWER, where.address, str(port), certificate, key, trusted)
    process = Popen(command, stdin=PIPE, stdout=PIPE, text=True)
    try:
        one = Viewer(process)
        assert one.says() == "ready"
        yield one
    finally:
        process.communicate()


@pytest.fixture(scope="module")
def other_ca(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("other-ca"))


@pytest.fixture(scope="module")
def called(stack: Stack, other_ca: Authority) -> Iterator[Stack]:
    """The stack, with two modalities that are called over TLS; nothing is restarted for them."""
    before = starts(stack)
    theirs = {**THEIRS, "ca_certificate": str(other_ca.file)}
    changed = replace(stack, variables={**stack.variables, "orthweb_modalities": [*MODALITIES, OURS, theirs]})
    with transfers(stack):  # a new certificate of Orthanc, for another reason, waits meanwhile
        changed.configure().ok()
    assert starts(stack) == before
    yield changed
    stack.configure().ok()


def starts(stack: Stack) -> str:
    return docker("inspect", "--format", "{{.Id}} {{.State.StartedAt}}", *map(stack.container, ("nginx", "orthanc")))


def own(stack: Stack) -> tuple[str, str]:
    """The certificate and key that our CA has issued for the modality."""
    return f"{stack.pki}/client-viewer.crt", f"{stack.pki}/client-viewer.key"


def echoed(stack: Stack) -> str:
    """What ``make verify`` says, in one line."""
    return " ".join(stack.play("verify").ok().output.split())


def test_both_sides_show_a_certificate(called: Stack, display_place: Place, other_ca: Authority) -> None:
    theirs = other_ca.issue_to("viewer", (NAME,))
    with (
        viewer(display_place, PORT, *own(called), called.ca) as ours,
        viewer(display_place, OTHER_PORT, *theirs, called.ca) as with_their_ca,
    ):
        said = echoed(called)
        assert f"viewer (VIEWER@{DISPLAY}:{PORT}) answers." in said
        assert f"theirs (THEIRS@{DISPLAY}:{OTHER_PORT}) answers." in said
        serial = x509.load_pem_x509_certificate((called.pki / f"{OUTGOING}.crt").read_bytes()).serial_number
        assert (int(ours.says(), 16), int(with_their_ca.says(), 16)) == (serial, serial)


def test_an_image_is_moved_and_sent_over_tls(called: Stack, display_place: Place) -> None:
    image = ct_image(generate_uid())
    association = associate(called)
    assert is_stored(association, image)
    association.release()
    with viewer(display_place, PORT, *own(called), called.ca) as one:
        ae = AE("WORKSTATION")
        ae.add_requested_context(StudyRootQueryRetrieveInformationModelMove)
        tls = (called.client_tls(), "localhost")
        association = ae.associate("localhost", called.dicom_port, ae_title=CALLED_AET, tls_args=tls)
        wanted = Dataset()
        wanted.QueryRetrieveLevel, wanted.StudyInstanceUID = "STUDY", image.StudyInstanceUID
        model = StudyRootQueryRetrieveInformationModelMove
        statuses = [status.Status for status, _identifier in association.send_c_move(wanted, "VIEWER", model)]
        association.release()
        assert statuses[-1] == 0x0000, statuses
        assert one.says() == image.SOPInstanceUID
        found = orthanc_path(called, image.SOPInstanceUID).rpartition("/")[2]
        sent = rest(called).post(f"{called.portal}/orthanc/modalities/viewer/store", found, timeout=60)
        assert sent.json()["FailedInstancesCount"] == 0
        assert one.says() == image.SOPInstanceUID


def test_verify_says_why_a_modality_is_not_reached(called: Stack, display_place: Place, other_ca: Authority) -> None:
    """A certificate of another CA, and then one with another name, beside one that trusts another CA."""
    beginning = f"WARNING: viewer (VIEWER@{DISPLAY}:{PORT}) does not answer: "
    other_beginning = f"WARNING: theirs (THEIRS@{DISPLAY}:{OTHER_PORT}) does not answer: "
    foreign, elsewhere = other_ca.issue_to("viewer", (NAME,)), other_ca.issue_to("elsewhere", ("elsewhere.example",))
    with (
        viewer(display_place, PORT, *foreign, called.ca),
        viewer(display_place, OTHER_PORT, *elsewhere, called.ca),
    ):
        said = echoed(called)
    assert beginning + "its certificate is not accepted (" in said
    assert other_beginning + f"its certificate does not have the name {NAME}" in said
    with viewer(display_place, PORT, *own(called), str(other_ca.file)):
        assert beginning + "it does not accept the certificate of this archive (unknown ca)" in echoed(called)


def test_the_certificate_of_the_archive_lets_nobody_in(called: Stack) -> None:
    """Stolen from nginx, it is one of our CA; but it belongs to no modality."""
    done = called.dcmtk(ECHOSCU, client=OUTGOING)
    assert "Calling AE Title Not Recognized" in done.stderr
    lines = [json.loads(line) for line in docker("logs", called.container("nginx")).splitlines() if line[:1] == "{"]
    refused = [line["refused"] for line in lines if line.get("result") == "rejected 1/1/3"]
    assert refused[-1] == "the certificate belongs to no modality"
