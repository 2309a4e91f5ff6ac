# SPDX-License-Identifier: GPL-3.0-or-later
"""Images pulled by digest from a registry with TLS of its own CA and a login: Debian's ``docker-registry``."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.authority import Authority
from support.checkout import PLAYBOOK, ROOT
from support.process import output_of, run
from support.stack import Run, docker

PORT, USER, PASSWORD = 24500, "puller", "let me: pull $this"


pytestmark = pytest.mark.long


@dataclass
class Registry:
    folder: Path
    server: str
    authority: Authority
    image: str = ""

    @property
    def trusted(self) -> Path:
        return Path("/etc/docker/certs.d") / self.server

    @property
    def login(self) -> dict[str, str]:
        return {"server": self.server, "username": USER, "password": PASSWORD}

    def pull(self, *arguments: str, **variables: object) -> Run:
        """Run the role on this machine."""
        play = self.folder / "play.yml"
        play.write_text(
            json.dumps([{"hosts": "localhost", "become": True, "roles": [{"role": "cellcs.orthweb.container_images"}]}])
        )
        values = {
            "docker_engine_running": True,
            "orthweb_images_source": "registry",
            "orthweb_images_needed": ["nginx"],
            "orthweb_images_registry": {"nginx": self.image},
            "orthweb_images_registry_login": self.login,
            "orthweb_images_registry_ca": str(self.authority.file),
            **variables,
        }
        command = [PLAYBOOK, play, "--extra-vars", json.dumps(values), *arguments]
        environment = {**os.environ, "ANSIBLE_NOCOLOR": "1"}
        done = run(*command, folder=ROOT, environment=environment, merged=True, seconds=300)
        return Run(done.returncode, " ".join(done.stdout.split()))


def bcrypt(password: str) -> str:
    """The form that the registry reads; Perl is on every Debian."""
    program = "print crypt($ARGV[0], '$2b$05$' . substr(unpack('H*', join('', map(chr(rand 256), 1..16))), 0, 22))"
    return output_of("perl", "-e", program, password)


def wait_for(address: str, port: int) -> None:
    end = time.monotonic() + 20
    while True:
        try:
            with socket.create_connection((address, port), timeout=1):
                return
        except OSError:
            assert time.monotonic() < end, "The registry did not start"
            time.sleep(0.1)


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """On the address of Docker's bridge: Docker does not look at certificates on 127.0.0.0/8."""
    folder = tmp_path_factory.mktemp("registry")
    address = docker("network", "inspect", "bridge", "--format", "{{(index .IPAM.Config 0).Gateway}}")
    registry = Registry(folder, f"{address}:{PORT}", Authority(folder / "pki"))
    certificate, key = registry.authority.issue(address)
    (folder / "htpasswd").write_text(f"{USER}:{bcrypt(PASSWORD)}\n")
    config = {
        "version": 0.1,
        "log": {"level": "warn"},
        "storage": {"filesystem": {"rootdirectory": str(folder / "data")}},
        "http": {"addr": registry.server, "tls": {"certificate": str(certificate), "key": str(key)}},
        "auth": {"htpasswd": {"realm": "orthweb tests", "path": str(folder / "htpasswd")}},
    }
    (folder / "config.yml").write_text(json.dumps(config))
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            ["docker-registry", "serve", str(folder / "config.yml")], stdout=log, stderr=subprocess.STDOUT
        )
    try:
        wait_for(address, PORT)
        yield registry
    finally:
        process.terminate()
        process.wait(timeout=20)
        shutil.rmtree(registry.trusted, ignore_errors=True)


@pytest.fixture(autouse=True)
def image(registry: Registry) -> Iterator[str]:
    """An image of our nginx in the registry that this engine has not seen by digest: it keeps what it has seen."""
    tag, client = f"{registry.server}/orthweb/nginx:{uuid.uuid4().hex}", registry.folder / "client"
    local = docker("image", "ls", "--format", "{{.Repository}}:{{.Tag}}", "orthweb/nginx").splitlines()[0]
    registry.trusted.mkdir(parents=True, exist_ok=True)
    shutil.copy(registry.authority.file, registry.trusted / "ca.crt")
    login = ["docker", "--config", str(client), "login", "--username", USER, "--password-stdin", registry.server]
    output_of(*login, stdin=PASSWORD)
    definition = f"FROM {local}\nLABEL orthweb.test={tag}\n"
    environment = {**os.environ, "DOCKER_BUILDKIT": "0"}
    output_of("docker", "build", "--quiet", "--tag", tag, "-", stdin=definition, environment=environment, seconds=300)
    docker("--config", str(client), "push", "--quiet", tag)
    registry.image = docker("image", "inspect", "--format", "{{index .RepoDigests 0}}", tag)
    docker("image", "rm", tag)
    shutil.rmtree(registry.trusted)
    assert not is_there(registry.image)
    yield registry.image
    if is_there(registry.image):
        docker("image", "rm", registry.image)


def logins() -> set[Path]:
    """Folders of Docker's client that the role made."""
    return set(Path(tempfile.gettempdir()).glob("orthweb-registry-*"))


def is_there(reference: str) -> bool:
    return docker("image", "inspect", "--format", "{{.Id}}", reference, check=False) != ""


def test_it_is_pulled_by_digest_once_and_no_login_stays(registry: Registry) -> None:
    before = logins()
    first = registry.pull("-vvv").ok()
    assert is_there(registry.image)
    assert PASSWORD not in first.output
    assert logins() == before
    kept = Path.home() / ".docker" / "config.json"
    assert not (kept.exists() and registry.server in kept.read_text())
    assert registry.pull().ok().changed == 0


def test_check_mode_says_it_and_pulls_nothing(registry: Registry) -> None:
    run = registry.pull("--check").ok()
    assert f"Would get from registry: {registry.image}" in run.output
    assert not is_there(registry.image)


def test_a_wrong_digest_is_refused(registry: Registry) -> None:
    wrong = registry.image[:-8] + "01234567"
    run = registry.pull(orthweb_images_registry={"nginx": wrong})
    assert run.code != 0
    assert (
        f"docker pull {wrong} failed. No running container was changed. The registry answers, but does not"
        in run.output
    )
    assert not is_there(wrong)


@pytest.mark.parametrize(
    ("login", "said"),
    [
        ({"password": "wrong"}, f"as {USER} failed. No running container was changed. The registry refused access"),
        (None, "failed. No running container was changed. The registry refused access"),
    ],
)
def test_who_may_not_pull_is_told_so(registry: Registry, login: dict[str, str] | None, said: str) -> None:
    run = registry.pull(orthweb_images_registry_login={} if login is None else {**registry.login, **login})
    assert run.code != 0
    assert said in run.output
    assert not is_there(registry.image)


def test_an_unknown_ca_is_refused(registry: Registry, tmp_path: Path) -> None:
    run = registry.pull(orthweb_images_registry_ca=str(Authority(tmp_path).file))
    assert run.code != 0
    assert "The registry's certificate is not trusted on this host" in run.output
    assert not is_there(registry.image)


def test_a_registry_that_does_not_answer(registry: Registry) -> None:
    away = registry.image.replace(f":{PORT}/", f":{PORT + 1}/")
    run = registry.pull(orthweb_images_registry={"nginx": away}, orthweb_images_registry_login={})
    shutil.rmtree(Path("/etc/docker/certs.d") / away.partition("/")[0])
    assert run.code != 0
    assert "The registry cannot be reached from this host" in run.output


def test_it_is_removed_by_reference(registry: Registry) -> None:
    registry.pull().ok()
    play = registry.folder / "absent.yml"
    role = {"name": "cellcs.orthweb.container_images", "tasks_from": "absent.yml"}
    play.write_text(json.dumps([{"hosts": "localhost", "tasks": [{"ansible.builtin.include_role": role}]}]))
    values = json.dumps({"orthweb_images_source": "registry", "orthweb_images_registry": {"nginx": registry.image}})
    output_of(PLAYBOOK, play, "-e", values, folder=ROOT)
    assert not is_there(registry.image)
