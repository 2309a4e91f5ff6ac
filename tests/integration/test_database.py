# SPDX-License-Identifier: GPL-3.0-or-later
"""The embedded database: what disturbs it, and what does not."""

from __future__ import annotations

import time

from support.stack import Stack, docker

# Outlives the `docker exec` that started it, and ends with an error.
ORPHAN = "(sleep 1; exit 3) >/dev/null 2>&1 &"


def asked(stack: Stack, query: str) -> str:
    psql = ("psql", "--username=postgres", "--no-align", "--tuples-only", f"--command={query}")
    return docker("exec", stack.container("postgresql"), *psql).strip()


def test_a_foreign_process_that_fails_disconnects_nobody(stack: Stack) -> None:
    """The server takes a child that it does not know for a crashed one, and restarts all of its processes."""
    sessions = "SELECT pid FROM pg_stat_activity WHERE usename IS NOT NULL AND pid <> pg_backend_pid() ORDER BY pid"
    before = asked(stack, sessions)
    docker("exec", stack.container("postgresql"), "bash", "-c", ORPHAN)
    time.sleep(3)
    assert before, "Nobody was connected: this run proves nothing"
    assert asked(stack, sessions) == before
