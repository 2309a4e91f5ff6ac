# SPDX-License-Identifier: GPL-3.0-or-later
"""What README and the guides tell people to type, typed for a stack of their own, and what must come of it.

tests/docs/test_every_command.py reads from the calls of ``run`` which commands are covered,
and fails for any that is not.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
import yaml
from pydicom.data import get_testdata_file
from pydicom.uid import generate_uid

from support.checkout import ROOT
from support.desk import Desk
from support.documented import chosen
from support.images import associate, ct_image, fetch, is_stored
from support.stack import ECHOSCU, Run, Stack, docker

CONNECT, LISTENERS, MOVE, BACKUP, TROUBLE = (
    f"docs/{name}.md"
    for name in ("connect-a-modality", "dicom-listeners", "move-an-archive", "backup", "troubleshooting")
)


def modalities(page: str, section: str) -> list[dict]:
    [block] = chosen(page, section, language="yaml")
    return yaml.safe_load(block.text)["orthweb_modalities"]


def all_modalities() -> list[dict]:
    return modalities(CONNECT, "2. Write the entry") + modalities(MOVE, "1. Let it in")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    stack = Stack("orthweb-guides", tmp_path_factory.mktemp("state"), 23212, 23543, 23142)
    try:
        yield stack
    finally:
        stack.teardown(orthweb_confirm_teardown=stack.name).ok()


@pytest.fixture(scope="module")
def in_service(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> tuple[Desk, Run]:
    """With the modalities of the examples in service, and their files where the examples have them."""
    desk = Desk(stack, tmp_path_factory.mktemp("desk"))
    desk.settings(orthweb_modalities=all_modalities())
    deployed = desk.run("docs/connect-a-modality.md", "2. Write the entry").ok()
    for name in ("ca.crt", "client-ct-1.crt", "client-ct-1.key"):
        (desk.checkout / name).symlink_to(stack.pki / name)
    return desk, deployed


@pytest.fixture(scope="module")
def desk(in_service: tuple[Desk, Run]) -> Desk:
    return in_service[0]


def test_clone(desk: Desk) -> None:
    desk.run(
        "README.md", "Two commands", only="git clone", instead={"https://github.com/cellcs/orthweb": f"{ROOT} orthweb"}
    ).ok()
    assert (desk.checkout / "orthweb" / "Makefile").exists()
    shutil.rmtree(desk.checkout / "orthweb")


def test_send_and_look(desk: Desk) -> None:
    said = desk.run("README.md", "Send a first image", "Log in and look").ok().output
    assert "Received Store Response (Success)" in said
    assert '"1CT1"' in said
    assert '"CountInstances"' in said
    left = desk.run(
        "README.md",
        "Send a first image",
        "Log in and look",
        only=r"out\(\)|archive\(\)|^image=|^study=|studies.*jq",
    )
    assert left.ok().output.strip() == "[]", "It was removed again, and that study alone was asked for"


def test_a_deployment_says_how_old_each_image_is(in_service: tuple[Desk, Run]) -> None:
    for part in ("orthanc", "nginx", "identity", "postgresql", "audit"):
        assert f"{part} packages of 20" in " ".join(in_service[1].output.split())


def test_how_old_the_packages_are(desk: Desk) -> None:
    said = desk.run("docs/images.md", "How old the packages are").ok().output
    assert re.search(r"^forky \w{3}, \d{1,2} \w{3} 20\d{2} ", said, re.MULTILINE)


def test_take_it_away(tmp_path: Path) -> None:
    """What a stack keeps here, of a stack that has nothing else."""
    stack = Stack("orthweb-documented", tmp_path / "state", dicom_port=22113, portal_port=22444, orthanc_port=22044)
    stack.folder.mkdir(parents=True)
    desk = Desk(stack, tmp_path)
    refused = desk.run("README.md", "Take it away", only=r"make teardown$")
    assert refused.code != 0
    assert stack.folder.exists()
    desk.run("README.md", "Take it away", answers={"or anything else to cancel": stack.name}).ok()
    assert not stack.folder.exists()


def test_when_certificates_end(desk: Desk) -> None:
    said = desk.run("docs/certificates.md", "Renewal").ok().output
    assert "client-ct-1.crt" in said
    assert "notAfter=" in said


def test_hand_over_to_an_old_system(desk: Desk) -> None:
    asked = {"Enter Export Password:": "handed-over", "Verifying - Enter Export Password:": "handed-over"}
    desk.run("docs/connect-a-modality.md", "By files", answers=asked).ok()
    assert (desk.home / "client-ct-1-old.p12").stat().st_size > 1000


@pytest.mark.long
def test_further_listeners(desk: Desk) -> None:
    [block] = chosen(LISTENERS, "Further listeners", language="yaml")
    listeners = yaml.safe_load(block.text)["orthweb_dicom_listeners"]
    others = {11112: desk.stack.dicom_port, 2762: 23262, 104: 23104}
    adapted = [{**listener, "port": others[listener["port"]]} for listener in listeners]
    desk.settings(orthweb_modalities=all_modalities(), orthweb_dicom_listeners=adapted)
    desk.run("docs/dicom-listeners.md", "Further listeners").ok()
    desk.settings(orthweb_modalities=all_modalities())
    assert desk.stack.dcmtk(ECHOSCU).returncode == 0
    line = json.loads(desk.run("docs/dicom-listeners.md", "Who it was").ok().output)
    assert line.keys() == json.loads(chosen(LISTENERS, "Who it was", language="json")[0].text).keys()
    assert line["listener"] == str(desk.stack.dicom_port)
    for port in (23262, 23104):
        assert docker("port", desk.stack.container("nginx"), str(port)) == f"0.0.0.0:{port}"


def test_the_portal(desk: Desk) -> None:
    seen = requests.get(f"{desk.stack.portal}/orthanc/studies", auth=desk.stack.login, verify=desk.stack.ca, timeout=30)
    assert seen.status_code == 200
    lines = desk.run("docs/portal.md", "Who has looked at what").ok().output.splitlines()
    assert {"account": "admin", "method": "GET", "status": 200}.items() <= json.loads(lines[-1]).items()


def test_echo(desk: Desk) -> None:
    said = desk.run("docs/connect-a-modality.md", "4. Test").ok().output
    assert "Received Echo Response (Success)" in said
    assert "alive: true" in said
    assert "alive: true" in desk.run("docs/check-a-peer.md", "One peer").ok().output


def test_how_to_look(desk: Desk) -> None:
    # The last one is for a database that is not the embedded one.
    said = desk.run("docs/troubleshooting.md", "9. How to look", but="database/psql").ok().output
    assert said.count("(healthy)") == 5
    assert "alive: true" in said
    assert "Verify return code: 0 (ok)" in said
    assert "nextUpdate=" in said
    assert "\n401\n" in said
    for part in ("test is successful", "DNS:localhost", r"^ +\d+ [kM]B$"):
        assert re.search(part, said, flags=re.MULTILINE), part


def test_two_cas_are_compared(desk: Desk) -> None:
    first, second = desk.run("docs/troubleshooting.md", "6. Certificates, and the CA's key").ok().output.splitlines()
    assert first == second
    assert "ingerprint=" in first


def test_make_room(desk: Desk, tmp_path: Path) -> None:
    """Nothing of whoever runs the tests is removed: each of the three is sent to where there is nothing of theirs."""
    image = docker("inspect", "--format", "{{.Config.Image}}", desk.stack.container("nginx"))
    instead = {
        "(image prune --force)": r"\1 --filter label=orthweb.documented",
        "(journalctl)": rf"\1 --directory={tmp_path}",
        "^(apt-get)": rf"docker run --rm --user 0 --network none --entrypoint apt-get {image}",
    }
    said = desk.run("docs/troubleshooting.md", "Make room", instead=instead).ok().output
    for part in ("/var/lib/docker", "Local Volumes", "Total reclaimed space", "Vacuuming done"):
        assert part in said, part


def test_move_an_archive(desk: Desk, tmp_path: Path) -> None:
    old, certificates, kept = (tmp_path / name for name in ("old-archive", "certificates", "kept"))
    certificates.symlink_to(desk.stack.pki)
    for folder in (kept, old / "2019" / "03"):
        folder.mkdir(parents=True)
    for name in ("CT_small.dcm", "MR_small.dcm"):
        shutil.copy(get_testdata_file(name), old / "2019" / "03")
    instead = {
        "/mnt/old-archive": str(old),
        "/etc/move": str(certificates),
        "/var/lib/move": str(kept),
        "poll: 60": "poll: 1",
        "^ansible-playbook": ".venv/bin/ansible-playbook",
        "^watch": "timeout --foreground 3 watch",
    }
    [playbook] = [b.text for b in chosen(MOVE, "2. Write the playbook", language="yaml")]
    (desk.checkout / "move.yml").write_text(desk.adapted(playbook, instead))

    checked = desk.run("docs/move-an-archive.md", "3. Rehearse it", instead=instead).ok()
    assert not (kept / "journal").exists(), checked.output
    desk.run("docs/move-an-archive.md", "4. Run it, and watch", only="ansible-playbook", instead=instead).ok()
    assert json.loads((kept / "progress").read_text())["stored"] == 2
    watched = desk.run("docs/move-an-archive.md", "4. Run it, and watch", only="watch", instead=instead, answers={})
    assert watched.code == 124, "timeout ends it"
    assert '"state": "ended"' in watched.output


@pytest.mark.long
def test_a_dump_is_loaded(desk: Desk) -> None:
    """The whole way: everything is taken away in between."""
    stack, image = desk.stack, ct_image(generate_uid())
    association = associate(stack)
    assert is_stored(association, image)
    association.release()
    desk.run("docs/backup.md", "Dump").ok()
    stack.teardown(orthweb_confirm_teardown=stack.name).ok()
    assert not stack.folder.exists()
    assert docker("volume", "ls", "--quiet", "--filter", f"name={stack.name}") == ""
    desk.run("docs/backup.md", "Load a dump").ok()
    assert fetch(stack, image.SOPInstanceUID) == image
