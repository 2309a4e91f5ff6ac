# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets are in their files and nowhere else: not in output, environment, process lists, inspect or image layers."""

from __future__ import annotations

import subprocess
from pathlib import Path

from support.process import run
from support.stack import Run, Stack, docker

PARTS = ("postgresql", "audit", "identity", "orthanc", "nginx")


def test_they_are_not_in_the_output_of_the_wordiest_run(first_deployment: tuple[Stack, Run]) -> None:
    """The first one writes all files, and shows them; a second one changes nothing."""
    stack, first = first_deployment
    second = stack.deploy("-vvv", "--diff").ok()
    assert second.changes == []
    assert '"DicomAet"' in first.output, "The diff shows what is no secret"
    for secret in stack.secrets:
        assert secret not in first.output + second.output
    assert "BEGIN PRIVATE KEY" not in first.output + second.output


def test_they_are_not_in_the_containers_definition_or_log(stack: Stack) -> None:
    for part in PARTS:
        container = stack.container(part)
        shown = docker("inspect", container) + docker("top", container, "-ef")
        logs = subprocess.run(["docker", "logs", container], capture_output=True, text=True, check=False)
        for secret in stack.secrets:
            assert secret not in shown + logs.stdout + logs.stderr


def test_no_value_of_an_error_is_in_the_log_of_postgresql(stack: Stack) -> None:
    name, container = "Only^The^Target^Knows", stack.container("postgresql")
    twice = f"CREATE TEMPORARY TABLE names (name text PRIMARY KEY); INSERT INTO names VALUES ('{name}'), ('{name}')"
    refused = run("docker", "exec", container, "psql", "--username=postgres", "--command", twice)
    assert f"Key (name)=({name}) already exists" in refused.stderr
    log = run("docker", "logs", container, merged=True).stdout
    assert "duplicate key value violates unique constraint" in log
    assert name not in log


def test_files_with_secrets_are_for_their_reader_only(stack: Stack) -> None:
    host = Path("/etc/orthweb") / stack.name
    modes = {path.relative_to(host).as_posix(): path.stat() for path in host.rglob("*") if path.is_file()}
    orthanc = dict.fromkeys(["orthanc/secrets.json", "orthanc/server.pem"], 8042)
    nginx = dict.fromkeys(["nginx/server-1.pem", "nginx/server-2.pem"], 11112)
    identity = dict.fromkeys(["identity/lmConf-1.json", "identity/pgpass"], 11114)
    for file, owner in {**orthanc, **nginx, **identity}.items():
        assert (modes[file].st_mode & 0o777, modes[file].st_uid) == (0o400, owner), file
    for secret in stack.secrets:
        holders = [path for path in host.rglob("*") if path.is_file() and secret in path.read_text()]
        assert {holder.name for holder in holders} <= {"secrets.json", "lmConf-1.json", "pgpass"}, holders
    for path in stack.folder.rglob("*"):
        if path.suffix in (".key", ".p12", ".json"):
            assert path.stat().st_mode & 0o077 == 0, path


def test_all_run_as_somebody_without_rights(stack: Stack) -> None:
    for part in PARTS:
        container = stack.container(part)
        assert docker("exec", container, "id", "-u") != "0"
        status = docker("exec", container, "cat", "/proc/1/status")
        assert "CapEff:\t0000000000000000" in status
        assert "NoNewPrivs:\t1" in status
