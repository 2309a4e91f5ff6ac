# SPDX-License-Identifier: GPL-3.0-or-later
"""A real nginx (our own image, on our own engine) and a real dcmtk peer, with keys and certificates of the module.

The clients are curl, OpenSSL's ``s_client``, NSS's ``tstclnt`` and dcmtk's ``echoscu``. dcmtk 3.6.7 checks no names.
"""

from __future__ import annotations

import os
import random
import re
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.pki_witnesses import nss_database, run_pki
from support.process import said_by

pytestmark = [pytest.mark.engine, pytest.mark.needs("certutil", "curl", "docker", "openssl", "tstclnt")]

PASSPHRASE = "handed over 1"
WAIT_SECONDS = 60
ANSWERS = ("welcome ", "FAILED:", "NONE\n")  # the last line of what our nginx says

NGINX = """
include /etc/nginx/modules-enabled/*.conf;
pid /tmp/nginx.pid;
error_log stderr info;
events {{ }}
http {{
    access_log off;
    server {{
        listen 127.0.0.1:{https} ssl;
        ssl_certificate {pki}/server.chain.crt;
        ssl_certificate_key {pki}/server.key;
        ssl_client_certificate {pki}/ca-bundle.crt;
        ssl_crl {pki}/crl.pem;
        ssl_verify_client on;
        ssl_verify_depth 2;
        error_page 495 496 @refused;
        location / {{ return 200 "welcome $ssl_client_s_dn\\n"; }}
        location @refused {{ return 403 "$ssl_client_verify\\n"; }}
    }}
    server {{
        listen 127.0.0.1:{lost} ssl;
        ssl_certificate {pki}/lost-server.chain.crt;
        ssl_certificate_key {pki}/lost-server.key;
        location / {{ return 200 "welcome\\n"; }}
    }}
}}
stream {{
    server {{
        listen 127.0.0.1:{stream} ssl;
        ssl_certificate {pki}/server.chain.crt;
        ssl_certificate_key {pki}/server.key;
        ssl_client_certificate {pki}/ca-bundle.crt;
        ssl_crl {pki}/crl.pem;
        ssl_verify_client on;
        ssl_verify_depth 2;
        return "welcome $ssl_client_s_dn\\n";
    }}
}}
"""


@dataclass(frozen=True)
class World:
    """A PKI and one whose CA has the same name and another key. Both have a ``server`` and a ``client``."""

    pki: Path
    foreign: Path

    def key_and_certificate(self, leaf: str) -> tuple[Path, Path]:
        """The files of a leaf; ``foreign-client`` and ``foreign-server`` are the other PKI's."""
        folder, stem = (
            (self.foreign, leaf.removeprefix("foreign-")) if leaf.startswith("foreign-") else (self.pki, leaf)
        )
        return folder / f"{stem}.key", folder / f"{stem}.chain.crt"


@pytest.fixture(scope="module", params=["ecdsa-p256", "ecdsa-p384", "rsa-2048", "rsa-3072", "intermediate"])
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("world")
    made = World(folder / "pki", folder / "foreign")
    two_tiers = request.param == "intermediate"
    key_type = {"key_type": "ecdsa-p256" if two_tiers else request.param}
    server = {"name": "server", "subject_alt_names": ["localhost", "127.0.0.1"], **key_type}
    client = {"name": "client", "usage": ["client"], "pkcs12": True, "pkcs12_passphrase": PASSPHRASE, **key_type}
    lost = [{**server, "name": "lost-server", **key_type}, {"name": "lost-client", "usage": ["client"], **key_type}]
    # dcmtk warns of an RSA key in a certificate that is not signed with RSA.
    ca = {"common_name": "Test CA", "organization": "Test Clinic", **key_type}
    if two_tiers:
        ca["intermediate"] = {"common_name": "Test issuing CA"}
    run_pki(made.pki, server, client, *lost, ca=ca)
    run_pki(made.pki, server, client, *({**entry, "state": "revoked"} for entry in lost), ca=ca)
    run_pki(made.foreign, server, client, ca=ca)
    return made


def free_ports(count: int) -> list[int]:
    """Ports of 26000 to 26099 on which nobody listens."""
    free = []
    for port in random.sample(range(26000, 26100), 100):
        with closing(socket.socket()) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        free.append(port)
        if len(free) == count:
            return free
    raise AssertionError("no free ports between 26000 and 26099")


def wait_for(port: int, ended: Callable[[], str | None]) -> None:
    """Return as soon as something listens. ``ended`` says what the server printed once it has ended."""
    until = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < until:
        if (said := ended()) is not None:
            raise AssertionError(f"the server of port {port} has ended: {said}")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=WAIT_SECONDS).close()
        except ConnectionRefusedError:
            time.sleep(0.02)
        else:
            return
    raise AssertionError(f"nothing listens on port {port} after {WAIT_SECONDS} seconds")


# --- nginx


@dataclass(frozen=True)
class Nginx:
    world: World
    https: int
    lost: int  # a server whose certificate is revoked
    stream: int

    def curl(
        self, client: str | None, *options: str | Path, host: str = "localhost", port: int = 0, ok: bool = True
    ) -> str:
        """What curl printed of ``/``; with the key and certificate of a client, or with none."""
        command = ["curl", "--silent", "--show-error", "--noproxy", "*", "--max-time", str(WAIT_SECONDS)]
        if client:
            key, certificate = self.world.key_and_certificate(client)
            command += ["--key", str(key), "--cert", str(certificate)]
        command += ["--cacert", str(self.world.pki / "ca-bundle.crt"), *map(str, options)]
        return said_by(*command, f"https://{host}:{port or self.https}/", succeeds=ok)


@pytest.fixture(scope="module")
def nginx(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    """Our image, as root, since the keys belong to whoever runs the test."""
    images = said_by("docker", "image", "ls", "--format", "{{.Repository}}:{{.Tag}}", "orthweb/nginx").split()
    assert images, "There is no image orthweb/nginx: run 'ansible-playbook tests/prepare.yml'."
    https, lost, stream = free_ports(3)
    folder = tmp_path_factory.mktemp("nginx")
    settings = NGINX.format(pki=world.pki, https=https, lost=lost, stream=stream)
    (folder / "nginx.conf").write_text(settings)
    command = ["docker", "run", "--detach", "--network", "host", "--user", "0", "--pull", "never"]
    command += ["--volume", f"{world.pki}:{world.pki}:ro", "--volume", f"{folder}:/etc/nginx/orthweb:ro"]
    container = said_by(*command, images[0]).strip()
    try:

        def ended() -> str | None:
            running = said_by("docker", "inspect", "--format", "{{.State.Running}}", container).strip()
            return None if running == "true" else said_by("docker", "logs", container)

        for port in (https, lost, stream):
            wait_for(port, ended)
        yield Nginx(world, https, lost, stream)
    finally:
        said_by("docker", "rm", "--force", "--volumes", container)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_nginx_lets_a_good_client_in_and_curl_knows_the_server_by_name_and_address(nginx, host, version):
    said = nginx.curl("client", f"--tlsv{version}", "--tls-max", version, host=host)
    assert said == "welcome CN=client,O=Test Clinic\n"


def test_nginx_lets_the_bundle_in(nginx):
    bundle = f"{nginx.world.pki / 'client.p12'}:{PASSPHRASE}"
    assert nginx.curl(None, "--cert-type", "P12", "--cert", bundle) == "welcome CN=client,O=Test Clinic\n"


@pytest.mark.parametrize(
    ("client", "why"),
    [
        (None, "NONE"),
        ("lost-client", "FAILED:certificate revoked"),
        # A second tier is of another CA of the right name, too: nginx finds no list by its key.
        ("foreign-client", "FAILED:unable to (verify the first certificate|get certificate CRL)"),
        ("server", "FAILED:unsuitable certificate purpose"),
    ],
)
def test_nginx_refuses_a_client(nginx, client, why):
    assert re.fullmatch(why, nginx.curl(client).strip())


def test_curl_refuses_a_server(nginx):
    elsewhere = ["--resolve", f"other.example.org:{nginx.https}:127.0.0.1"]
    said = nginx.curl("client", *elsewhere, host="other.example.org", ok=False)
    assert "no alternative certificate subject name matches target host name 'other.example.org'" in said
    foreign = nginx.world.foreign / "ca-bundle.crt"
    assert "unable to get local issuer certificate" in nginx.curl("client", "--cacert", foreign, ok=False)


def test_curl_refuses_a_revoked_server_where_it_has_the_list(nginx):
    crl = ["--crlfile", nginx.world.pki / "crl.pem"]
    assert nginx.curl(None, port=nginx.lost) == "welcome\n"
    assert "certificate revoked" in nginx.curl(None, *crl, port=nginx.lost, ok=False)
    assert nginx.curl("client", *crl).startswith("welcome")


def talk(*command: str, request: str = "") -> str:
    """What a client printed until it ended, or until our nginx had answered it.

    Its input stays open meanwhile: at the end of that it may leave before the answer is there.
    """
    said = ""
    with subprocess.Popen(
        ["timeout", str(WAIT_SECONDS), *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdin and process.stdout
        process.stdin.write(request)
        process.stdin.flush()
        for line in process.stdout:
            said += line
            if line.startswith(ANSWERS):
                process.terminate()
                return said
    assert process.returncode != 124, f"{command} did not end in {WAIT_SECONDS} seconds: {said}"
    return said


def s_client(nginx: Nginx, client: str | None) -> str:
    """What arrived from the stream server through ``openssl s_client``."""
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{nginx.stream}", "-quiet"]
    command += ["-CAfile", str(nginx.world.pki / "ca-bundle.crt"), "-verify_hostname", "localhost"]
    command += ["-verify_return_error", "-x509_strict"]
    if client:
        key, certificate = nginx.world.key_and_certificate(client)
        command += ["-key", str(key), "-cert_chain", str(certificate), "-cert", str(certificate)]
    return talk(*command)


def test_stream_with_s_client(nginx):
    assert s_client(nginx, "client").endswith("\nwelcome CN=client,O=Test Clinic\n")
    for client in (None, "lost-client", "foreign-client", "server"):
        assert "welcome" not in s_client(nginx, client), client


@pytest.fixture(scope="module")
def browser(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database of NSS with our CA, and with the client's key from its bundle."""
    database = nss_database(tmp_path_factory.mktemp("nss"), world.pki / "ca-bundle.crt")
    import_bundle = ["pk12util", "-d", f"sql:{database}", "-K", "", "-i", world.pki / "client.p12", "-W", PASSPHRASE]
    said_by(*import_bundle)
    return database


def tstclnt(nginx: Nginx, database: Path, *options: str, name: str) -> str:
    """What NSS's TLS client printed."""
    command = ["tstclnt", "-d", f"sql:{database}", "-h", "127.0.0.1", "-p", str(nginx.https), "-a", name, *options]
    return talk(*command, request="GET / HTTP/1.0\r\n\r\n")


def test_nss_as_the_client(nginx, browser, tmp_path):
    assert "\nwelcome CN=client,O=Test Clinic\n" in tstclnt(nginx, browser, name="localhost")
    without_key = nss_database(tmp_path / "ours", nginx.world.pki / "ca-bundle.crt")
    assert "\nNONE\n" in tstclnt(nginx, without_key, name="localhost")
    said = tstclnt(nginx, browser, name="other.example.org")
    assert "SSL_ERROR_BAD_CERT_DOMAIN" in said and "welcome" not in said, said
    foreign = nss_database(tmp_path / "foreign", nginx.world.foreign / "ca-bundle.crt")
    said = tstclnt(nginx, foreign, name="localhost")
    assert "SEC_ERROR_UNKNOWN_ISSUER" in said and "NONE" not in said, said


# --- dcmtk


@pytest.fixture(scope="module")
def storescp(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a dcmtk peer that demands a certificate of our CA which is not on our list."""
    [port] = free_ports(1)
    folder = tmp_path_factory.mktemp("storescp")
    key, certificate = world.key_and_certificate("server")
    command = ["/usr/bin/storescp", "+tls", key, certificate, "+cf", world.pki / "ca-bundle.crt"]
    command += ["+crl", world.pki / "crl.pem", "--output-directory", folder, str(port)]
    log = folder / "log"
    with log.open("wb") as stream:
        process = subprocess.Popen(command, stdout=stream, stderr=stream)
    try:
        wait_for(port, lambda: None if process.poll() is None else log.read_text())
        yield port
    finally:
        process.terminate()
        process.wait(timeout=WAIT_SECONDS)


def echoscu(port: int, world: World, client: str | None, *options: str | Path) -> tuple[int, str]:
    if client:
        command = ["/usr/bin/echoscu", "+tls", *world.key_and_certificate(client)]
    else:
        command = ["/usr/bin/echoscu", "+tla"]
    command += ["+cf", world.pki / "ca-bundle.crt", *options, "localhost", str(port)]
    # DCMTK leaves Nagle on: without this, each answer waits for a delayed acknowledgement.
    environment = {**os.environ, "TCP_NODELAY": "1"}
    done = subprocess.run(
        [str(part) for part in command],
        capture_output=True,
        text=True,
        timeout=WAIT_SECONDS,
        env=environment,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("profile", ["--profile-bcp195-nd", "--profile-bcp195"])
def test_dcmtk_peers_speak_by_each_profile_of_bcp_195(world, storescp, profile):
    """The extended profile, retired meanwhile, is for RSA keys only, and dcmtk speaks it on both sides or on none."""
    assert echoscu(storescp, world, "client", profile) == (0, "")


@pytest.mark.parametrize("client", [None, "lost-client", "foreign-client", "server"])
def test_dcmtk_peer_refuses_a_client(world, storescp, client):
    code, said = echoscu(storescp, world, client)
    assert code != 0, said
    assert "alert" in said or "reset by peer" in said or "Peer aborted" in said, said
    assert echoscu(storescp, world, "client") == (0, "")


def test_dcmtk_client_refuses_a_server_of_another_ca(world, storescp):
    command = ["/usr/bin/echoscu", "+tls", *world.key_and_certificate("client")]
    command += ["+cf", world.foreign / "ca-bundle.crt", "localhost", str(storescp)]
    assert "certificate verify failed" in said_by(*command, succeeds=False)
