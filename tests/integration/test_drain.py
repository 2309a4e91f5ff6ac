# SPDX-License-Identifier: GPL-3.0-or-later
"""A host behind a load balancer is drained before it is changed, keeps its associations, and comes back checked."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from pynetdicom.association import Association

from support.checkout import PLAYBOOK, ROOT
from support.images import associate
from support.places import Place
from support.process import run
from support.stack import Run, Stack, container_id

# This machine under two names, and a host that nobody reaches.
HERE = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
HOSTS: dict[str, Any] = {
    "one": HERE,
    "two": HERE,
    "away": {"ansible_host": "127.0.0.1", "ansible_port": 1, "ansible_ssh_retries": 0},
}
QUICK = {"drain_notice_seconds": 1, "drain_wait_seconds": 5}


@dataclass
class Twins:
    """Plays on a host that believes in others behind the same load balancer."""

    stack: Stack
    folder: Path

    @property
    def flag(self) -> Path:
        return Path("/run/orthweb") / self.stack.name / "drained"

    def play(self, *tasks: dict[str, Any], others: list[str]) -> Run:
        (self.folder / "hosts.yml").write_text(yaml.safe_dump({"all": {"children": {"imaging": {"hosts": HOSTS}}}}))
        play = {"hosts": "one", "gather_facts": False, "roles": ["cellcs.orthweb.site"], "tasks": [*tasks]}
        (self.folder / "play.yml").write_text(yaml.safe_dump([play]))
        given = {"orthweb_stack": self.stack.name, "orthweb_dicom_port": self.stack.dicom_port, **self.stack.variables}
        given |= {**QUICK, "drain_other_hosts": others, "orthweb_balancer_ranges": ["192.0.2.0/24"]}
        command = [PLAYBOOK, "-i", self.folder / "hosts.yml", self.folder / "play.yml", "-e", json.dumps(given)]
        environment = self.stack.environment
        done = run(*map(str, command), folder=ROOT, environment=environment, merged=True, seconds=300)
        return Run(done.returncode, " ".join(done.stdout.split()))


def role(tasks_from: str = "main.yml") -> dict[str, Any]:
    return {"ansible.builtin.include_role": {"name": "cellcs.orthweb.drain", "tasks_from": tasks_from}}


@pytest.fixture
def twins(stack: Stack, tmp_path: Path) -> Iterator[Twins]:
    twins = Twins(stack, tmp_path)
    yield twins
    twins.flag.unlink(missing_ok=True)


def patient_association(stack: Stack) -> Association:
    """One that says nothing for as long as a deployment takes, and goes on."""
    association = associate(stack)
    assert association.is_established
    association.network_timeout = None  # it would abort after a minute
    return association


@contextmanager
def kept(association: Association) -> Iterator[None]:
    """Orthanc ends one on which nothing is sent for a minute, and a play takes longer on a busy machine."""
    over = threading.Event()

    def echo() -> None:
        while not over.wait(10):
            association.send_c_echo()

    thread = threading.Thread(target=echo)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def readiness(place: Place, stack: Stack) -> str:
    url = stack.portal.replace("localhost", place.archive)
    return place.run(
        [
            "curl",
            "--silent",
            "--insecure",
            "--max-time",
            "10",
            "--output",
            "/dev/null",
            "-w",
            "%{http_code}",
            f"{url}/ready",
        ]
    ).stdout


def test_a_host_is_not_drained_if_no_other_can_take_over(twins: Twins, stack: Stack, modality: Place) -> None:
    refused = twins.play(role(), others=["two", "away"])
    assert refused.code != 0
    assert "one was not drained and not changed: it would have been restarted, and images cannot be stored on away" in (
        refused.output
    )
    assert not twins.flag.exists()
    assert readiness(modality, stack) == "200"


@pytest.mark.long
def test_a_drained_host_keeps_its_associations_until_the_next_deployment(
    twins: Twins, stack: Stack, modality: Place
) -> None:
    nginx = container_id(stack.container("nginx"))
    association = patient_association(stack)
    with kept(association):
        drained = twins.play(role(), role("still.yml"), others=["two"]).ok()
    assert "WARNING: 1 association(s) on one have not ended within 5 seconds. They are cut now" in drained.output
    assert "WARNING: one STAYS DRAINED" in drained.output
    assert readiness(modality, stack) == "503"
    assert association.send_c_echo().Status == 0x0000

    # That run was interrupted. The next one checks the host and puts it back, without touching nginx.
    with kept(association):
        stack.configure("--tags=orthanc").ok()
    assert not twins.flag.exists()
    assert readiness(modality, stack) == "200"
    assert association.send_c_echo().Status == 0x0000
    association.release()
    assert container_id(stack.container("nginx")) == nginx

    # Nobody is waited for who is not there.
    empty = twins.play(role(), role("back.yml"), role("still.yml"), others=["two"]).ok()
    assert "have not ended" not in empty.output
    assert "STAYS DRAINED" not in empty.output
    assert readiness(modality, stack) == "200"


@pytest.mark.long
def test_a_restart_waits_for_associations_and_no_change_drains_nothing(
    twins: Twins, stack: Stack, modality: Place
) -> None:
    other = twins.folder / "other.yml"
    other.write_text(yaml.safe_dump({"all": {"hosts": {"two": HERE}}}))
    inventories = ["-i", str(ROOT / "inventory" / "local"), "-i", str(other)]
    balanced = {"docker_engine_drains": True, "drain_balanced": True, "drain_other_hosts": ["two"], **QUICK}
    changed = {**balanced, "drain_wait_seconds": 60, "orthanc_config": {"ConcurrentJobs": 3}}
    association, orthanc = patient_association(stack), container_id(stack.container("orthanc"))
    seen: list[object] = []
    thread = threading.Thread(target=lambda: seen.extend(said_while_drained(twins, modality, association)))
    thread.start()
    run = stack.configure("--tags=orthanc", *inventories, **changed).ok()
    thread.join()
    assert seen == ["503", 0x0000, orthanc]
    assert container_id(stack.container("orthanc")) != orthanc
    assert "have not ended" not in run.output
    assert readiness(modality, stack) == "200"
    assert not twins.flag.exists()

    again = stack.configure("--tags=orthanc", *inventories, **changed).ok()
    assert again.changed == 0, again.changes
    stack.configure("--tags=orthanc").ok()


def said_while_drained(twins: Twins, modality: Place, association: Association) -> list[object]:
    """What the load balancer is told, what an open association hears, and the Orthanc that runs; then it ends."""
    while not twins.flag.exists():
        time.sleep(0.2)
    time.sleep(4)  # longer than a load balancer has to notice it here
    said = [readiness(modality, twins.stack), association.send_c_echo().Status]
    orthanc = container_id(twins.stack.container("orthanc"))
    association.release()
    return [*said, orthanc]
