# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller of a rehearsal: starts its API and stand-ins, and runs playbooks against them as a person would."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3

ROOT = Path(__file__).resolve().parents[1]
REGION = "us-east-1"
READS = re.compile(r"(Describe|Get|List|Head|Lookup|AssumeRole|GET |HEAD )")
PLAYBOOK = ROOT / ".venv" / "bin" / "ansible-playbook"


@dataclass(frozen=True)
class Run:
    """How a playbook ended.

    :ivar began: seconds since the epoch
    :ivar tasks: when (seconds since it began) each play and task began, and its name
    :ivar calls: what the API was called for meanwhile: time, service, action, status
    """

    code: int
    output: str
    began: float
    seconds: float
    tasks: list[tuple[float, str]] = field(repr=False, default_factory=list)
    calls: list[dict[str, Any]] = field(repr=False, default_factory=list)

    @property
    def changed(self) -> int:
        return sum(int(number) for number in re.findall(r"changed=(\d+)", self.output))

    @property
    def writes(self) -> list[str]:
        """What was called that is not only a question, in order."""
        return [f"{each['service']}:{each['action']}" for each in self.calls if not READS.match(each["action"])]

    @property
    def errors(self) -> str:
        """What Ansible said about each task that failed."""
        return "\n".join(
            part.strip() for part in re.findall(r"^\[ERROR\]:.*?(?=^Origin: |^$)", self.output, re.M | re.S)
        )


class Rehearsal:
    """One simulated account with its stand-ins. ``folder`` holds certificates, logs and the controller's state."""

    def __init__(self, folder: Path, port: int = 5566, stack: str = "orthweb", echo: bool = False) -> None:
        self.folder, self.port, self.stack, self.echo = folder, port, stack, echo
        self.url = f"http://127.0.0.1:{port}"
        self.log = folder / "api.log"
        self.state = folder / "state"
        self.server: subprocess.Popen[str] | None = None

    # --- the simulated account

    def start(self, *options: str, seconds: float = 300) -> None:
        command = [sys.executable, "-m", "rehearsal.serve"]
        command += [f"--port={self.port}", f"--folder={self.folder}", f"--log={self.log}", *options]
        with (self.folder / "server.log").open("w") as output:
            self.server = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=output, text=True)
        end = time.monotonic() + seconds
        while "ready http" not in (said := (self.folder / "server.log").read_text()):
            if self.server.poll() is not None or time.monotonic() > end:
                self.stop()
                raise RuntimeError(f"The rehearsal's API did not start:\n{said}")
            time.sleep(0.2)

    def stop(self) -> None:
        if self.server and self.server.poll() is None:
            self.server.send_signal(signal.SIGTERM)
            self.server.wait(timeout=120)

    def client(self, service: str, region: str = REGION) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=region,
            aws_access_key_id="notreal",
            aws_secret_access_key="notreal0123456789",
        )

    def calls(self, since: int = 0) -> list[dict[str, Any]]:
        """All calls of the API so far, or from that place in the log on."""
        with self.log.open() as log:
            log.seek(since)
            return [json.loads(line) for line in log]

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> None:
        """What only a simulated account has: its settings, and to be emptied."""
        data = json.dumps(body or {}).encode()
        with urllib.request.urlopen(f"{self.url}{path}", data=data, timeout=30):
            pass

    def reset(self) -> None:
        """Empty the account, at once."""
        self.post("/moto-api/reset")

    def host_containers(self) -> list[str]:
        """The containers that play the EC2 hosts."""
        labels = ["--filter", f"label=orthweb.rehearsal={self.port}", "--filter", "label=orthweb.rehearsal.instance"]
        command = ["docker", "ps", *labels, "--format", "{{.Names}}"]
        return sorted(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())

    # --- playbooks

    @property
    def environment(self) -> dict[str, str]:
        hidden = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        return {
            **hidden,
            "ORTHWEB_REHEARSAL_URL": self.url,
            "ORTHWEB_REHEARSAL_FOLDER": str(self.folder),
            "ORTHWEB_STATE_ROOT": str(self.state),
            "ORTHWEB_STACK": self.stack,
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "True",
            "ANSIBLE_NOCOLOR": "1",
            "PYTHONUNBUFFERED": "1",
        }

    def play(self, playbook: str | Path, *arguments: str, inventory: str = "inventory/rehearsal") -> Run:
        """Run a playbook of the project by its name, or any other by its path."""
        path = playbook if isinstance(playbook, Path) else f"playbooks/{playbook}.yml"
        command = [str(PLAYBOOK), "--inventory", inventory, str(path), *arguments]
        since, began, clock = self.log.stat().st_size, time.time(), time.monotonic()
        lines, tasks = [], []
        with subprocess.Popen(
            command,
            cwd=ROOT,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            for line in process.stdout or []:
                lines.append(line)
                if self.echo:
                    print(line, end="", flush=True)
                if line.startswith(("PLAY [", "TASK [")):
                    tasks.append((time.monotonic() - clock, line.rstrip(" *\n")))
        seconds = time.monotonic() - clock
        return Run(process.returncode, "".join(lines), began, seconds, tasks, self.calls(since))
