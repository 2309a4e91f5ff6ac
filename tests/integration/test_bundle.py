# SPDX-License-Identifier: GPL-3.0-or-later
"""`make bundle`: a modality's certificate and key by a link that works once, and the passphrase by another way."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
from ansible_collections.cellcs.orthweb.plugins.module_utils.audit.trail import Query, read
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key, pkcs12
from playwright.sync_api import expect

from support.accessibility import assert_usable
from support.browser import Visits
from support.checkout import ROOT
from support.login import anonymous, soon
from support.stack import Stack, docker, wait_until_healthy

MODALITY = "workstation"


@dataclass
class Offer:
    output: str
    log: str  # of Ansible, in the wordiest way

    @property
    def link(self) -> str:
        return re.findall(r"^    (https://\S+)$", self.output, re.MULTILINE)[0]

    @property
    def token(self) -> str:
        return self.link.partition("#")[2]

    @property
    def passphrase(self) -> str:
        return re.findall(r"^    ([a-z2-9-]{29})$", self.output, re.MULTILINE)[0]


def make(stack: Stack, modality: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    given = {
        "orthweb_stack": stack.name,
        "orthweb_portal_port": stack.portal_port,
        **stack.variables,
    }
    tool = [sys.executable, "-m", "tools.bundle", "--modality", modality]
    command = [*tool, "--extra-vars", json.dumps(given), *arguments]
    surroundings = {**os.environ, **stack.environment, **environment}
    return subprocess.run(command, cwd=ROOT, env=surroundings, capture_output=True, text=True, check=False)


def offered(stack: Stack, log: Path) -> Offer:
    run = make(stack, MODALITY, "-vvv", "--diff", ANSIBLE_LOG_PATH=str(log))
    assert run.returncode == 0, run.stderr
    return Offer(run.stdout, log.read_text())


def download(session: requests.Session, stack: Stack, token: str) -> requests.Response:
    return session.post(f"{stack.portal}/bundle/download", json={"token": token}, timeout=30)


def kept(stack: Stack) -> str:
    dump = ["pg_dump", "--username=postgres", "--schema=identity", "orthanc"]
    return docker("exec", stack.container("postgresql"), *dump)


def trail(stack: Stack) -> list[tuple[str, str, str]]:
    folder = Path(docker("volume", "inspect", "--format", "{{.Mountpoint}}", f"{stack.name}-audit"))
    events = read(folder, Query(account=MODALITY))
    found = [(one["action"], one["outcome"], str(one.get("reason", ""))) for one in events]
    return [one for one in found if one[0].startswith("bundle")]


@pytest.fixture(scope="module")
def offers(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Offer]]:
    folder = tmp_path_factory.mktemp("offers")
    yield [offered(stack, folder / "first.log"), offered(stack, folder / "second.log")]
    docker("restart", "--time=1", stack.container("nginx"))  # forgets the wrong tries of this machine's address
    wait_until_healthy(stack.container("nginx"))


def test_check_mode_makes_nothing(stack: Stack) -> None:
    before = kept(stack)
    assert make(stack, MODALITY, "--check").stdout == "In check mode, nothing was made.\n"
    assert [line for line in kept(stack).splitlines() if f"{MODALITY}\t" in line] == [
        line for line in before.splitlines() if f"{MODALITY}\t" in line
    ]


def test_who_has_no_certificate_gets_no_link(stack: Stack) -> None:
    run = make(stack, "no-such")
    assert run.returncode != 0 and run.stdout == ""
    assert "There is no certificate for no-such, and nothing was made." in " ".join(run.stderr.split())


def test_looking_at_a_link_does_not_use_it_up(stack: Stack, offers: list[Offer]) -> None:
    """As mail scanners and messengers do, and other sites may try."""
    address = f"{stack.portal}/bundle/download"
    body, elsewhere = {"token": offers[1].token}, {"Sec-Fetch-Site": "cross-site"}
    visitor = anonymous(stack)
    assert visitor.get(f"{stack.portal}/bundle/", timeout=30).status_code == 200
    assert visitor.get(address, params=body, timeout=30).status_code == 405
    assert visitor.post(address, json=body, headers=elsewhere, timeout=30).status_code == 405


def test_it_is_downloaded_once(stack: Stack, visit: Visits, offers: list[Offer], tmp_path: Path) -> None:
    first, second = offers
    assert download(anonymous(stack), stack, first.token).status_code == 410, "one from before"
    file = tmp_path / "bundle.p12"
    with visit(None, locale="de-DE", reduced_motion="reduce") as engineer:
        page = engineer.page
        engineer.go(second.link.removeprefix(stack.portal))
        assert page.url == f"{stack.portal}/bundle/", "the secret is out of the address"
        assert_usable(engineer, "bundle")
        with page.expect_download() as downloading:
            page.get_by_role("button", name="Herunterladen").click()
        assert downloading.value.suggested_filename == f"client-{MODALITY}.p12"
        downloading.value.save_as(file)
        expect(page.locator("#said")).to_contain_text("Die Datei ist heruntergeladen.")
        expect(page.get_by_role("button")).to_have_count(0)
    found = pkcs12.load_pkcs12(file.read_bytes(), second.passphrase.encode())
    own = load_pem_private_key((stack.folder / "pki" / f"client-{MODALITY}.key").read_bytes(), None)
    assert isinstance(found.key, rsa.RSAPrivateKey) and isinstance(own, rsa.RSAPrivateKey)
    assert found.key.private_numbers() == own.private_numbers()
    assert download(anonymous(stack), stack, second.token).status_code == 410, "a second time"
    wanted = [
        ("bundle made", "success", ""),
        ("bundle made", "success", ""),
        ("bundle downloaded", "success", ""),
        ("bundle downloaded", "failure", "used"),
    ]
    soon(lambda: trail(stack)[-4:] == wanted, "each download and each try in the audit trail")
    [row] = [line for line in kept(stack).splitlines() if line.startswith(f"{MODALITY}\t")]
    assert row.split("\t")[2] == "\\N", "nor is it kept"


def test_one_that_has_ended_is_removed(stack: Stack, offers: list[Offer]) -> None:
    change = (
        "UPDATE identity.bundles SET content = 'x', downloaded = NULL, ends = now() - interval '1 second';"
        "SELECT identity.remove_ended_bundles(); SELECT count(content) FROM identity.bundles"
    )
    psql = ["psql", "--username=postgres", "--quiet", "--tuples-only", "--no-align", "--command", change, "orthanc"]
    assert docker("exec", stack.container("postgresql"), *psql).split() == ["0"]
    answer = download(anonymous(stack), stack, offers[1].token)
    assert answer.status_code == 410
    assert "This link does not open anything, or not any more." in answer.json()["error"]


def test_its_secrets_are_nowhere(stack: Stack, offers: list[Offer]) -> None:
    said = kept(stack) + "".join(offer.log for offer in offers)
    assert "Bring the bundle into the database" in said
    for name in ("nginx", "identity", "postgresql", "audit", "orthanc"):
        logs = ["docker", "logs", stack.container(name)]
        said += subprocess.run(
            logs, check=True, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        ).stdout + docker("inspect", stack.container(name))
    for offer in offers:
        assert offer.token not in said and offer.passphrase not in said
