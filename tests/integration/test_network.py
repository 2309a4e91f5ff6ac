# SPDX-License-Identifier: GPL-3.0-or-later
"""Whom Orthanc reaches: its database, nginx, and through nginx the modalities that are declared. Nobody else."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
from pydicom import Dataset
from pydicom.uid import generate_uid
from pynetdicom import AE
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelMove

from support.hospital import DISPLAY_PORT
from support.images import CALLED_AET, associate, ct_image, is_stored
from support.places import Place
from support.rest import rest
from support.stack import Stack, docker, process_id

DECLARED, OTHER = DISPLAY_PORT, 11114

# A display: it is echoed, takes what it is sent, and says of each what it was.
DISPLAY = """
import sys
from pynetdicom import AE, evt, AllStoragePresentationContexts
from pynetdicom.sop_class import Verification
def echoed(event):
    print("echo", event.assoc.requestor.ae_title, flush=True)
    return 0
def stored(event):
    print("store", event.request.AffectedSOPInstanceUID, flush=True)
    return 0
ae = AE("DISPLAY")
ae.add_supported_context(Verification)
ae.supported_contexts = [*ae.supported_contexts, *AllStoragePresentationContexts]
handlers = [(evt.EVT_C_ECHO, echoed), (evt.EVT_C_STORE, stored)]
servers = [ae.start_server((sys.argv[1], int(port)), block=False, evt_handlers=handlers) for port in sys.argv[2:]]
print("ready", flush=True)
sys.stdin.read()
"""

# Tries to connect, once for each line; prints what came of it.
TRY = """
import socket, sys
for line in sys.stdin.read().split():
    host, _colon, port = line.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=4).close()
        print("reached", flush=True)
    except OSError as error:
        print(type(error).__name__, error, flush=True)
"""


@dataclass
class Display:
    where: Place
    process: subprocess.Popen[str]

    def says(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()


@contextmanager
def display(where: Place) -> Iterator[Display]:
    command = where.command(sys.executable, "-c", DISPLAY, where.address, str(DECLARED), str(OTHER))
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        one = Display(where, process)
        assert one.says() == "ready"
        yield one
    finally:
        process.communicate()


@pytest.fixture(scope="module")
def known(display_place: Place) -> Iterator[Display]:
    with display(display_place) as one:
        yield one


def ask(stack: Stack, method: str, path: str, body: object = None) -> requests.Response:
    return rest(stack).request(method, f"{stack.portal}/orthanc{path}", json=body, timeout=60)


def tried(stack: Stack, *targets: str) -> dict[str, str]:
    """What comes of connecting to each from the network that Orthanc's container is in."""
    pid = docker("inspect", "--format", "{{.State.Pid}}", stack.container("orthanc"))
    done = subprocess.run(
        ["nsenter", "--net", "--target", pid, sys.executable, "-c", TRY],
        input="\n".join(targets),
        capture_output=True,
        text=True,
        timeout=20 + 5 * len(targets),
        check=True,
    )
    return dict(zip(targets, done.stdout.splitlines(), strict=True))


def address(stack: Stack, part: str, network: str) -> str:
    networks = json.loads(docker("inspect", "--format", "{{json .NetworkSettings.Networks}}", stack.container(part)))
    return networks[network]["IPAddress"]


def test_verify_asks_each_modality_and_only_warns(stack: Stack, known: Display) -> None:
    """Of one that is gone, of certificates that should have been renewed (here, all), and of a disk that fills up."""
    status = stack.folder / "renewal-status.json"
    status.write_text(json.dumps({"ended": "2026-11-29T03:00:00Z", "problem": "make deploy ended with 2"}))
    run = stack.play("verify", orthweb_certificate_renew_before_days=399, acceptance_disk_warning_percent=0).ok()
    status.unlink()
    said = " ".join(run.output.split())
    assert f"display (DISPLAY@{known.where.address}:{DECLARED}) answers." in said
    assert "WARNING: gone (GONE@gone.invalid:104) does not answer: " in said
    assert "workstation (" not in said  # it has no host
    assert "The portal's certificate is from OrthWeb, and valid until 20" in said.replace("''", "'")
    assert "WARNING: the first of client-" in said
    assert re.search(r"WARNING: the disk of /var/lib/docker is \d+ % full; [\d.]+ GiB are free", said)
    assert "WARNING: the weekly renewal failed at 2026-11-29T03:00:00Z: make deploy ended with 2." in said
    assert known.says() == f"echo {CALLED_AET}"


def test_a_declared_modality_is_reached(stack: Stack, known: Display) -> None:
    assert ask(stack, "POST", "/modalities/display/echo", {}).status_code == 200
    assert known.says() == f"echo {CALLED_AET}"


def test_an_image_is_moved_to_it(stack: Stack, known: Display) -> None:
    image = ct_image(generate_uid())
    association = associate(stack)
    assert is_stored(association, image)
    association.release()
    ae = AE("WORKSTATION")
    ae.add_requested_context(StudyRootQueryRetrieveInformationModelMove)
    association = ae.associate(
        "localhost", stack.dicom_port, ae_title=CALLED_AET, tls_args=(stack.client_tls(), "localhost")
    )
    wanted = Dataset()
    wanted.QueryRetrieveLevel, wanted.StudyInstanceUID = "STUDY", image.StudyInstanceUID
    answers = association.send_c_move(wanted, "DISPLAY", StudyRootQueryRetrieveInformationModelMove)
    statuses = [status.Status for status, _identifier in answers]
    association.release()
    assert statuses[-1] == 0x0000, statuses
    assert known.says() == f"store {image.SOPInstanceUID}"
    lines = [json.loads(line) for line in docker("logs", stack.container("nginx")).splitlines() if line[:1] == "{"]
    last = [line for line in lines if line.get("destination") == f"{known.where.address}:{DECLARED}"][-1]
    assert last["bytes_sent"] > 30000, "The image is in nginx's log, as one association"


def test_a_name_that_does_not_resolve_fails_alone(stack: Stack) -> None:
    begun = time.monotonic()
    assert ask(stack, "POST", "/modalities/gone/echo", {"Timeout": 10}).status_code >= 400
    assert time.monotonic() - begun < 20


def test_nothing_else_is_reached(stack: Stack, known: Display) -> None:
    gateways = docker("network", "ls", "--quiet", "--filter", "driver=bridge").split()
    formatted = "{{range .IPAM.Config}}{{.Gateway}} {{end}}"
    of_bridges = sorted(set(docker("network", "inspect", "--format", formatted, *gateways).split()))
    reachable = [
        f"{address(stack, 'postgresql', stack.name + '-database')}:5432",
        f"{address(stack, 'nginx', stack.name + '-archive')}:{stack.dicom_port}",
    ]
    forbidden = [
        f"{known.where.address}:{DECLARED}",  # straight, past nginx
        f"{known.where.address}:{OTHER}",  # another port of a declared modality
        f"{known.where.archive}:{stack.portal_port}",  # the host, by another address
        f"{address(stack, 'nginx', stack.name)}:{stack.portal_port}",  # nginx's side to the world
        "198.51.100.1:443",  # a public address
        *(f"{gateway}:{stack.portal_port}" for gateway in of_bridges[:6]),  # the host, where it listens for all
    ]
    results = tried(stack, *reachable, *forbidden)
    assert [target for target in reachable if results[target] != "reached"] == [], results
    assert [target for target in forbidden if results[target] == "reached"] == [], results
    # That they can be reached at all, from a container that may.
    nginx = docker("inspect", "--format", "{{.State.Pid}}", stack.container("nginx"))
    for host, port in ((known.where.address, OTHER), (known.where.archive, stack.portal_port)):
        command = ["nsenter", "--net", "--target", nginx, sys.executable, "-c", TRY]
        done = subprocess.run(command, input=f"{host}:{port}", capture_output=True, text=True, check=True, timeout=20)
        assert done.stdout == "reached\n"


def test_no_name_server_carries_anything_out(stack: Stack) -> None:
    """Names of its neighbours are known; what is asked for beside them leaves the container by no way."""
    inside = ["exec", stack.container("orthanc"), "getent", "hosts"]
    assert stack.container("nginx") in docker(*inside, stack.container("nginx"))
    assert docker(*inside, "deb.debian.org", check=False) == ""


@pytest.mark.long
def test_the_way_out_is_a_choice(stack: Stack, known: Display) -> None:
    run = stack.configure("--tags", "orthanc", orthanc_network_restricted="false").ok()
    try:
        assert "can reach any address, since orthanc_network_restricted is false" in " ".join(run.output.split())
        target = f"{known.where.address}:{OTHER}"
        assert tried(stack, target) == {target: "reached"}
    finally:
        stack.configure("--tags", "orthanc").ok()
    assert tried(stack, target)[target] != "reached"


def test_containers_have_bounds(stack: Stack) -> None:
    for part in ("orthanc", "nginx", "identity", "postgresql", "audit"):
        host = json.loads(docker("inspect", "--format", "{{json .HostConfig}}", stack.container(part)))
        assert host["ReadonlyRootfs"], part
        assert host["CapDrop"] == ["ALL"] and not host["CapAdd"], part
        assert not host["Privileged"], part
        assert all("size=" in flags for flags in host["Tmpfs"].values()), part
        written = docker("exec", stack.container(part), "bash", "-c", "echo >/usr/bin/written; echo $?", check=False)
        assert written != "0", part
        info = json.loads(docker("info", "--format", "{{json .}}"))
        if info["MemoryLimit"]:
            assert 0 < host["Memory"] < info["MemTotal"], part
        if info["PidsLimit"]:
            assert 64 <= host["PidsLimit"] <= 1024, part


def test_orthanc_is_refused_memory_before_it_is_killed(stack: Stack) -> None:
    """What is left of what it may allocate, while it does nothing, is most of its container's memory, and no more."""
    pid = process_id(stack.container("orthanc"), "Orthanc")
    [limit] = re.findall(r"^Max data size +(\d+) ", Path(f"/proc/{pid}/limits").read_text(), flags=re.MULTILINE)
    [used] = re.findall(r"^VmData:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), flags=re.MULTILINE)
    memory = int(docker("inspect", "--format", "{{.HostConfig.Memory}}", stack.container("orthanc")))
    assert memory / 2 < int(limit) - int(used) * 1024 < memory
