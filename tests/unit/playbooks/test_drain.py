# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a host is drained, and when that is refused. A program in Docker's place answers as nginx does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.checkout import COLLECTIONS, ROOT

pytestmark = pytest.mark.slow

# `exec <container> …`: what is asked at /ready, and the connections, of which one ends between two looks.
DOCKER = """#!/bin/sh
cd "$FOLDERS/$2" || exit 1
case "$*" in
    *9118*) if [ -e drained ]; then echo 503; else echo 200; fi ;;
    *tcp*) cat connections; sed -i 1d connections ;;
esac
"""
CONNECTION = "0: 0100007F:2B68 0100007F:C350 01 00000000:00000000\n"  # to port 11112
TWO_HOURS = {"drain_notice_seconds": 0, "drain_wait_seconds": 7200}
HOSTS: dict[str, dict[str, Any]] = {
    "alone": {"drain_balanced": False},
    "first": {"drain_other_hosts": ["second"]},
    "second": {"drain_other_hosts": ["first", "away"]},
    "new": {"drain_other_hosts": ["away"]},  # nginx does not run yet
    "away": {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("drain")
    (folder / "programs").mkdir()
    (folder / "programs" / "docker").write_text(DOCKER)
    (folder / "programs" / "docker").chmod(0o755)
    for host in HOSTS:
        if host != "new":
            (folder / host).mkdir()
            (folder / host / "connections").write_text(2 * CONNECTION)
    return folder


@pytest.fixture(scope="module")
def said(folder: Path) -> str:
    here = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    places = {host: {"drain_directory": str(folder / host), "drain_container": host} for host in HOSTS}
    hosts = {host: {**here, **places[host], **own} for host, own in HOSTS.items()}
    (folder / "hosts.yml").write_text(yaml.safe_dump({"imaging": {"hosts": hosts}}))
    tasks = [
        {"ansible.builtin.include_role": {"name": "cellcs.orthweb.drain", "tasks_from": tasks_from}}
        for tasks_from in ("main.yml", "still.yml")
    ]
    play = {"hosts": "imaging:!away", "gather_facts": False, "roles": ["cellcs.orthweb.site"], "tasks": tasks}
    (folder / "play.yml").write_text(yaml.safe_dump([play]))
    environment = {
        **os.environ,
        "PATH": f"{folder / 'programs'}:{os.environ['PATH']}",
        "FOLDERS": str(folder),
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
    }
    given = json.dumps({"orthweb_balancer_ranges": ["192.0.2.0/24"], **TWO_HOURS})
    command = [Path(sys.executable).with_name("ansible-playbook"), "-i", folder / "hosts.yml", folder / "play.yml"]
    done = subprocess.run(
        [*command, "-e", given], env=environment, capture_output=True, text=True, check=False, timeout=120
    )
    return " ".join(done.stdout.split())


def test_a_host_is_drained_and_its_associations_end(said: str, folder: Path) -> None:
    assert (folder / "first" / "drained").exists()
    assert (folder / "first" / "connections").read_text() == ""
    assert "have not ended" not in said
    assert "first STAYS DRAINED" in said


def test_it_is_refused_if_another_host_cannot_take_over(said: str, folder: Path) -> None:
    assert not (folder / "second" / "drained").exists()
    assert "second was not drained and not changed" in said
    assert "images cannot be stored on away" in said or "images cannot be stored on first, away" in said


def test_one_by_itself_and_one_that_is_new_are_not_drained(said: str, folder: Path) -> None:
    assert not (folder / "alone" / "drained").exists()
    assert (folder / "alone" / "connections").read_text() == 2 * CONNECTION
    assert not (folder / "new").exists()
    assert "new was not" not in said


@pytest.mark.parametrize("playbook", ["configure", "update_images"])
def test_what_drains_is_done_on_one_host_at_a_time(playbook: str) -> None:
    plays = yaml.safe_load((ROOT / "playbooks" / f"{playbook}.yml").read_text())
    (play,) = [play for play in plays if "back.yml" in json.dumps(play)]
    assert (play["serial"], play["any_errors_fatal"]) == (1, True)
