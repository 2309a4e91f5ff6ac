# SPDX-License-Identifier: GPL-3.0-or-later
"""WADO-RS of one CT series through the portal, in turn with straight from Orthanc's own HTTPS port, with one client.

The series in one request; and each of its frames in a request of its own, over connections that are kept alive, as a
viewer asks for them. Before, the series is stored; in the end it is deleted. CPU time is per MB delivered.
"""

from __future__ import annotations

import argparse
import base64
import http.client
import queue
import socket
import ssl
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

from .c_store_tls import SERVICES, check, delete, find, send, ways
from .common import (
    BenchmarkError,
    Stack,
    container_cpu_seconds,
    exit_with,
    machine,
    machine_cpu_seconds,
    parser_for,
    say,
    table,
    verdict,
)
from .ct_instances import Study, write_study

AIM = 0.95
CHUNK_BYTES = 1 << 18
TIMEOUT_SECONDS = 300
FRAME = 'multipart/related; type="application/octet-stream"; transfer-syntax=*'  # what OHIF asks for
SERIES = 'multipart/related; type="application/dicom"; transfer-syntax=*'


class Connection(http.client.HTTPSConnection):
    """A connection to an address, with the certificate of the host that is served there."""

    def __init__(self, host: str, address: str, port: int, context: ssl.SSLContext) -> None:
        super().__init__(host, port)
        self._address, self._tls = address, context

    def connect(self) -> None:
        """Open it: also again, after nginx was reloaded and has closed it."""
        raw = socket.create_connection((self._address, self.port), timeout=TIMEOUT_SECONDS)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = self._tls.wrap_socket(raw, server_hostname=self.host)


@dataclass(frozen=True)
class Door:
    """Where DICOMweb is asked for: a container's own address, without Docker's proxy of localhost."""

    name: str
    host: str
    address: str
    port: int
    login: str
    ca_certificate: str

    def connect(self) -> Connection:
        """Return a connection that is open: its handshake is not what is measured here."""
        context = ssl.create_default_context(cafile=self.ca_certificate)
        connection = Connection(self.host, self.address, self.port, context)
        connection.connect()
        return connection

    def get(self, connection: Connection, path: str, accept: str) -> int:
        """Get a path and return how many bytes came. Raises ``BenchmarkError`` if it is refused."""
        connection.request("GET", path, headers={"Authorization": self.login, "Accept": accept})
        answer = connection.getresponse()
        buffer, received = memoryview(bytearray(CHUNK_BYTES)), 0
        while count := answer.readinto(buffer):
            received += count
        if answer.status != 200:
            raise BenchmarkError(f"{self.name} answered {answer.status} to GET {path}: {bytes(buffer[:200])!r}")
        return received


@dataclass(frozen=True)
class Round:
    """One series fetched through one door."""

    size_bytes: int
    seconds: float
    cpu_seconds: dict[str, float]
    others: float  # how many CPUs all the rest of the machine, this client too, kept busy meanwhile

    @property
    def megabytes_per_second(self) -> float:
        """Return the rate in MB (a million bytes)."""
        return self.size_bytes / 1e6 / self.seconds

    def cpu_ms(self, service: str) -> float:
        """Return the CPU time of a service for one MB."""
        return 1000 * self.cpu_seconds[service] / (self.size_bytes / 1e6)


def doors(stack: Stack) -> tuple[Door, Door]:
    """Return the way through the portal and the way straight to Orthanc."""
    login, as_nginx = (
        "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()
        for name, password in ((stack.username, stack.password), ("nginx", stack.nginx_password))
    )
    ca_certificate = stack.outputs["ca_certificate"]
    portal, orthanc = (urlsplit(stack.outputs[output]) for output in ("dicomweb_url", "orthanc_url"))
    return (
        Door(
            "portal", portal.hostname or "", stack.container_address("nginx"), portal.port or 443, login, ca_certificate
        ),
        Door("straight", orthanc.hostname or "", stack.container_address("orthanc"), 8042, as_nginx, ca_certificate),
    )


@contextmanager
def stored_series(stack: Stack, instances: int) -> Iterator[tuple[Study, list[str]]]:
    """Store a study of one series, and delete it in the end. Yields it and the paths of its frames, in DICOMweb."""
    with tempfile.TemporaryDirectory(prefix="orthweb-benchmark-") as scratch:
        study = write_study(Path(scratch) / "study", instances)
        try:
            send(stack, ways(stack, "", 0)[1], study, 2)
            check(stack, study)
            found = stack.rest("GET", f"/studies/{find(stack, study)[0]}/instances")  # /tools/find has a limit
            uids = [one["MainDicomTags"]["SOPInstanceUID"] for one in found]
            yield study, [f"{series_path(study)}/instances/{uid}/frames/1" for uid in uids]
        finally:
            with suppress(BenchmarkError):  # what went wrong first is what is said
                delete(stack, study)


def series_path(study: Study) -> str:
    """Return the path of the study's one series, in DICOMweb."""
    return f"/dicom-web/studies/{study.uid}/series/{study.series_uid}"


def fetch_series(door: Door, study: Study, frames: Sequence[str], connections: int) -> tuple[int, float]:
    """Get the series in one request, and return the bytes and the seconds it took."""
    del frames, connections
    connection = door.connect()
    start = time.perf_counter()
    received = door.get(connection, series_path(study), SERIES)
    seconds = time.perf_counter() - start
    connection.close()
    return received, seconds


def fetch_frames(door: Door, study: Study, frames: Sequence[str], connections: int) -> tuple[int, float]:
    """Get each frame in a request of its own, and return the bytes and the seconds it took."""
    del study
    left: queue.SimpleQueue[str] = queue.SimpleQueue()
    for path in frames:
        left.put(path)
    received: list[int] = []
    wrong: list[Exception] = []

    def work(connection: Connection) -> None:
        try:
            while True:
                received.append(door.get(connection, left.get_nowait(), FRAME))
        except queue.Empty:
            connection.close()
        except (OSError, http.client.HTTPException, BenchmarkError) as error:
            wrong.append(error)

    opened = [door.connect() for _unused in range(connections)]
    workers = [threading.Thread(target=work, args=(connection,)) for connection in opened]
    start = time.perf_counter()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    seconds = time.perf_counter() - start
    if wrong or len(received) != len(frames):
        raise BenchmarkError(f"{len(received)} of {len(frames)} frames came through {door.name}: {wrong}")
    return sum(received), seconds


Fetch = Callable[[Door, Study, Sequence[str], int], tuple[int, float]]
FETCHES: dict[str, Fetch] = {"series": fetch_series, "frames": fetch_frames}


def play(stack: Stack, door: Door, what: str, study: Study, frames: Sequence[str], connections: int) -> Round:
    """Fetch everything through one door."""
    before, machine_before = [container_cpu_seconds(stack.container(name)) for name in SERVICES], machine_cpu_seconds()
    received, seconds = FETCHES[what](door, study, frames, connections)
    machine_after, after = machine_cpu_seconds(), [container_cpu_seconds(stack.container(name)) for name in SERVICES]
    pixels = len(study.paths) * (1 << 19)
    if received < pixels:
        raise BenchmarkError(f"Of {pixels} bytes of pixels {received} came through {door.name}: not the whole series.")
    used = {name: late - early for name, late, early in zip(SERVICES, after, before, strict=True)}
    return Round(received, seconds, used, (machine_after - machine_before - sum(used.values())) / seconds)


def compare(
    stack: Stack, what: str, study: Study, frames: Sequence[str], chosen: argparse.Namespace
) -> list[tuple[Round, Round]]:
    """Fetch through both doors in turn, and return the pairs without the first, which warms up."""
    pairs = []
    both = doors(stack)
    for number in range(1 + chosen.rounds):
        order = both if number % 2 else both[::-1]
        played = {door.name: play(stack, door, what, study, frames, chosen.connections) for door in order}
        portal, straight = (played[door.name] for door in both)
        say(
            f"{what}, pair {number}: {portal.megabytes_per_second:.1f} MB/s through the portal, "
            f"{straight.megabytes_per_second:.1f} MB/s straight, ratio {straight.seconds / portal.seconds:.2f}"
            f"{'' if number else ', does not count'}"
        )
        if number:
            pairs.append((portal, straight))
    return pairs


def rows(what: str, pairs: Sequence[tuple[Round, Round]]) -> list[list[str]]:
    """Return the two lines of the table for one way of asking."""
    lines = []
    for column, name in enumerate(("portal", "straight")):
        played = [pair[column] for pair in pairs]
        rates = sorted(one.megabytes_per_second for one in played)
        lines.append(
            [
                f"{what}, {name}",
                str(len(played)),
                f"{median(rates):.1f}",
                f"{rates[0]:.0f}-{rates[-1]:.0f}",
                f"{median(one.seconds for one in played):.2f}",
                f"{median(one.others for one in played):.2f}",
                *(f"{median(one.cpu_ms(service) for one in played):.2f}" for service in SERVICES),
            ]
        )
    return lines


def arguments() -> argparse.Namespace:
    """Return the command line's arguments."""
    parser = parser_for(__doc__, of="pairs of rounds")
    parser.add_argument("--slices", type=int, default=500, help="slices of the series, 0.5 MB each (500)")
    parser.add_argument("--connections", type=int, default=6, help="connections for the frames (6)")
    return parser.parse_args()


def main() -> int:
    """Measure and print. Return 1 if a figure misses its aim."""
    chosen = arguments()
    stack = Stack.deployed(chosen.stack)
    print(f"WADO-RS of {chosen.slices} CT slices of 0.5 MB, frames over {chosen.connections} connections; {machine()}")
    with stored_series(stack, chosen.slices) as (study, frames):
        pairs = {what: compare(stack, what, study, frames, chosen) for what in FETCHES}
    cpu = [f"{service} CPU ms/MB" for service in SERVICES]
    lines = [line for what, of_what in pairs.items() for line in rows(what, of_what)]
    print(table(["what", "rounds", "MB/s", "range", "seconds", "others", *cpu], lines))
    print("Medians; others: CPUs that the rest of the machine, this client too, kept busy.")
    missed = False
    for what, of_what in pairs.items():
        ratios = [straight.seconds / portal.seconds for portal, straight in of_what]
        missed |= median(ratios) < AIM
        print(
            f"portal / straight, {what}: {median(ratios):.2f} (median of {len(ratios)} pairs, "
            f"{min(ratios):.2f}-{max(ratios):.2f}); aim >= {AIM}: {verdict(median(ratios) >= AIM)}"
        )
    return int(missed)


if __name__ == "__main__":
    exit_with(main)
