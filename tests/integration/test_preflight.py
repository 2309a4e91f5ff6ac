# SPDX-License-Identifier: GPL-3.0-or-later
"""Bad input: everything that is wrong is said in one run, and nothing is touched."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from support.stack import ECHOSCU, Stack, docker


@pytest.fixture
def unborn(tmp_path: Path) -> Stack:
    """A stack that was never deployed."""
    return Stack("orthweb-refused", tmp_path, dicom_port=23112, portal_port=23443, orthanc_port=23042)


def untouched(stack: Stack) -> bool:
    return not stack.folder.exists() and stack.name not in docker("ps", "--all", "--format", "{{.Names}}")


def test_all_that_is_wrong_is_said_in_one_run(unborn: Stack) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        run = unborn.deploy(
            orthweb_dicom_port=taken.getsockname()[1],
            orthweb_orthanc_port=70000,
            orthweb_server_name="no name/",
            orthweb_aet="WITH\\BACKSLASH",
            orthweb_modalities=[
                {"name": "ct", "aet": "SEVENTEEN_LETTERS"},
                {"name": "Not good", "aet": "MR", "tls": False, "allow": ["fetch"]},
            ],
            orthweb_users=[
                {"name": "admin", "role": "admin", "password": "orthanc"},
                {"name": "rita", "role": "reader", "password": "short"},
                {"name": "ulf", "role": "uploader", "password": "Radiology2026!"},
            ],
            orthweb_images_source="nowhere",
            orthweb_sever_name="pacs.clinic.example",
            orthweb_server_aliases="pacs",
            orthweb_new_ca="perhaps",
            orthweb_storage="tape",
            orthweb_acme={"mail": "it@clinic.example", "challenge": "tls-alpn-01"},
            preflight_minimum_disk_mb=10**9,
            preflight_minimum_memory_mb=10**9,
            preflight_distributions={"Debian": ["11"]},
        )
        assert run.code != 0
        said = " ".join(run.output.split())
        for sentence in (
            "Nothing was changed",
            "Unsupported distribution: localhost runs Debian",
            "Too little disk",
            "Too little memory",
            f"Port {taken.getsockname()[1]} (orthweb_dicom_port) is taken by ",
            f"(process {os.getpid()})",
            "orthweb_orthanc_port is 70000",
            "orthweb_sever_name is not a setting of this archive: did you mean orthweb_server_name?",
            "'no name/'",
            "has a backslash",
            "has 17 characters",
            "orthweb_modalities, entry 2 (Not good): name must consist of",
            "tls is false, but host is not an IPv4 address",
            "orthweb_server_aliases is 'pacs': use a list.",
            "orthweb_new_ca is 'perhaps': use true or false.",
            'orthweb_storage is "tape": choose database or filesystem.',
            "orthweb_acme has unknown keys: mail (did you mean email?)",
            "orthweb_acme.agree_to_terms is not true",
            "orthweb_acme.challenge is tls-alpn-01: choose http-01 or dns-01.",
            "allow has fetch;",
            'orthweb_users, entry 1 (admin): password is "orthanc"',
            "orthweb_users, entry 2 (rita): password is easy to guess: it is shorter than 12 characters",
            "orthweb_users, entry 3 (ulf): password is easy to guess: it consists of words that attackers try first",
            'orthweb_images_source is "nowhere"',
        ):
            assert sentence in said, f"{sentence!r} is not in:\n{run.output}"
    assert untouched(unborn)


def test_a_port_that_another_stack_holds(stack: Stack, unborn: Stack) -> None:
    run = unborn.deploy(orthweb_dicom_port=stack.dicom_port)
    assert run.code != 0
    assert f"is taken by the container {stack.container('nginx')}" in " ".join(run.output.split())
    assert untouched(unborn)


def test_a_certificate_folder_of_another_stack(stack: Stack, unborn: Stack) -> None:
    before = {path: path.read_bytes() for path in stack.folder.rglob("*") if path.is_file()}
    run = unborn.deploy(orthweb_state_directory=str(stack.folder))
    assert run.code != 0
    assert "The certificate folder belongs to another stack" in " ".join(run.output.split())
    assert before == {path: path.read_bytes() for path in stack.folder.rglob("*") if path.is_file()}


def test_a_controller_without_the_folder_of_a_stack_that_runs(stack: Stack, tmp_path: Path) -> None:
    stranger = Stack(stack.name, tmp_path, stack.dicom_port, stack.portal_port, stack.orthanc_port)
    run = stranger.deploy()
    assert run.code != 0
    assert "The archive that runs on localhost was deployed with another CA" in " ".join(run.output.split())
    assert not stranger.folder.exists()
    assert stack.dcmtk(ECHOSCU).returncode == 0


def test_an_archive_of_images_that_is_not_there(unborn: Stack) -> None:
    run = unborn.deploy(orthweb_images_source="archive", orthweb_images_archive="/nonexistent/images.tar.gz")
    assert run.code != 0
    assert "/nonexistent/images.tar.gz, but there is no such file" in " ".join(run.output.split())
    assert untouched(unborn)


def test_without_root(unborn: Stack, tmp_path: Path) -> None:
    """As a user who may not sudo: a `sudo` that always refuses stands in for the real one."""
    refusing = tmp_path / "sudo"
    refusing.write_text("#!/bin/sh\necho 'sudo: a password is required' >&2\nexit 1\n")
    refusing.chmod(0o755)
    run = unborn.deploy(ansible_become_exe=str(refusing), ansible_become_user="nobody")
    assert run.code != 0
    assert "No root on localhost" in run.output
    assert untouched(unborn)


def test_teardown_without_the_name_touches_nothing(stack: Stack) -> None:
    containers = docker("ps", "--quiet", "--filter", f"name={stack.name}")
    for confirmation in ({}, {"orthweb_confirm_teardown": "orthweb"}):
        run = stack.teardown(**confirmation)
        assert run.code != 0
        assert "Nothing was touched" in run.output
    assert docker("ps", "--quiet", "--filter", f"name={stack.name}") == containers


@pytest.mark.parametrize("engine", ["unix:///nonexistent.sock", None])
def test_check_mode_where_nothing_exists_yet(unborn: Stack, engine: str | None) -> None:
    run = unborn.play("deploy", "--check", "--diff", environment={"DOCKER_HOST": engine} if engine else None).ok()
    said = " ".join(run.output.split())
    for part in ("postgresql", "audit", "identity", "orthanc", "nginx"):
        assert f"Would start {unborn.container(part)}" in said
    assert untouched(unborn)
