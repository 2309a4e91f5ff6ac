# SPDX-License-Identifier: GPL-3.0-or-later
"""The portal's certificate from an ACME CA, pebble. Each test goes on where the one before has ended."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import socket
import ssl
import sys
import time
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from cryptography import x509
from pydicom import Dataset
from pydicom.uid import generate_uid

from support.images import associate, ct_image, is_stored
from support.name_server import NameServer
from support.pebble import Pebble
from support.process import run
from support.stack import Run, Stack, container_id, docker

pytestmark = pytest.mark.long

HTTP_PORT, DNS_PORT = 22080, 22053


@pytest.fixture(scope="module")
def ca(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pebble]:
    """It asks nginx by the name of its container, which is the portal's name here."""
    one = Pebble("orthweb-pytest-pebble", stack.name, tmp_path_factory.mktemp("acme") / "ca", HTTP_PORT)
    try:
        one.start()
        yield one
    finally:
        one.stop()


@pytest.fixture(scope="module")
def names(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NameServer]:
    gateway = docker("network", "inspect", "--format", "{{(index .IPAM.Config 0).Gateway}}", stack.name)
    one = NameServer(portal_name(stack), gateway, DNS_PORT, tmp_path_factory.mktemp("names") / "server")
    try:
        one.start()
        yield one
    finally:
        one.stop()


@pytest.fixture(scope="module", autouse=True)
def as_before(stack: Stack) -> Iterator[None]:
    """Whatever happens here, the other tests find the stack as they know it."""
    yield
    if program(stack).exists():
        stack.configure("--tags=acme").ok()


def portal_name(stack: Stack) -> str:
    return stack.container("nginx")


def folder(stack: Stack) -> Path:
    return Path("/etc/orthweb") / stack.name / "acme"


def program(stack: Stack) -> Path:
    return folder(stack) / "renew.py"


def renew(stack: Stack, *arguments: str) -> tuple[int, str]:
    """As the timer does it."""
    done = run(sys.executable, program(stack), *arguments, merged=True)
    return done.returncode, done.stdout.strip()


def configure(stack: Stack, acme: dict[str, object], *arguments: str) -> Run:
    given = {"orthweb_server_name": portal_name(stack), "orthweb_http_port": HTTP_PORT, "orthweb_acme": acme}
    return stack.configure("--tags=acme", "--skip-tags=preflight", *arguments, **given).ok()


def until_another_is_shown(stack: Stack, before: x509.Certificate) -> x509.Certificate:
    """nginx takes a moment to start new workers, and meanwhile the old ones answer, too."""
    ports, end = (stack.portal_port, stack.orthanc_port), time.monotonic() + 10
    while before in (seen := [shown(stack, port) for port in ports for _further in range(4)]):
        assert time.monotonic() < end, f"It still shows {before.serial_number}"
        time.sleep(0.05)
    return seen[-1]


def shown(stack: Stack, port: int) -> x509.Certificate:
    """What a new connection is shown, whoever has issued it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection(("localhost", port), timeout=10) as connection,
        context.wrap_socket(connection, server_hostname=portal_name(stack)) as tls,
    ):
        return x509.load_der_x509_certificate(tls.getpeercert(binary_form=True) or b"")


def issuer(stack: Stack, port: int) -> str:
    return shown(stack, port).issuer.rfc4514_string()


def large_image() -> Dataset:
    """16 MB, which do not lie in the buffers between a client that does not read and Orthanc."""
    image = ct_image(generate_uid())
    image.Rows, image.Columns = 4096, 2048
    image.PixelData = os.urandom(2 * 4096 * 2048)
    return image


def test_until_the_ca_answers_the_portal_has_the_private_certificate(stack: Stack, ca: Pebble) -> None:
    docker("network", "disconnect", stack.name, ca.name)
    run = configure(stack, ca.given())
    said = " ".join(run.output.split()).replace("''", "'")
    assert f"WARNING: No new certificate for {portal_name(stack)} from https://{ca.name}:14000/dir" in said
    assert "the private CA's is served" in said
    assert "The CA cannot be reached from this host" in said
    assert "OrthWeb" in issuer(stack, stack.portal_port)


def test_it_is_issued_by_http_01(stack: Stack, ca: Pebble) -> None:
    docker("network", "connect", stack.name, ca.name)
    before = shown(stack, stack.portal_port)
    code, said = renew(stack)
    assert code == 0, said
    until_another_is_shown(stack, before)
    assert f"The portal has a new certificate for {portal_name(stack)}" in said
    context = ssl.create_default_context(cafile=str(ca.root))
    for port in (stack.portal_port, stack.orthanc_port):
        with socket.create_connection(("localhost", port), timeout=10) as connection:
            context.wrap_socket(connection, server_hostname=portal_name(stack)).close()
    assert "OrthWeb" in issuer(stack, stack.dicom_port)
    assert renew(stack) == (0, said.replace("a new certificate", "a certificate"))


def test_port_80_shows_answers_and_leads_to_the_portal(stack: Stack) -> None:
    challenge = folder(stack) / "challenge" / ".well-known" / "acme-challenge"
    challenge.mkdir(parents=True)  # certbot has removed its own, and makes it again
    (challenge / "key").symlink_to("/etc/nginx/acme/portal.pem")
    try:
        for path, status in (("key", 403), ("nothing", 404)):
            answer = requests.get(f"http://localhost:{HTTP_PORT}/.well-known/acme-challenge/{path}", timeout=10)
            assert answer.status_code == status
    finally:
        shutil.rmtree(challenge.parent)
    answer = requests.get(f"http://localhost:{HTTP_PORT}/viewer?a=b", timeout=10, allow_redirects=False)
    there = f"https://{portal_name(stack)}:{stack.portal_port}/viewer?a=b"
    assert (answer.status_code, answer.headers["Location"]) == (301, there)


def test_a_renewal_cuts_no_download_and_no_association(stack: Stack) -> None:
    image, nginx = large_image(), container_id(stack.container("nginx"))
    association = associate(stack)
    assert is_stored(association, image)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    connection = http.client.HTTPSConnection("localhost", stack.portal_port, timeout=60, context=context)
    headers = {
        "Authorization": "Basic " + b64encode(":".join(stack.login_of("rita")).encode()).decode(),
        "Accept": 'multipart/related; type="application/dicom"; transfer-syntax=*',
    }
    connection.request("GET", f"/dicom-web/studies/{image.StudyInstanceUID}", headers=headers)
    answer = connection.getresponse()
    assert answer.status == 200
    begin, before = answer.read(65536), shown(stack, stack.portal_port)

    code, said = renew(stack, "--force")
    assert code == 0, said
    until_another_is_shown(stack, before)
    assert image.PixelData in begin + answer.read()
    connection.close()
    assert is_stored(association, ct_image(generate_uid()))
    association.release()
    assert container_id(stack.container("nginx")) == nginx


def test_what_cannot_be_validated_is_said_and_changes_nothing(stack: Stack) -> None:
    before = shown(stack, stack.portal_port)
    file = folder(stack) / "settings.json"
    settings = file.read_text()
    file.write_text(json.dumps({**json.loads(settings), "names": [portal_name(stack), "nobody.invalid"]}))
    try:
        code, said = renew(stack)
    finally:
        file.write_text(settings)
    assert code == 1
    assert "and the present one stays, valid until" in said
    assert "nobody.invalid: Type: " in said
    assert shown(stack, stack.portal_port) == before


def test_a_ca_that_is_away_changes_nothing_either(stack: Stack, ca: Pebble) -> None:
    before = shown(stack, stack.portal_port)
    docker("network", "disconnect", stack.name, ca.name)
    try:
        assert renew(stack)[0] == 0, "It is not due, so nobody is asked"
        code, said = renew(stack, "--force")
        status = json.loads((folder(stack) / "status.json").read_text())
    finally:
        docker("network", "connect", stack.name, ca.name)
    assert code == 1
    assert "and the present one stays, valid until" in said
    assert "The CA cannot be reached from this host" in said
    assert status["message"] == said
    assert shown(stack, stack.portal_port) == before


def test_it_is_issued_by_dns_01(stack: Stack, names: NameServer, tmp_path: Path) -> None:
    """Without a port of its own, and with the name server's key in no log, process list or container's description."""
    asked = f"{names.address}:{names.port}"
    ca = Pebble("orthweb-pytest-pebble-dns", stack.name, tmp_path / "ca", HTTP_PORT, dns=asked)
    provider = {"dns_provider": "rfc2136", "dns_credentials": str(names.credentials()), "dns_propagation_seconds": 1}
    before = shown(stack, stack.portal_port)
    try:
        ca.start()
        run = configure(stack, ca.given(challenge="dns-01", **provider), "-vvv", "--diff")
        assert "WARNING: No new certificate" not in run.output
        assert names.secret not in run.output
        until_another_is_shown(stack, before)
        context = ssl.create_default_context(cafile=str(ca.root))
        with socket.create_connection(("localhost", stack.portal_port), timeout=10) as connection:
            context.wrap_socket(connection, server_hostname=portal_name(stack)).close()
        with pytest.raises(OSError):
            socket.create_connection(("localhost", HTTP_PORT), timeout=5)
    finally:
        ca.stop()
    left = [path for path in folder(stack).rglob("*") if path.is_file() and names.secret in path.read_text()]
    assert [path.relative_to(folder(stack)) for path in left] == [Path("client/dns-credentials")]
    assert left[0].stat().st_mode & 0o777 == 0o400


def test_without_the_setting_everything_is_as_it_was(stack: Stack) -> None:
    stack.configure("--tags=acme", "--skip-tags=preflight").ok()
    assert not folder(stack).exists()
    with pytest.raises(OSError):
        socket.create_connection(("localhost", HTTP_PORT), timeout=5)
    assert "OrthWeb" in issuer(stack, stack.portal_port)
    assert requests.get(stack.portal, verify=stack.ca, timeout=10).status_code == 401
