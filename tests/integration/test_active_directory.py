# SPDX-License-Identifier: GPL-3.0-or-later
"""People of an Active Directory, which is Samba's, over LDAPS and over StartTLS."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.authority import Authority
from support.login import anonymous, submit
from support.stack import Stack, docker

HERE = Path(__file__).parent
IMAGE, CONTAINER = "orthweb/active-directory:test", "ow-active-directory"
PASSWORD = "Ein Passwort: 1"
DOMAIN = "dc=ad,dc=clinic,dc=example"
LDAPS, START_TLS = "01_Clinic", "02_Clinic_by_StartTLS"
NO_ROLE, WRONG, MALFORMED, NOTHING = 41, 5, 40, 2

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def controller(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """The domain controller's address, and its CA."""
    base = docker("image", "ls", "--filter", "reference=orthweb/base:trixie-*", "--format", "{{.Repository}}:{{.Tag}}")
    arguments = ["--build-arg", f"BASE={base.splitlines()[0]}", "--build-arg", f"PASSWORD={PASSWORD}"]
    build = ["docker", "build", "--quiet", *arguments, "--tag", IMAGE, HERE / "active_directory"]
    subprocess.run(build, env={**os.environ, "DOCKER_BUILDKIT": "0"}, capture_output=True, check=True)
    pki = tmp_path_factory.mktemp("active-directory")
    network = f"{stack.name}-identity"
    named = ["--name", CONTAINER, "--hostname", "dc1", "--network", network, "--volume", f"{pki}:/pki:ro"]
    docker("create", *named, IMAGE)
    try:
        authority = Authority(pki, "The domain's CA")
        authority.issue("dc1.ad.clinic.example", CONTAINER, stem="shown")
        docker("start", CONTAINER)
        wait_until_it_answers()
        yield CONTAINER, authority.file
    finally:
        docker("rm", "--force", "--volumes", CONTAINER)
        docker("image", "rm", IMAGE, check=False)


def wait_until_it_answers() -> None:
    end = time.monotonic() + 60
    while subprocess.run(
        ["docker", "exec", CONTAINER, "bash", "-c", "exec 3<>/dev/tcp/localhost/636"], capture_output=True, check=False
    ).returncode:
        assert time.monotonic() < end, docker("logs", CONTAINER)
        time.sleep(0.5)


@pytest.fixture(scope="module", autouse=True)
def deployed(stack: Stack, controller: tuple[str, Path]) -> Iterator[None]:
    server, ca = controller
    given = {
        "kind": "ldap",
        "active_directory": True,
        "servers": [server],
        "ca_certificate": str(ca),
        "bind_dn": f"cn=orthweb,cn=Users,{DOMAIN}",
        "bind_password": PASSWORD,
        "people_base": DOMAIN,
        "group_base": f"ou=pacs,{DOMAIN}",
        "roles": {"reader": ["PACS Readers"]},
    }
    over_tls = {**given, "name": "clinic", "title": "Clinic"}
    start_tls = {**given, "name": "other", "title": "Clinic by StartTLS", "start_tls": True}
    try:
        stack.configure("--tags", "identity,nginx", orthweb_login_providers=[over_tls, start_tls]).ok()
        yield
    finally:
        stack.configure("--tags", "identity,nginx").ok()


def log_in(stack: Stack, choice: str, name: str, password: str = PASSWORD) -> tuple[int, str, str]:
    """The number of what the page says, 0 for nothing; then account and role."""
    session = anonymous(stack)
    answer = submit(session, stack, (name, password), lmAuth=choice)
    if error := int(answer.json()["error"]):
        return error, "", ""
    known = session.get(f"{stack.portal}/archive/me", timeout=30).json()
    return 0, known["account"], known["role"]


@pytest.mark.parametrize(("choice", "provider"), [(LDAPS, "clinic"), (START_TLS, "other")])
@pytest.mark.parametrize("name", ["lars", "LARS", "greta"])
def test_a_group_gives_a_role(stack: Stack, choice: str, provider: str, name: str) -> None:
    """Also a group in a group; people type their sAMAccountName."""
    assert log_in(stack, choice, name) == (0, f"{name.lower()}@{provider}", "reader")


@pytest.mark.parametrize(
    ("name", "password", "error"),
    [
        ("nora", PASSWORD, NO_ROLE),
        ("Administrator", "Provisioned-1", NO_ROLE),
        ("lars", "Ein Passwort: 2", WRONG),
        ("lars", "", NOTHING),
        ("paul", PASSWORD, WRONG),
        ("paula", PASSWORD, WRONG),
        ("*", PASSWORD, MALFORMED),
        ("DC1$", PASSWORD, MALFORMED),
    ],
    ids=["no group", "its admin", "password", "no password", "disabled", "must change", "pattern", "computer"],
)
def test_the_others_are_refused(stack: Stack, name: str, password: str, error: int) -> None:
    """A disabled account, and one that has to change its password first, as the domain refuses them."""
    assert log_in(stack, LDAPS, name, password)[0] == error
