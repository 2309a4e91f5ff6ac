# SPDX-License-Identifier: GPL-3.0-or-later
"""The embedded database: what disturbs it, and what does not."""

from __future__ import annotations

import time
from collections.abc import Callable

from support.process import run
from support.stack import Stack, docker, wait_until_healthy

# Outlives the `docker exec` that started it, and ends with an error.
ORPHAN = "(sleep 1; exit 3) >/dev/null 2>&1 &"


def asked(stack: Stack, query: str) -> str:
    psql = ("psql", "--username=postgres", "--dbname=orthanc", "--no-align", "--tuples-only", f"--command={query}")
    return docker("exec", stack.container("postgresql"), *psql).strip()


def test_a_foreign_process_that_fails_disconnects_nobody(stack: Stack) -> None:
    """The server takes a child that it does not know for a crashed one, and restarts all of its processes."""
    sessions = "SELECT pid FROM pg_stat_activity WHERE usename IS NOT NULL AND pid <> pg_backend_pid() ORDER BY pid"
    before = asked(stack, sessions)
    docker("exec", stack.container("postgresql"), "bash", "-c", ORPHAN)
    time.sleep(3)
    assert before, "Nobody was connected: this run proves nothing"
    assert asked(stack, sessions) == before


def health(container: str) -> tuple[str, str]:
    """What Docker takes it for, and what the last checks said."""
    said = docker(
        "inspect", "--format", "{{.State.Health.Status}}{{range .State.Health.Log}} {{.Output}}{{end}}", container
    )
    status, _space, checks = said.partition(" ")
    return status, checks


def wait_until(holds: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.5)


def is_ready(container: str) -> bool:
    return run("docker", "exec", container, "pg_isready", "--quiet", "--host=/run/postgresql").returncode == 0


def test_a_server_that_only_reads_is_not_healthy(stack: Stack) -> None:
    """A standby, or one that has replayed a backup and waits: Orthanc would end, as nothing can be stored."""
    container = stack.container("postgresql")
    docker("exec", container, "touch", "/var/lib/postgresql/data/17/standby.signal")
    docker("restart", container)
    try:
        wait_until(lambda: is_ready(container))
        wait_until(lambda: "is in recovery and takes no writes" in health(container)[1])
        assert health(container)[0] == "starting"
    finally:
        wait_until(lambda: is_ready(container))
        assert asked(stack, "SELECT pg_promote()") == "t"
    wait_until_healthy(container)
    assert asked(stack, "SELECT pg_is_in_recovery()") == "f"
