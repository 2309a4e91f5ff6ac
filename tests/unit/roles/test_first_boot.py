# SPDX-License-Identifier: GPL-3.0-or-later
"""The agent of Systems Manager is installed at the first boot, when the host has no address yet."""

from __future__ import annotations

import http.server
import os
import re
import shutil
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.checkout import ROOT

VARS = ROOT / "roles/aws_instance/vars/main.yml"


class FailsTwice(http.server.BaseHTTPRequestHandler):
    left = 2

    def do_GET(self) -> None:
        type(self).left -= 1
        self.send_response(200 if self.left < 0 else 404)
        self.end_headers()
        self.wfile.write(b"the agent")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def data() -> dict[str, Any]:
    """What cloud-init is given."""
    return yaml.safe_load(yaml.safe_load(VARS.read_text())["__aws_instance_user_data"])


@pytest.fixture(scope="module")
def unit(data: dict[str, Any]) -> str:
    (file,) = data["write_files"]
    return file["content"]


def test_the_unit_is_started_and_not_waited_for(data: dict[str, Any]) -> None:
    """Other parts of the boot would wait as long as the host has no address."""
    (file,) = data["write_files"]
    reload, enable = data["runcmd"]
    assert reload == ["systemctl", "daemon-reload"]
    assert enable == ["systemctl", "enable", "--now", "--no-block", Path(file["path"]).name]
    assert Path(file["path"]).parent == Path("/etc/systemd/system")


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze")
def test_systemd_understands_the_unit(unit: str, tmp_path: Path) -> None:
    (tmp_path / "agent.service").write_text(unit)
    command = ["systemd-analyze", "verify", "--man=no", str(tmp_path / "agent.service")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_it_tries_for_ever_and_not_once_the_agent_is_there(unit: str) -> None:
    lines = unit.splitlines()
    for line in ("Restart=on-failure", "StartLimitIntervalSec=0", "ConditionPathExists=!/usr/bin/amazon-ssm-agent"):
        assert line in lines
    assert "WantedBy=multi-user.target" in lines, "and at each boot"


@pytest.mark.skipif(not shutil.which("curl"), reason="needs curl")
def test_the_agent_is_installed_once_there_is_a_way(unit: str, tmp_path: Path) -> None:
    """Run as systemd does: one command after the other, from the beginning after one has failed."""
    (tmp_path / "dpkg").write_text(f'#!/bin/sh\ncp "$2" {tmp_path}/installed\n')
    (tmp_path / "dpkg").chmod(0o755)
    commands = re.findall("(?m)^ExecStart=(.*)$", unit)
    assert len(commands) == 2
    with http.server.HTTPServer(("127.0.0.1", 0), FailsTwice) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/"
        for attempt in (1, 2, 3):
            assert not (tmp_path / "installed").exists(), attempt
            for command in commands:
                there = command.replace("{{ __aws_instance_agent_url }}", url).replace("/run/", f"{tmp_path}/")
                path = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
                if subprocess.run(there.split(), check=False, env=path, timeout=60).returncode != 0:
                    break
        server.shutdown()
    assert (tmp_path / "installed").read_text() == "the agent"
