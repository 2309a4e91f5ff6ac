# SPDX-License-Identifier: GPL-3.0-or-later
"""Orthanc that crashes again and again is back within seconds: Docker alone waits longer after each time."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress

import requests

from support.stack import Stack, docker, process_id

CRASHES = 4  # after as many, Docker alone waits for seconds
BACK_WITHIN_SECONDS = 30  # of which most is Orthanc's own start on a busy machine


def answers(stack: Stack) -> bool:
    with suppress(requests.RequestException):
        url = f"{stack.portal}/orthanc/system"
        return requests.get(url, auth=stack.login, verify=stack.ca, timeout=10).ok
    return False


def test_it_is_back(stack: Stack) -> None:
    container = stack.container("orthanc")
    before = docker("inspect", "--format", "{{.State.StartedAt}}", container)
    for _crash in range(CRASHES):
        os.kill(process_id(container, "Orthanc"), signal.SIGSEGV)
        end = time.monotonic() + BACK_WITHIN_SECONDS
        time.sleep(1)
        while not answers(stack):
            assert time.monotonic() < end, docker("logs", "--tail", "20", container)
            time.sleep(0.5)
    assert docker("inspect", "--format", "{{.State.StartedAt}}", container) == before, "Docker has started it again"
