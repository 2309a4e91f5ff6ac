# SPDX-License-Identifier: GPL-3.0-or-later
"""A stack on this machine that tests deploy, look at, disturb and take away, beside any that a person has running."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import ssl
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from .checkout import PLAYBOOK, ROOT
from .process import run

ECHOSCU, STORESCU = "/usr/bin/echoscu", "/usr/bin/storescu"  # dcmtk's: pynetdicom has programs of the same names


@dataclass(frozen=True)
class Run:
    """How a playbook ended."""

    code: int
    output: str

    @property
    def changed(self) -> int:
        return sum(int(number) for number in re.findall(r"changed=(\d+)", self.output))

    @property
    def changes(self) -> list[str]:
        """The tasks that changed something."""
        tasks = re.split(r"^(?:TASK|RUNNING HANDLER) \[", self.output, flags=re.MULTILINE)[1:]
        return [task.partition("]")[0] for task in tasks if re.search("^changed: ", task, re.MULTILINE)]

    def ok(self) -> Run:
        assert self.code == 0, self.output[-6000:]
        return self


@dataclass
class Stack:
    name: str
    state_root: Path
    dicom_port: int
    portal_port: int
    orthanc_port: int
    variables: dict[str, object] = field(default_factory=dict)
    host: str = "localhost"  # as clients call it
    looks_at_images: bool = False  # for their age and for updates, which takes seconds of each run

    # --- playbooks

    def command(self, playbook: str, *arguments: str, **variables: object) -> list[str]:
        own = {
            "orthweb_stack": self.name,
            "orthweb_dicom_port": self.dicom_port,
            "orthweb_portal_port": self.portal_port,
            "orthweb_orthanc_port": self.orthanc_port,
        }
        extra = json.dumps({**own, **self.variables, **variables})
        skipped = [] if self.looks_at_images else ["--skip-tags=images"]
        return [str(PLAYBOOK), str(ROOT / "playbooks" / f"{playbook}.yml"), "--extra-vars", extra, *skipped, *arguments]

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "ORTHWEB_STATE_ROOT": str(self.state_root), "ANSIBLE_NOCOLOR": "1"}

    def play(
        self, playbook: str, *arguments: str, environment: dict[str, str] | None = None, **variables: object
    ) -> Run:
        command = self.command(playbook, *arguments, **variables)
        surroundings = {**self.environment, **(environment or {})}
        done = run(*command, folder=ROOT, environment=surroundings, merged=True, seconds=900)
        return Run(done.returncode, done.stdout)

    def deploy(self, *arguments: str, **variables: object) -> Run:
        return self.play("deploy", *arguments, **variables)

    def configure(self, *arguments: str, **variables: object) -> Run:
        """Bring new settings into a stack that is deployed; unlike ``deploy``, prove nothing and print no outputs."""
        return self.play("configure", *arguments, **variables)

    def teardown(self, **variables: object) -> Run:
        return self.play("teardown", **variables)

    @property
    def left(self) -> dict[str, list[str]]:
        """What there is of it on this machine, by Docker's kinds of things."""
        ours = f"name=^{self.name}(-|$)"
        listed = {
            "container": ["--all", "--format={{.Names}}"],
            "network": ["--format={{.Name}}"],
            "volume": ["--quiet"],
        }
        return {kind: docker(kind, "ls", "--filter", ours, *arguments).split() for kind, arguments in listed.items()}

    def remove_left(self) -> None:
        """What a run that was killed has left: its folder is lost, and preflight refuses the archive of another CA."""
        for kind, names in self.left.items():
            if names:
                docker(kind, "rm", "--force", *names)
        shutil.rmtree(Path("/etc/orthweb") / self.name, ignore_errors=True)

    def deploy_and_kill_when(self, condition: Callable[[], bool], seconds: float = 300) -> str:
        """Start a deployment and kill it, and all that it has started, the moment ``condition`` holds."""
        log = self.state_root / "killed.log"
        with log.open("w") as output:
            process = subprocess.Popen(
                self.command("deploy"),
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
            end = time.monotonic() + seconds
            while not condition():
                assert process.poll() is None, f"It ended before it could be killed:\n{log.read_text()[-4000:]}"
                assert time.monotonic() < end, f"The moment to kill it did not come:\n{log.read_text()[-4000:]}"
                time.sleep(0.02)
            for pid in [process.pid, *descendants(process.pid)]:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            process.wait()
        return log.read_text()

    # --- what it made

    @property
    def folder(self) -> Path:
        return self.state_root / self.name

    @property
    def pki(self) -> Path:
        return self.folder / "pki"

    @property
    def outputs(self) -> dict:
        return json.loads((self.folder / "outputs.json").read_text())

    @property
    def credentials(self) -> dict:
        return json.loads((self.folder / "credentials.json").read_text())

    @property
    def login(self) -> tuple[str, str]:
        return self.credentials["username"], self.credentials["password"]

    def login_of(self, account: str) -> tuple[str, str]:
        """One whose password was generated."""
        return account, self.credentials["generated"][account]

    @property
    def secrets(self) -> list[str]:
        kept = json.loads((self.folder / "secrets.json").read_text())
        people = self.credentials
        return [*kept.values(), *people["generated"].values(), people["password"], people["client_bundle_passphrase"]]

    @property
    def portal(self) -> str:
        return f"https://{self.host}:{self.portal_port}"

    @property
    def orthanc(self) -> str:
        return f"https://{self.host}:{self.orthanc_port}"

    @property
    def cookie(self) -> str:
        """The name of a session's cookie."""
        return f"__Host-{self.name}"

    @cached_property
    def ca(self) -> str:
        return str(self.pki / "ca.crt")

    def container(self, part: str) -> str:
        return f"{self.name}-{part}"

    def client_tls(self, client: str = "client-workstation") -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self.ca)
        context.load_cert_chain(self.pki / f"{client}.crt", self.pki / f"{client}.key")
        return context

    def dcmtk(
        self, program: str, *arguments: str, client: str = "client-workstation"
    ) -> subprocess.CompletedProcess[str]:
        tls = ["+tls", str(self.pki / f"{client}.key"), str(self.pki / f"{client}.crt"), "+cf", self.ca]
        peer = ["-aet", "WORKSTATION", "-aec", "ORTHANC", self.host, str(self.dicom_port)]
        return run(program, *tls, *peer, *arguments, seconds=60)


def descendants(pid: int) -> list[int]:
    """All processes that ``pid`` has started and that have not become somebody else's."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            children.setdefault(int(stat.read_text().rpartition(")")[2].split()[1]), []).append(int(stat.parent.name))
    found = children.get(pid, [])
    return found + [deeper for child in found for deeper in descendants(child)]


def docker(*arguments: str, check: bool = True) -> str:
    done = run("docker", *arguments, seconds=300)
    assert done.returncode == 0 or not check, f"docker {' '.join(arguments)}: {done.stderr}"
    return done.stdout.strip()


def is_running(container: str) -> bool:
    return docker("inspect", "--format", "{{.State.Running}}", container, check=False) == "true"


def container_id(container: str) -> str:
    return docker("inspect", "--format", "{{.Id}}", container)


def process_id(container: str, program: str) -> int:
    """The process of that name in a container, as this machine numbers it: another one after each start."""
    lines = docker("top", container, "-eo", "pid,comm").splitlines()[1:]
    [found] = [pid for pid, name in map(str.split, lines) if name == program]
    return int(found)


def wait_until_healthy(container: str, seconds: float = 120) -> None:
    """By its own check: the engine looks every 10 seconds only."""
    end = time.monotonic() + seconds
    check = json.loads(docker("inspect", "--format", "{{json .Config.Healthcheck.Test}}", container))[1:]
    while run("docker", "exec", container, *check).returncode != 0:
        assert time.monotonic() < end, (
            f"{container} did not become healthy:\n{docker('logs', '--tail', '30', container)}"
        )
        time.sleep(0.5)
