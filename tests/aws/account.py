# SPDX-License-Identifier: GPL-3.0-or-later
"""A simulated account: its server, playbooks run against it, the log of what they called, and what is in it."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any

import boto3
import yaml

ROOT = Path(__file__).resolve().parents[2]
REGION = "us-east-1"
PORTS = range(26200, 26220)
READS = re.compile(r"(Describe|Get|List|Head|Lookup|AssumeRole|GET |HEAD )")


@dataclass(frozen=True)
class Run:
    """How a playbook ended, and what it called.

    :ivar calls: from the server's log: service, action, status, error
    """

    code: int
    output: str
    calls: list[dict[str, Any]]
    seconds: float

    def ok(self) -> Run:
        assert self.code == 0, self.output[-6000:]
        return self

    def failed(self) -> Run:
        assert self.code != 0, self.output[-6000:]
        return self

    @property
    def changed(self) -> int:
        return sum(int(number) for number in re.findall(r"\bchanged=(\d+)", self.output))

    @property
    def changes(self) -> list[str]:
        """The names of the tasks that changed something, or would."""
        found, task = [], ""
        for line in self.output.splitlines():
            if line.startswith("TASK ["):
                task = line[6:].partition("]")[0].rpartition(" : ")[2]
            elif line.startswith("changed: ["):
                found.append(task)
        return found

    @property
    def writes(self) -> list[str]:
        """What was called that is not only a question, in order."""
        return [f"{each['service']}:{each['action']}" for each in self.calls if not READS.match(each["action"])]

    @property
    def message(self) -> str:
        """What the failures say, as one line with single spaces."""
        said = " ".join(re.findall(r"(?m)^\s+msg: (.*(?:\n {6,}.*|\n *$)*)", self.output))
        return re.sub(r"\s+", " ", said).replace("''", "'")


class Account:
    """
    :ivar stack: name of the stack that the playbooks are run for; a test may change it
    :ivar url: where the playbooks look for the API; a proxy's address, where a test has one
    """

    def __init__(self, folder: Path, options: tuple[str, ...] = ()) -> None:
        self.folder = folder
        self.options = options
        self.server_url = self.url = ""
        self.stack = "orthweb"
        self.log = folder / "calls.jsonl"
        self.rehearsal_folder = folder / "rehearsal"

    def __enter__(self) -> Account:
        self.output = (self.folder / "server.log").open("w")
        # Somebody else's tests may take a port between the look and the start.
        for _unused in range(3):
            port = free_port()
            command = [sys.executable, str(ROOT / "files/rehearsal/serve.py"), "--no-stand-ins", "--port", str(port)]
            command += ["--folder", str(self.rehearsal_folder), "--log", str(self.log), *self.options]
            self.server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self.output, text=True)
            assert self.server.stdout is not None
            said = self.server.stdout.readline()
            if said.startswith("ready"):
                break
        assert said.startswith("ready"), (said, Path(self.output.name).read_text())
        self.server_url = self.url = said.split()[1]
        (self.rehearsal_folder / "rds-ca.pem").write_text("certificates of the CAs\n")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.server.terminate()
        self.server.wait(timeout=30)
        self.output.close()

    # --- the API

    def client(self, service: str) -> Any:
        keys = {"aws_access_key_id": "rehearsal", "aws_secret_access_key": "rehearsal"}
        return boto3.session.Session(region_name=REGION, **keys).client(service, endpoint_url=self.server_url)

    def every(self, service: str, operation: str, key: str, **arguments: Any) -> list[Any]:
        """All pages of a list."""
        client = self.client(service)
        if not client.can_paginate(operation):
            return getattr(client, operation)(**arguments)[key]
        return [each for page in client.get_paginator(operation).paginate(**arguments) for each in page[key]]

    def post(self, path: str, body: dict[str, Any] | None = None) -> None:
        data = json.dumps(body or {}).encode()
        with urllib.request.urlopen(f"{self.server_url}{path}", data=data, timeout=30):
            pass

    def reset(self) -> None:
        self.post("/moto-api/reset")
        settings = {"instance_fails": False, "database_ends_in": "available", "database_seconds": 0}
        self.post("/rehearsal/settings", settings)

    # --- playbooks

    @property
    def state_root(self) -> Path:
        return self.folder / "state"

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "ANSIBLE_"))}
        return {
            **kept,
            "ORTHWEB_REHEARSAL_URL": self.url,
            "ORTHWEB_REHEARSAL_FOLDER": str(self.rehearsal_folder),
            "ORTHWEB_STATE_ROOT": str(self.state_root),
            "ORTHWEB_STACK": self.stack,
            "ANSIBLE_NOCOLOR": "1",
        }

    def play(self, playbook: str | Path, *arguments: str, **variables: Any) -> Run:
        """Run a playbook of the project by its name, or any other by its path; nobody waits for hosts."""
        path = playbook if isinstance(playbook, Path) else ROOT / "playbooks" / f"{playbook}.yml"
        command = [sys.executable, "-m", "ansible", "playbook", str(path), "-i", str(ROOT / "inventory/rehearsal")]
        command += ["--skip-tags", "wait_for_hosts", "-e", json.dumps(variables), *arguments]
        before, began = self.log.stat().st_size, time.monotonic()
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=600,
            check=False,
        )
        run = Run(done.returncode, done.stdout, self.calls(before), time.monotonic() - began)
        (self.folder / "runs.log").open("a").write(
            f"### {run.seconds:.0f} s {playbook} {arguments} {variables}\n{run.output}"
        )
        return run

    def teardown(self, *arguments: str, **variables: Any) -> Run:
        return self.play("teardown", *arguments, orthweb_confirm_teardown=self.stack, **variables)

    def play_tasks(self, tasks: list[dict[str, Any]], *arguments: str, **variables: Any) -> Run:
        """Run a few tasks on the lane of the network, with the API's environment."""
        path = self.folder / "tasks.yml"
        play = {"hosts": "aws-network", "gather_facts": False, "environment": "{{ aws_environment }}", "tasks": tasks}
        path.write_text(yaml.safe_dump([play], sort_keys=False))
        return self.play(path, *arguments, **variables)

    # --- what was called

    def calls(self, since: int = 0) -> list[dict[str, Any]]:
        with self.log.open() as log:
            log.seek(since)
            return [json.loads(line) for line in log]


@cache
def ports() -> Iterator[int]:
    return iter(PORTS)


def free_port() -> int:
    for port in ports():
        with socket.socket() as tried:
            if tried.connect_ex(("127.0.0.1", port)):
                return port
    raise RuntimeError(f"ports {PORTS.start} to {PORTS.stop - 1} are all taken")
