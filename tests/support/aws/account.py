# SPDX-License-Identifier: GPL-3.0-or-later
"""A simulated account: its server, playbooks run against it, the log of what they called, and what is in it."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any

import yaml
from ansible_collections.cellcs.orthweb.plugins.plugin_utils.aws_checks.systems_manager import PROGRAMS

from rehearsal import controller

from . import permissions

REGION = controller.REGION
# The role of the hosts, as their instance profile, and that of the flow logs.
IMAGING_ROLE, FLOW_LOGS_ROLE = (f"orthweb_{REGION}-{name}" for name in ("imaging", "flow-logs"))
PORTS = range(26200, 26220)


class Run(controller.Run):
    def ok(self) -> Run:
        assert self.code == 0, self.output[-6000:]
        return self

    def failed(self) -> Run:
        assert self.code != 0, self.output[-6000:]
        return self

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
    def message(self) -> str:
        """What the failures say, as one line with single spaces."""
        said = " ".join(re.findall(r"(?m)^\s+msg: (.*(?:\n {6,}.*|\n *$)*)", self.output))
        return re.sub(r"\s+", " ", said).replace("''", "'")


class Account(controller.Rehearsal):
    """A rehearsal without stand-ins.

    :ivar stack: name of the stack that the playbooks are run for; a test may change it
    :ivar seen_at: where the playbooks look for the API; a proxy's address, where a test has one
    :ivar refused: what playbooks called and the deployer's policy does not allow
    """

    def __init__(self, folder: Path, options: tuple[str, ...] = ()) -> None:
        super().__init__(folder)
        self.options = options
        self.seen_at = ""
        self.clients: dict[tuple[str, str], Any] = {}
        self.refused: set[str] = set()

    def __enter__(self) -> Account:
        # Somebody else's tests may take a port between the look and the start.
        for tries_left in (2, 1, 0):
            self.port = free_port()
            self.seen_at = self.url = f"http://127.0.0.1:{self.port}"
            try:
                self.start("--no-stand-ins", *self.options)
                break
            except RuntimeError:
                if not tries_left:
                    raise
        (self.folder / "rds-ca.pem").write_text("certificates of the CAs\n")
        # What SSH would call to reach a host by Systems Manager. There are no hosts.
        (self.folder / "programs").mkdir()
        for name in PROGRAMS:
            (self.folder / "programs" / name).touch(mode=0o755)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    # --- the API

    def client(self, service: str, region: str = REGION) -> Any:
        """Made once: that takes longer than most calls."""
        if (service, region) not in self.clients:
            self.clients[service, region] = super().client(service, region)
        return self.clients[service, region]

    def every(self, service: str, operation: str, key: str, **arguments: Any) -> list[Any]:
        """All pages of a list."""
        client = self.client(service)
        if not client.can_paginate(operation):
            return getattr(client, operation)(**arguments)[key]
        return [each for page in client.get_paginator(operation).paginate(**arguments) for each in page[key]]

    def reset(self) -> None:
        super().reset()
        settings = {
            "instance_fails": False,
            "database_ends_in": "available",
            "database_seconds": 0,
            "deletion_seconds": 0,
            "address_seconds": 0,
            "interface_seconds": 0,
            "not_offered": "",
            "vcpus": 32,
            "permissions_boundary": "",
            "storage_seconds": 0,
            "storage_again_seconds": 0,
            "change_begins_seconds": 0,
            "upgrade_fails": False,
        }
        self.post("/rehearsal/settings", settings)

    # --- playbooks

    @property
    def environment(self) -> dict[str, str]:
        """As where somebody calls ansible-playbook without make."""
        environment = {**super().environment, "ORTHWEB_REHEARSAL_URL": self.seen_at}
        environment["PATH"] = f"{self.folder / 'programs'}:{environment['PATH']}"
        del environment["ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED"]
        return environment

    def play(self, playbook: str | Path, *arguments: str, **variables: Any) -> Run:  # type: ignore[override]
        """Nobody waits for hosts."""
        options = ["--skip-tags", "wait_for_hosts", "-e", json.dumps(variables), *arguments]
        run = Run(**vars(super().play(playbook, *options)))
        with (self.folder / "runs.log").open("a") as log:
            log.write(f"### {run.seconds:.0f} s {playbook} {arguments} {variables}\n{run.output}")
        stack = variables.get("orthweb_stack", self.stack)
        if permissions.is_stack(stack):  # a playbook is also tried with names that it refuses
            self.refused |= permissions.refused(run.calls, stack, *permissions.options_for(variables))
        return run

    def teardown(self, *arguments: str, **variables: Any) -> Run:
        return self.play("teardown", *arguments, orthweb_confirm_teardown=self.stack, **variables)

    def play_tasks(self, tasks: list[dict[str, Any]], *arguments: str, **variables: Any) -> Run:
        """Run a few tasks where the account is provisioned, with the API's environment."""
        path = self.folder / "tasks.yml"
        play = {"hosts": "aws_account", "gather_facts": False, "environment": "{{ aws_environment }}", "tasks": tasks}
        path.write_text(yaml.safe_dump([play], sort_keys=False))
        return self.play(path, *arguments, **variables)


def role(name: str, part: str = "main") -> dict[str, Any]:
    """A task for ``play_tasks``: one of our roles, or an entry point of it."""
    return {"ansible.builtin.include_role": {"name": f"cellcs.orthweb.{name}", "tasks_from": f"{part}.yml"}}


OpenAccount = Callable[..., Account]


@cache
def ports() -> Iterator[int]:
    return iter(PORTS)


def free_port() -> int:
    for port in ports():
        with socket.socket() as tried:
            if tried.connect_ex(("127.0.0.1", port)):
                return port
    raise RuntimeError(f"ports {PORTS.start} to {PORTS.stop - 1} are all taken")
