# SPDX-License-Identifier: GPL-3.0-or-later
"""New certificates and revocations arrive at once, and cut no association that is open."""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from cryptography import x509
from pydicom import Dataset
from pydicom.uid import generate_uid
from pynetdicom import evt
from pynetdicom.association import Association

from support.hospital import MODALITIES
from support.images import associate, ct_image, fetch, is_stored
from support.stack import ECHOSCU, Stack, container_id, docker

VISITOR = {"name": "visitor", "aet": "VISITOR"}


def names_shown_by_nginx(stack: Stack) -> list[str]:
    """The DNS names in the certificate that a new connection to the listener is shown."""
    with (
        socket.create_connection(("localhost", stack.dicom_port), timeout=10) as connection,
        stack.client_tls().wrap_socket(connection, server_hostname="localhost") as tls,
    ):
        return names_in(tls.getpeercert(binary_form=True) or b"")


def names_shown_by_orthanc(stack: Stack) -> list[str]:
    """The same from where nginx is: this machine does not reach Orthanc."""
    network = f'{{{{(index .NetworkSettings.Networks "{stack.name}-archive").IPAddress}}}}'
    address = docker("inspect", "--format", network, stack.container("orthanc"))
    nginx = docker("inspect", "--format", "{{.State.Pid}}", stack.container("nginx"))
    ask = "import ssl, sys; print(ssl.get_server_certificate((sys.argv[1], 8042), timeout=10))"
    command = ["nsenter", "--net", "--target", nginx, sys.executable, "-c", ask, address]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout
    return names_in(ssl.PEM_cert_to_DER_cert(shown))


def names_in(der: bytes) -> list[str]:
    certificate = x509.load_der_x509_certificate(der)
    alternative = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return alternative.get_values_for_type(x509.DNSName)


@contextmanager
def long_store(association: Association, image: Dataset) -> Iterator[list[bool]]:
    """A C-STORE that goes on for as long as the block does; the list then holds whether it was acknowledged."""
    over = threading.Event()
    association.network_timeout = association.dimse_timeout = 600  # s; the answer does not come before
    association.bind(evt.EVT_PDU_SENT, lambda _event: over.wait(4))
    stored: list[bool] = []
    thread = threading.Thread(target=lambda: stored.append(is_stored(association, image)))
    thread.start()
    try:
        yield stored
        assert not stored, "It had ended before"
    finally:
        over.set()
        thread.join()


def large_image() -> Dataset:
    """8 MB: some 64 PDUs."""
    image = ct_image(generate_uid())
    image.Rows = image.Columns = 2048
    image.PixelData = os.urandom(2 * 2048 * 2048)
    return image


def test_a_new_certificate_cuts_no_association(stack: Stack) -> None:
    new = "renewed.example"
    nginx, orthanc = container_id(stack.container("nginx")), container_id(stack.container("orthanc"))
    assert new not in names_shown_by_nginx(stack)
    association, image = associate(stack), large_image()
    assert association.is_established
    with long_store(association, image) as stored:
        run = stack.configure(orthweb_server_aliases=[new]).ok()
    assert stored == [True]
    assert fetch(stack, image.SOPInstanceUID).PixelData == image.PixelData

    # New connections see the new certificate at nginx; Orthanc waits with its own, since it would have to restart.
    assert new in names_shown_by_nginx(stack)
    assert (container_id(stack.container("nginx")), container_id(stack.container("orthanc"))) == (nginx, orthanc)
    assert "keeps its old certificate" in " ".join(run.output.split())
    assert new not in names_shown_by_orthanc(stack)

    # The next run brings it, here with another change.
    association.release()
    stack.configure(orthweb_server_aliases=[new], orthweb_modalities=[*MODALITIES, VISITOR]).ok()
    assert new in names_shown_by_orthanc(stack)


def resumed(stack: Stack, context: ssl.SSLContext, session: ssl.SSLSession | None) -> ssl.SSLSession | None:
    """Connect, with the session of an earlier connection if given; the session, or None if it was not taken up."""
    try:
        with (
            socket.create_connection(("localhost", stack.dicom_port), timeout=10) as connection,
            context.wrap_socket(connection, server_hostname="localhost", session=session) as tls,
        ):
            return tls.session if session is None or tls.session_reused else None
    except OSError:
        return None


def test_who_is_taken_off_the_list_gets_in_no_more(stack: Stack) -> None:
    """The visitor whom the test before has let in."""
    assert stack.dcmtk(ECHOSCU, "-aet", "VISITOR", client="client-visitor").returncode == 0
    context = stack.client_tls("client-visitor")
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    session = resumed(stack, context, None)
    assert resumed(stack, context, session), "Sessions are resumed as long as the certificate is good"

    stack.configure().ok()
    refused = stack.dcmtk(ECHOSCU, "-aet", "VISITOR", client="client-visitor")
    assert refused.returncode != 0
    assert "Rejected" not in refused.stderr, "In the handshake, before any AE title is read"
    assert not resumed(stack, context, session), "A kept session leads past the revocation list"
    assert stack.dcmtk(ECHOSCU).returncode == 0
