# SPDX-License-Identifier: GPL-3.0-or-later
"""The audit trail of a stack, as it is on the host."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ansible_collections.cellcs.orthweb.plugins.module_utils.audit.trail import Query, read

from .stack import Stack, docker

Event = dict[str, Any]


def trail_of(stack: Stack) -> Path:
    return Path(docker("volume", "inspect", "--format", "{{.Mountpoint}}", f"{stack.name}-audit"))


def awaited(stack: Stack, wanted: Callable[[Event], bool], seconds: float = 15, **query: str) -> Event:
    """The last event of this kind; events come into the trail once a second."""
    end = time.monotonic() + seconds
    while True:
        found = [event for event in read(trail_of(stack), Query(**query)) if wanted(event)]
        if found:
            return found[-1]
        assert time.monotonic() < end, read(trail_of(stack), Query(**query))[-5:]
        time.sleep(0.5)


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S")
