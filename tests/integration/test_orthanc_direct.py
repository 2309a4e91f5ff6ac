# SPDX-License-Identifier: GPL-3.0-or-later
"""Orthanc's own port, straight from Orthanc by choice: Debian's package crashes on its first HTTPS request unless
something is done about it.
"""

from __future__ import annotations

import base64
import json
import re
import ssl
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPSConnection
from pathlib import Path

import pytest
import requests

from support.stack import Run, Stack, container_id, docker, wait_until_healthy

pytestmark = pytest.mark.long

REQUESTS, CLIENTS = 300, 8


@pytest.fixture(scope="module")
def direct(stack: Stack) -> Iterator[Run]:
    """nginx has the port before and after. Tests that deploy it otherwise come last, each upon the one before."""
    yield stack.deploy(orthweb_orthanc_direct="true").ok()
    stack.configure().ok()
    assert ask(stack, 0) == 200
    assert "nginx" in docker("ps", "--filter", f"publish={stack.orthanc_port}", "--format", "{{.Names}}")


def test_it_is_warned_of(stack: Stack, direct: Run) -> None:
    said = " ".join(direct.output.split())
    assert f"WARNING: port {stack.orthanc_port} goes straight to Orthanc (orthweb_orthanc_direct)" in said
    assert "unencrypted" not in said
    assert stack.configure("--tags=nginx,orthanc", orthweb_orthanc_direct="true").ok().changed == 0


def ask(stack: Stack, _number: int) -> int:
    """One request on a connection of its own: it is the handshake that used to crash."""
    answer = requests.get(f"{stack.orthanc}/system", auth=stack.login, verify=stack.ca, timeout=30)
    return answer.status_code


def test_many_requests_and_a_restart(stack: Stack, direct: Run) -> None:
    orthanc = stack.container("orthanc")
    before = container_id(orthanc), docker("inspect", "--format", "{{.RestartCount}}", orthanc)
    for _unused in range(2):
        with ThreadPoolExecutor(CLIENTS) as clients:
            codes = Counter(clients.map(lambda number: ask(stack, number), range(REQUESTS)))
        assert codes == {200: REQUESTS}
        assert (container_id(orthanc), docker("inspect", "--format", "{{.RestartCount}}", orthanc)) == before
        docker("restart", orthanc)
        wait_until_healthy(orthanc)
    assert ask(stack, 0) == 200


def test_orthanc_keeps_a_connection_longer_than_nginx_does(stack: Stack, direct: Run) -> None:
    """A request that meets a connection which Orthanc is just closing is lost, and nginx may not repeat a POST."""
    [seconds] = re.findall(r"upstream orthanc \{[^}]*keepalive_timeout (\d+)s;", portal_configuration(stack))
    straight = HTTPSConnection("localhost", stack.orthanc_port, context=ssl.create_default_context(cafile=stack.ca))
    login = {"Authorization": "Basic " + base64.b64encode(":".join(stack.login).encode()).decode()}
    straight.request("GET", "/system", headers=login)
    straight.getresponse().read()
    used = straight.sock
    time.sleep(int(seconds) + 2)
    straight.request("GET", "/system", headers=login)
    assert straight.getresponse().status == 200 and straight.sock is used


def portal_configuration(stack: Stack) -> str:
    return docker("exec", stack.container("nginx"), "cat", "/etc/nginx/orthweb/portal.conf")


def test_a_wrong_password_is_refused(stack: Stack, direct: Run) -> None:
    answer = requests.get(f"{stack.orthanc}/system", auth=(stack.login[0], "orthanc"), verify=stack.ca, timeout=30)
    assert answer.status_code == 401


def test_it_is_for_admins(stack: Stack, direct: Run) -> None:
    assert accounts_of_orthanc(stack) == {"nginx", "admin"}
    refused = requests.get(f"{stack.orthanc}/system", auth=stack.login_of("rita"), verify=stack.ca, timeout=30)
    assert refused.status_code == 401


def test_tls_can_be_turned_off_as_the_command_line_says_it(stack: Stack, direct: Run) -> None:
    """``-e orthweb_orthanc_tls=false`` is a string to Ansible. The acceptance checks run over plain HTTP then."""
    run = stack.deploy(orthweb_orthanc_direct="true", orthweb_orthanc_tls="false").ok()
    assert "cross the network unencrypted" in " ".join(run.output.split())
    answer = requests.get(f"http://localhost:{stack.orthanc_port}/system", auth=stack.login, timeout=30)
    assert answer.status_code == 200
    assert stack.outputs["orthanc_url"] == f"http://localhost:{stack.orthanc_port}/"


def test_it_can_be_closed(stack: Stack, direct: Run) -> None:
    """The acceptance checks go through the portal."""
    stack.deploy(orthweb_orthanc_published="false", orthweb_orthanc_direct="true").ok()
    with pytest.raises(requests.ConnectionError):
        ask(stack, 0)
    assert stack.outputs["orthanc_url"] == ""
    assert accounts_of_orthanc(stack) == {"nginx"}


def test_behind_nginx_only_the_way_to_orthanc_is_plain_without_tls(stack: Stack, direct: Run) -> None:
    stack.deploy(orthweb_orthanc_tls="false").ok()
    assert ask(stack, 0) == 200
    assert stack.outputs["orthanc_url"] == f"https://localhost:{stack.orthanc_port}/"


def accounts_of_orthanc(stack: Stack) -> set[str]:
    kept = json.loads((Path("/etc/orthweb") / stack.name / "orthanc" / "secrets.json").read_text())
    return set(kept["RegisteredUsers"])
