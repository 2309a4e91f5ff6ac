# SPDX-License-Identifier: GPL-3.0-or-later
"""100 connections that send anything but a request as it should be; others are served, and nothing falls over."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pynetdicom import AE
from pynetdicom.sop_class import Verification

from support import attack
from support.hospital import INTERNET, PLAIN
from support.places import Place, place
from support.stack import Stack, docker

SECONDS = 25
LONGEST_WAIT_SECONDS = 5  # on a machine that does other things, too; benchmarks.door_under_attack measures it


@pytest.fixture(scope="module")
def attackers() -> Iterator[Place]:
    with place("attackers", "192.0.2.16/30") as other:
        yield other


def started(where: Place, **options: object) -> subprocess.Popen[str]:
    command = where.command(sys.executable, str(Path(attack.__file__)), json.dumps({"host": where.archive, **options}))
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def longest_wait(stack: Stack, seconds: float) -> float:
    """Of associations with a C-ECHO, one after the other for so long, the one that takes longest. All are answered."""
    ae = AE("WORKSTATION")
    ae.add_requested_context(Verification)
    waits, end = [], time.monotonic() + seconds
    while (begun := time.monotonic()) < end:
        tls = (stack.client_tls(), "localhost")
        association = ae.associate("localhost", stack.dicom_port, ae_title="ORTHANC", tls_args=tls)
        assert association.is_established, f"After {end - begun:.0f} s"
        assert association.send_c_echo().Status == 0
        association.release()
        waits.append(time.monotonic() - begun)
    return max(waits)


@pytest.mark.usefixtures("the_same_process")
def test_others_are_served_meanwhile(stack: Stack, modality: Place, attackers: Place) -> None:
    """With a stolen certificate, without any, and without TLS from an address that is known."""
    seed = random.randrange(2**32)
    common = {"called": "ORTHANC", "seconds": SECONDS, "seed": seed}
    stolen = {"certificate": f"{stack.pki}/client-display.crt", "key": f"{stack.pki}/client-display.key"}
    begun = time.time()
    processes = [
        started(attackers, port=INTERNET, calling="DISPLAY", handshake=True, connections=50, **stolen, **common),
        started(attackers, port=INTERNET, calling="DISPLAY", connections=20, **common),
        started(modality, port=PLAIN, calling="OLD", connections=30, **common),
    ]
    waited = longest_wait(stack, SECONDS)
    said = [json.loads(process.communicate(timeout=60)[0]) for process in processes]
    assert waited < LONGEST_WAIT_SECONDS, f"seed {seed}: {said}"
    assert all(sum(each.values()) > 50 for each in said), f"Too few attacks to prove anything: {said}"
    assert len(said[0]) == len(said[2]) == 8, f"Some attacks were not made: {said}"

    logged = subprocess.run(
        ["docker", "logs", "--since", str(int(begun)), stack.container("nginx")],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert "exited on signal" not in logged.stderr, f"seed {seed}"
    assert "js exception" not in logged.stderr and "SyntaxError" not in logged.stderr, f"seed {seed}"
    lines = [json.loads(line) for line in logged.stdout.splitlines() if line.startswith("{")]
    spoofed = [line for line in lines if line.get("calling") in ("NOBODY", "__proto__", "constructor")]
    assert spoofed
    assert all(line["result"] in ("rejected 1/1/3", "") for line in spoofed), f"seed {seed}"
    assert docker("inspect", "--format", "{{.State.Health.Status}}", stack.container("nginx")) == "healthy"
