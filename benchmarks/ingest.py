# SPDX-License-Identifier: GPL-3.0-or-later
"""How fast images are stored: in PostgreSQL, in files beside it, and by a bare Orthanc with SQLite and files.

All are sent to straight, at port 4242, in turn, so that whatever else the machine does hits each of them. Two stacks
must be deployed, one with each storage: `make benchmark-ingest` does it.

The bare Orthanc is what one gets by just installing it, and is started here from the same image. It is less durable:
its index is not on the disk when an image is acknowledged. Two copies of the first stack, which lack one thing each,
show what that thing costs: TLS to the database, and the plugin that looks for conflicting instances.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import requests

from .by_hand import ScratchCopy
from .c_store_tls import Way, send
from .common import (
    REQUEST_TIMEOUT_SECONDS,
    BenchmarkError,
    Stack,
    container_cpu_seconds,
    docker_inspect,
    exit_with,
    machine,
    parser_for,
    run,
    say,
    settle_database,
    table,
    verdict,
)
from .ct_instances import Study, write_study

AIM = 0.6  # of the bare Orthanc, for files
DATABASE, FILES, BARE = "database", "files", "bare"
NO_TLS, NO_PLUGIN = "database without TLS", "without conflicting_instances"
# What is compared with what, and the least that the ratio should be.
PAIRS = ((FILES, BARE, AIM), (DATABASE, BARE, None), (NO_TLS, DATABASE, None), (NO_PLUGIN, DATABASE, None))
BARE_CONFIGURATION = {
    "Name": "bare",
    "StorageDirectory": "/var/lib/orthanc/storage",
    "DicomAet": "ORTHANC",
    "DicomPort": 4242,
    "DicomAlwaysAllowStore": True,
    "RemoteAccessAllowed": True,
    "AuthenticationEnabled": False,
    "MaximumPduLength": 131072,
}


@dataclass(frozen=True)
class Archive:
    """An Orthanc that is sent to. ``containers``: those that work for it, by what they are called in the table."""

    name: str
    address: str
    rest: Callable[..., Any]
    containers: dict[str, str]
    settle: Callable[[], None]

    def cpu_seconds(self) -> dict[str, float]:
        """Return the CPU time used so far, by container and by our own ended children (storescu)."""
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        used = {name: container_cpu_seconds(container) for name, container in self.containers.items()}
        return {"client": children.ru_utime + children.ru_stime, **used}


@dataclass(frozen=True)
class Round:
    """One study that was sent."""

    instances: int
    seconds: float
    cpu_seconds: dict[str, float]

    @property
    def rate(self) -> float:
        """Return instances a second."""
        return self.instances / self.seconds

    def cpu_ms(self, name: str) -> str:
        """Return the CPU time for one instance, or a dash where there is no such container."""
        return f"{1000 * self.cpu_seconds[name] / self.instances:.1f}" if name in self.cpu_seconds else "-"


def of_stack(name: str, stack: Stack) -> Archive:
    """Return a deployed stack as an archive that is sent to straight."""
    containers = {service: stack.container(service) for service in ("orthanc", "postgresql")}
    address = stack.container_address("orthanc")
    return Archive(name, address, stack.rest, containers, lambda: settle_database(stack))


def without_tls(copy: ScratchCopy) -> None:
    """Let Orthanc and PostgreSQL talk in the clear."""
    copy.edit("postgresql", "pg_hba.conf", lambda text: text.replace("hostssl", "host   "))
    copy.edit("orthanc", "secrets.json", lambda text: text.replace("sslmode=verify-full", "sslmode=disable"))


def without_plugin(copy: ScratchCopy) -> None:
    """Let Orthanc not look whether an instance that it has arrives with other contents."""
    path = ', "/usr/local/lib/orthanc/conflicting_instances.so"'
    copy.edit("orthanc", "orthanc.json", lambda text: json.dumps(json.loads(text)).replace(path, ""))


@contextmanager
def altered(name: str, stack: Stack, alter: Callable[[ScratchCopy], None]) -> Iterator[Archive]:
    """Run a copy of the stack, empty and changed in one thing."""
    with ScratchCopy(stack, f"bench{os.getpid()}{alter.__name__.replace('_', '')}") as copy:
        alter(copy)
        copy.start(make_database=True)
        yield of_stack(name, copy.as_stack())


@contextmanager
def bare_orthanc(image: str) -> Iterator[Archive]:
    """Run an Orthanc of the same image with SQLite and files, in a volume as the others have."""
    container = f"orthweb-bench-bare-{os.getpid()}"
    with tempfile.TemporaryDirectory(prefix="orthweb-bench-") as folder:
        configuration = Path(folder) / "orthanc.json"
        configuration.write_text(json.dumps(BARE_CONFIGURATION), encoding="utf-8")
        configuration.chmod(0o644)
        Path(folder).chmod(0o755)
        mounts = [f"--volume={folder}:/etc/orthanc:ro", "--volume=/var/lib/orthanc"]
        run(["docker", "run", "--detach", f"--name={container}", "--user=0", "--env=TCP_NODELAY=1", *mounts, image])
        try:
            address = docker_inspect("container", container)["NetworkSettings"]["IPAddress"]
            wait_for(f"http://{address}:8042/system")
            yield Archive(BARE, address, rest_at(f"http://{address}:8042"), {"orthanc": container}, lambda: None)
        finally:
            run(["docker", "rm", "--force", "--volumes", container])


def rest_at(url: str) -> Callable[..., Any]:
    """Return what asks the REST API of an Orthanc without a login."""

    def rest(method: str, path: str, **arguments: Any) -> Any:
        answer = requests.request(method, url + path, timeout=REQUEST_TIMEOUT_SECONDS, **arguments)
        answer.raise_for_status()
        return answer.json()

    return rest


def wait_for(url: str) -> None:
    """Wait until an Orthanc answers. Raises ``BenchmarkError`` after half a minute."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        try:
            if requests.get(url, timeout=5).ok:
                return
        except requests.ConnectionError:
            time.sleep(0.2)
    raise BenchmarkError(f"The bare Orthanc did not answer at {url} within 30 s: docker logs says why.")


def play(archive: Archive, stack: Stack, instances: int, associations: int, scratch: Path) -> Round:
    """Make a study, send it, see that all of it was stored, and delete it."""
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        study = write_study(Path(folder) / "study", instances)
        archive.settle()
        before = archive.cpu_seconds()
        seconds = send(stack, Way(archive.name, archive.address, 4242), study, associations)
        after = archive.cpu_seconds()
        remove(archive, study)
        return Round(instances, seconds, {name: after[name] - before[name] for name in before})


def remove(archive: Archive, study: Study) -> None:
    """Delete the study. Raises ``BenchmarkError`` if not all of it was there."""
    query = {"Level": "Study", "Query": {"StudyInstanceUID": study.uid}}
    stored = 0
    for name in archive.rest("POST", "/tools/find", json=query):
        stored += int(archive.rest("GET", f"/studies/{name}/statistics")["CountInstances"])
        archive.rest("DELETE", f"/studies/{name}")
    if stored != len(study.paths):
        raise BenchmarkError(f"{archive.name}: of {len(study.paths)} instances {stored} were stored.")


def arguments() -> argparse.Namespace:
    """Return the command line's arguments."""
    parser = parser_for(__doc__)
    parser.add_argument("--files-stack", default="files", help="the one with orthweb_storage: filesystem (files)")
    parser.add_argument("--instances", type=int, default=300, help="instances of 0.5 MB a round (300)")
    parser.add_argument("--associations", type=int, nargs="+", default=[1, 4], help="associations in parallel (1 4)")
    return parser.parse_args()


def measure(archives: Sequence[Archive], stack: Stack, chosen: argparse.Namespace) -> int:
    """Send to all in turn and print. Return 1 if a figure misses its aim."""
    lines, missed = [], 0
    ratios = []
    with tempfile.TemporaryDirectory(prefix="orthweb-benchmark-") as scratch:
        for associations in chosen.associations:
            rounds: dict[str, list[Round]] = {archive.name: [] for archive in archives}
            for number in range(1 + chosen.rounds):
                for archive in archives if number % 2 else archives[::-1]:
                    played = play(archive, stack, chosen.instances, associations, Path(scratch))
                    say(f"{associations} association(s), round {number}, {archive.name}: {played.rate:.0f} instances/s")
                    if number:
                        rounds[archive.name].append(played)
            for name, those in rounds.items():
                rates = sorted(one.rate for one in those)
                middle = those[[one.rate for one in those].index(rates[len(rates) // 2])]
                spread = f"{rates[0]:.0f}-{rates[-1]:.0f}"
                cpu = [middle.cpu_ms(each) for each in ("client", "orthanc", "postgresql")]
                lines.append([name, str(associations), f"{median(rates):.0f}", spread, *cpu])
            for name, other, aim in PAIRS:
                pairs = [one.rate / base.rate for one, base in zip(rounds[name], rounds[other], strict=True)]
                ratio = median(pairs)
                said = f"; aim >= {aim}: {verdict(ratio >= aim)}" if aim else ""
                missed |= bool(aim and ratio < aim)
                ratios.append(
                    f"{name} / {other}, {associations} association(s): {ratio:.2f} "
                    f"({min(pairs):.2f}-{max(pairs):.2f}, {len(pairs)} rounds){said}"
                )
    header = ["storage", "associations", "instances/s", "range", "client CPU ms", "orthanc CPU ms", "postgresql CPU ms"]
    print(table(header, lines))
    print("Medians; CPU time is for one instance, of the median round.")
    print("\n".join(ratios))
    return missed


def main() -> int:
    """Measure and print. Return 1 if a figure misses its aim."""
    chosen = arguments()
    stack, files = Stack.deployed(chosen.stack), Stack.deployed(chosen.files_stack)
    image = docker_inspect("container", stack.container("orthanc"))["Config"]["Image"]
    print(f"C-STORE of {chosen.instances} instances of 0.5 MB a round, straight to 4242; {machine()}")
    with (
        bare_orthanc(image) as bare,
        altered(NO_TLS, stack, without_tls) as no_tls,
        altered(NO_PLUGIN, stack, without_plugin) as no_plugin,
    ):
        archives = [of_stack(DATABASE, stack), of_stack(FILES, files), bare, no_tls, no_plugin]
        return measure(archives, stack, chosen)


if __name__ == "__main__":
    exit_with(main)
