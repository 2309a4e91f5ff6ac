# SPDX-License-Identifier: GPL-3.0-or-later
"""What the benchmarks share: the stack under test, the commands they run, and how figures are printed."""

from __future__ import annotations

import argparse
import atexit
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import median
from typing import Any, NoReturn

import requests

REPOSITORY = Path(__file__).resolve().parent.parent
REQUEST_TIMEOUT_SECONDS = 120
QUIET_WITHIN_SECONDS = 1800  # how long a quiet moment is waited for


class BenchmarkError(Exception):
    """A benchmark cannot go on. The message says what was tried, what came back and what to do."""


def run(argv: Sequence[str | Path], env: Mapping[str, str] | None = None, stdin: str | None = None) -> str:
    """Run a command from the repository's folder and return its standard output. ``env`` is added to our own."""
    process = subprocess.run(
        [str(part) for part in argv],
        cwd=REPOSITORY,
        env={**os.environ, **(env or {})},
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )
    if process.returncode:
        said = (process.stderr or process.stdout).strip()
        raise BenchmarkError(f"{' '.join(map(str, argv))} ended with {process.returncode}: {said[-2000:]}")
    return process.stdout


def docker_inspect(kind: str, name: str) -> dict[str, Any]:
    """Return what the engine says about a ``container``, ``image`` or ``network``."""
    answer: list[dict[str, Any]] = json.loads(run(["docker", kind, "inspect", name]))
    return answer[0]


@cache
def _cpu_account(container: str) -> Path:
    """Return the file in which the kernel counts a container's CPU time: cgroups version 2, or version 1."""
    process = docker_inspect("container", container)["State"]["Pid"]
    for line in Path(f"/proc/{process}/cgroup").read_text(encoding="utf-8").splitlines():
        _unused, controllers, group = line.split(":", 2)
        if "cpuacct" in controllers.split(","):
            return Path("/sys/fs/cgroup/cpuacct" + group) / "cpuacct.usage"
        if not controllers and (account := Path("/sys/fs/cgroup" + group) / "cpu.stat").exists():
            return account
    raise BenchmarkError(f"No control group of {container} counts its CPU time.")


def container_cpu_seconds(container: str) -> float:
    """Return the CPU time a container has used since its start."""
    account = _cpu_account(container)
    try:
        text = account.read_text(encoding="ascii")
    except FileNotFoundError:
        raise BenchmarkError(f"{container} was restarted while it was measured.") from None
    if account.name == "cpuacct.usage":
        return int(text) / 1e9  # nanoseconds
    return int(dict(line.split() for line in text.splitlines())["usage_usec"]) / 1e6


def machine_cpu_seconds() -> float:
    """Return the CPU time that the whole machine has used since its start, what its own host took away included."""
    fields = Path("/proc/stat").read_text(encoding="ascii").splitlines()[0].split()[1:9]
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, fields)
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def wait_for_quiet(cpus: float) -> None:
    """Wait until the machine as a whole uses no more CPUs than this for a second. Raises ``BenchmarkError``."""
    until = time.monotonic() + QUIET_WITHIN_SECONDS
    while time.monotonic() < until:
        before = machine_cpu_seconds()
        time.sleep(1)
        if machine_cpu_seconds() - before <= cpus:
            return
    raise BenchmarkError(f"The machine was not quiet for a second in {QUIET_WITHIN_SECONDS} s. Try again later.")


@cache
def enter(network: str) -> None:
    """Give this machine the gateway's address in a Docker network that it is not in, until this program ends."""
    inspected = docker_inspect("network", network)
    [address] = inspected["IPAM"]["Config"]
    prefix = address["Subnet"].partition("/")[2]
    where = [f"{address['Gateway']}/{prefix}", "dev", f"br-{inspected['Id'][:12]}"]
    run(["ip", "address", "replace", *where])
    # It is gone already where the network is.
    leave = ["ip", "address", "delete", *where]
    atexit.register(subprocess.run, leave, stderr=subprocess.DEVNULL, check=False)


@dataclass(frozen=True)
class Stack:
    """A stack that runs on this machine, as ``make -s outputs`` describes it."""

    name: str
    outputs: dict[str, Any]
    username: str
    password: str

    @classmethod
    def deployed(cls, name: str) -> Stack:
        """Return the stack of that name. Raises ``BenchmarkError`` if it is not deployed from this machine."""
        outputs = json.loads(run(["make", "-s", "outputs"], env={"ORTHWEB_STACK": name}))
        login = json.loads(Path(outputs["credentials_file"]).read_text(encoding="utf-8"))
        return cls(name, outputs, login["username"], login["password"])

    @property
    def nginx_password(self) -> str:
        """Return the password of nginx's account, which is the only one that Orthanc itself knows."""
        secrets = Path(self.outputs["credentials_file"]).with_name("secrets.json")
        return str(json.loads(secrets.read_text(encoding="utf-8"))["orthanc_password"])

    def container(self, service: str) -> str:
        """Return the name of the container of ``nginx``, ``orthanc`` or ``postgresql``."""
        return f"{self.name}-{service}"

    def container_address(self, service: str) -> str:
        """Return the IPv4 address of a container at which this machine reaches it.

        nginx's is the one that it is published from. The others are in the network that nginx reaches Orthanc on, in
        which this machine has no address: it gets one until this program ends.
        """
        network = self.name if service == "nginx" else self.archive_network
        networks = docker_inspect("container", self.container(service))["NetworkSettings"]["Networks"]
        if network not in networks:
            raise BenchmarkError(f"{self.container(service)} is not in the Docker network {network}.")
        if network == self.archive_network:
            enter(network)
        return str(networks[network]["IPAddress"])

    @property
    def archive_network(self) -> str:
        """The Docker network that nginx reaches Orthanc on."""
        return f"{self.name}-archive"

    def rest(self, method: str, path: str, **arguments: Any) -> Any:
        """Ask Orthanc's REST API through the portal and return the decoded answer. Raises ``BenchmarkError``."""
        url = self.outputs["rest_url"].rstrip("/") + path
        with requests.Session() as session:
            session.trust_env = False  # REQUESTS_CA_BUNDLE would win over the stack's own CA
            try:
                answer = session.request(
                    method,
                    url,
                    auth=(self.username, self.password),
                    verify=self.outputs["ca_certificate"],
                    timeout=REQUEST_TIMEOUT_SECONDS,
                    **arguments,
                )
            except requests.RequestException as error:
                raise BenchmarkError(f"{method} {url} was not answered: {error}") from error
        if not answer.ok:
            raise BenchmarkError(f"{method} {url} was answered {answer.status_code}: {answer.text[:500]}")
        return answer.json()


def settle_database(stack: Stack) -> None:
    """Do at once what PostgreSQL would do after what was deleted, at a time of its own: during a later round."""
    psql = ["psql", "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", f"--dbname={stack.outputs['database']['name']}"]
    run(["docker", "exec", stack.container("postgresql"), *psql, "--command=VACUUM", "--command=CHECKPOINT"])


def parser_for(description: str | None, rounds: int = 5, of: str = "rounds") -> argparse.ArgumentParser:
    """Return a parser with ``--stack``, by default $ORTHWEB_STACK as for ``make deploy``, and ``--rounds``."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--stack",
        default=os.environ.get("ORTHWEB_STACK", "orthweb"),
        help="name of a stack that is deployed on this machine",
    )
    parser.add_argument(
        "--rounds", type=int, default=rounds, help=f"{of} that count, after one that does not ({rounds})"
    )
    return parser


def exit_with(main: Callable[[], int], known: tuple[type[Exception], ...] = (BenchmarkError,)) -> NoReturn:
    """Run a benchmark and exit. An error that is known is told in one line."""
    try:
        sys.exit(main())
    except known as error:
        sys.exit(f"benchmark: {error}")


def spread(values: Sequence[float], digits: int) -> str:
    """Return the median, and the least and most in brackets."""
    middle, least, most = (f"{one:.{digits}f}" for one in (median(values), min(values), max(values)))
    return f"{middle} ({least}-{most})"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return the rows as text, the first column to the left and all others to the right."""
    lines = [header, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]

    def text(line: Sequence[str]) -> str:
        cells = [line[0].ljust(widths[0])] + [
            cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True)
        ]
        return "  ".join(cells).rstrip()

    return "\n".join([text(header), "  ".join("-" * width for width in widths), *map(text, rows)])


def verdict(met: bool) -> str:
    """Return the word for an aim that was met or missed."""
    return "met" if met else "MISSED"


def say(text: str) -> None:
    """Print progress on standard error, so that standard output holds the figures only."""
    print(text, file=sys.stderr, flush=True)


def machine() -> str:
    """Return one line about this machine and how busy it is: figures mean nothing without it."""
    load = " ".join(f"{value:.2f}" for value in os.getloadavg())
    return f"{os.cpu_count()} CPUs, {platform.system()} {platform.release()}, load {load}"
