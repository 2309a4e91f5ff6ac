# SPDX-License-Identifier: GPL-3.0-or-later
"""The agent of Systems Manager is installed at the first boot, when the host has no address yet."""

from __future__ import annotations

import http.server
import os
import shutil
import subprocess
import threading
from pathlib import Path

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


@pytest.mark.skipif(not shutil.which("curl"), reason="needs curl")
def test_the_agent_is_downloaded_once_there_is_a_way(tmp_path: Path) -> None:
    data = yaml.safe_load(VARS.read_text())["__aws_instance_user_data"]
    [[shell, flag, command]] = yaml.safe_load(data)["runcmd"]
    assert (
        int(command.partition("--retry ")[2].split()[0]) * int(command.partition("--retry-delay ")[2].split()[0]) >= 600
    )
    (tmp_path / "dpkg").write_text(f'#!/bin/sh\ncp "$2" {tmp_path}/installed\n')
    (tmp_path / "dpkg").chmod(0o755)
    with http.server.HTTPServer(("127.0.0.1", 0), FailsTwice) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/"
        command = command.replace("{{ __aws_instance_agent_url }}", url).replace("--retry-delay 10", "--retry-delay 1")
        path = f"{tmp_path}:{os.environ['PATH']}"
        subprocess.run(
            [shell, flag, command.replace("/tmp/", f"{tmp_path}/")], check=True, env={"PATH": path}, timeout=60
        )
        server.shutdown()
    assert (tmp_path / "installed").read_text() == "the agent"
