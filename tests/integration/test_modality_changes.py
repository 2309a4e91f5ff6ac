# SPDX-License-Identifier: GPL-3.0-or-later
"""A modality that is added, changed and removed cuts no association, and no container starts again."""

from __future__ import annotations

import pytest
import requests

from support.hospital import MODALITIES
from support.images import fetch
from support.rest import rest
from support.stack import ECHOSCU, Run, Stack, docker, wait_until_healthy
from support.transfers import Transfers, transfers

TELL = "cellcs.orthweb.orthanc : run | Tell Orthanc its modalities"
NEW = {"name": "visitor", "aet": "VISITOR", "host": "visitor.invalid"}  # with a host: nginx gets a relay, too
CHANGED = {**NEW, "further_aets": ["VISITOR-2"], "allow": ["store"]}


def starts(stack: Stack) -> list[str]:
    containers = [stack.container(part) for part in ("nginx", "orthanc", "postgresql")]
    return docker("inspect", "--format", "{{.Id}} {{.State.StartedAt}} {{.RestartCount}}", *containers).splitlines()


def gets_in(stack: Stack, aet: str) -> str:
    """What a C-ECHO with the certificate of the new one says; nothing if it is answered."""
    return stack.dcmtk(ECHOSCU, "-aet", aet, client="client-visitor").stderr


def ask(stack: Stack, method: str, path: str, body: object = None) -> requests.Response:
    return rest(stack).request(method, f"{stack.portal}/orthanc{path}", json=body, timeout=30)


def bring(stack: Stack, sent: Transfers, *more: dict[str, object]) -> Run:
    """Deploy with this list, and see that images went on arriving meanwhile."""
    before = len(sent.acknowledged)
    run = stack.configure(orthweb_modalities=[*MODALITIES, *more]).ok()
    assert len(sent.acknowledged) > before + 3
    return run


def test_a_modality_comes_changes_and_goes(stack: Stack) -> None:
    before = starts(stack)
    with transfers(stack) as sent:
        bring(stack, sent, NEW)
        assert gets_in(stack, "VISITOR") == ""
        assert "Rejected" in gets_in(stack, "VISITOR-2")

        bring(stack, sent, CHANGED)
        assert "Echo Failed" in gets_in(stack, "VISITOR-2"), "The title is accepted, and C-ECHO is no longer allowed"
        known = ask(stack, "GET", "/modalities?expand").json()
        assert {known[name]["AET"] for name in ("visitor", "visitor-AET2")} == {"VISITOR", "VISITOR-2"}

        bring(stack, sent)
        assert gets_in(stack, "VISITOR") != ""
        assert not [name for name in ask(stack, "GET", "/modalities").json() if name.startswith("visitor")]
    assert sent.failed == []
    assert starts(stack) == before
    for uid in (sent.acknowledged[0], sent.acknowledged[-1]):
        assert fetch(stack, uid).SOPInstanceUID == uid


@pytest.mark.long
def test_the_inventory_has_the_whole_list(stack: Stack) -> None:
    """What somebody added or changed over the REST API is undone by the next run, and the one after it does nothing."""
    path = "/modalities/by-hand"
    assert ask(stack, "PUT", path, {"AET": "BYHAND", "Host": "localhost", "Port": 1}).status_code == 200
    entry = ask(stack, "GET", "/modalities/workstation/configuration").json()
    assert ask(stack, "PUT", "/modalities/workstation", {**entry, "AllowStore": False}).status_code == 200
    assert TELL in stack.configure("--check", "--tags", "orthanc").ok().changes
    assert ask(stack, "GET", path).status_code == 200, "Check mode changes nothing"

    assert TELL in stack.configure("--tags", "orthanc").ok().changes
    assert ask(stack, "GET", path).status_code == 404
    assert ask(stack, "GET", "/modalities/workstation/configuration").json()["AllowStore"]
    assert TELL not in stack.configure("--tags", "orthanc").ok().changes


def test_they_outlast_a_restart(stack: Stack) -> None:
    """Orthanc has them from its database."""
    known = ask(stack, "GET", "/modalities?expand").json()
    docker("restart", stack.container("orthanc"))
    wait_until_healthy(stack.container("orthanc"))
    assert ask(stack, "GET", "/modalities?expand").json() == known
