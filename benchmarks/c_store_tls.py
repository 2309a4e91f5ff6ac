# SPDX-License-Identifier: GPL-3.0-or-later
"""C-STORE through nginx (mutual TLS) compared with C-STORE straight to Orthanc's 4242, on the same stack.

Both ways are taken in turn, so that whatever else the machine does hits both. Only the sending is timed: from the
start of the first storescu to the end of the last one. After each round the archive is asked how many instances it
has, and the study is deleted again; before each one the database clears away what was deleted. Where others work on
the same machine, --quiet repeats what they disturbed.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from .common import (
    BenchmarkError,
    Stack,
    container_cpu_seconds,
    exit_with,
    machine,
    machine_cpu_seconds,
    parser_for,
    say,
    settle_database,
    table,
    verdict,
    wait_for_quiet,
)
from .ct_instances import Study, write_study

AIM = 0.95
PATIENCE = 12  # with --quiet: pairs that are tried for each one that counts
SERVICES = ("nginx", "orthanc", "postgresql")
ENLARGED = 6  # times the rows and columns of a CT slice: 19 MB


@dataclass(frozen=True)
class Way:
    """A way into the archive, as storescu's arguments."""

    name: str
    host: str
    port: int
    tls: Sequence[str] = ()


@dataclass(frozen=True)
class Case:
    """What is sent in one round, and over how many associations."""

    instances: int
    enlarged: int
    associations: int

    @property
    def name(self) -> str:
        """Return what is sent, as the table says it."""
        return "0.5 MB" if self.enlarged == 1 else "19 MB"


@dataclass(frozen=True)
class Round:
    """One study sent one way."""

    instances: int
    size_bytes: int
    seconds: float
    cpu_seconds: dict[str, float]  # by service; "client" is storescu
    others: float  # how many CPUs all the rest of the machine kept busy meanwhile

    @property
    def instances_per_second(self) -> float:
        """Return the rate in instances."""
        return self.instances / self.seconds

    @property
    def megabytes_per_second(self) -> float:
        """Return the rate in MB (a million bytes)."""
        return self.size_bytes / 1e6 / self.seconds

    def cpu_ms(self, name: str) -> float:
        """Return the CPU time of a service for one instance."""
        return 1000 * self.cpu_seconds[name] / self.instances


def ways(stack: Stack, host: str, port: int) -> tuple[Way, Way]:
    """Return the way through nginx and the way straight to Orthanc."""
    outputs = stack.outputs
    tls = ["+tls", outputs["client_key"], outputs["client_certificate"], "+cf", outputs["ca_certificate"]]
    through = Way("nginx, mutual TLS", host, port, tls)
    return through, Way("straight", stack.container_address("orthanc"), 4242)


def send(stack: Stack, way: Way, study: Study, associations: int) -> float:
    """Send a study over as many associations in parallel, and return the seconds it took."""
    outputs = stack.outputs
    command = ["storescu", *way.tls, "-aet", outputs["client_aet"], "-aec", outputs["dicom"]["aet"], "--required"]
    commands = [
        [*command, way.host, str(way.port), *map(str, study.paths[number::associations])]
        for number in range(associations)
    ]
    # DCMTK leaves Nagle on: without this, every small PDV waits for a delayed acknowledgement.
    environment = {**os.environ, "TCP_NODELAY": "1"}
    start = time.perf_counter()
    senders = [
        subprocess.Popen(argv, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for argv in commands
    ]
    said = [sender.communicate()[0] for sender in senders]
    seconds = time.perf_counter() - start
    for sender, output in zip(senders, said, strict=True):
        if sender.returncode:
            raise BenchmarkError(f"storescu to {way.host}:{way.port} ended with {sender.returncode}: {output.strip()}")
    return seconds


def check(stack: Stack, study: Study) -> None:
    """See that each instance of the study was stored once. Raises ``BenchmarkError``."""
    names = find(stack, study)
    stored = sum(int(stack.rest("GET", f"/studies/{name}/statistics")["CountInstances"]) for name in names)
    if stored != len(study.paths):
        raise BenchmarkError(f"Of {len(study.paths)} instances {stored} were stored: the round is worth nothing.")


def find(stack: Stack, study: Study) -> list[str]:
    """Return Orthanc's names for the study: one, or none if nothing of it is stored."""
    query = {"Level": "Study", "Query": {"StudyInstanceUID": study.uid}}
    return [str(name) for name in stack.rest("POST", "/tools/find", json=query)]


def delete(stack: Stack, study: Study) -> None:
    """Delete what is stored of the study."""
    for name in find(stack, study):
        stack.rest("DELETE", f"/studies/{name}")


def cpu_seconds(stack: Stack) -> dict[str, float]:
    """Return the CPU time used so far, by service and by our own ended children (storescu)."""
    used = {service: container_cpu_seconds(stack.container(service)) for service in SERVICES}
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {"client": children.ru_utime + children.ru_stime, **used}


def play(stack: Stack, way: Way, case: Case, scratch: Path) -> Round:
    """Make a study, send it, check it and delete it."""
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        study = write_study(Path(folder) / "study", case.instances, case.enlarged)
        settle_database(stack)
        before, machine_before = cpu_seconds(stack), machine_cpu_seconds()
        try:
            seconds = send(stack, way, study, case.associations)
            machine_after, after = machine_cpu_seconds(), cpu_seconds(stack)
            check(stack, study)
        except BenchmarkError:
            with suppress(BenchmarkError):  # what went wrong first is what is said
                delete(stack, study)
            raise
        delete(stack, study)
        used = {name: after[name] - before[name] for name in before}
        others = (machine_after - machine_before - sum(used.values())) / seconds
        return Round(case.instances, study.size_bytes, seconds, used, others)


def compare(
    stack: Stack, both: tuple[Way, Way], chosen: argparse.Namespace, case: Case, scratch: Path
) -> list[tuple[Round, Round]]:
    """Send both ways in turn, and return the pairs (through nginx, straight) without the first, which warms up.

    Pairs in which others kept the machine busier than ``chosen.quiet`` do not count, and are repeated.
    """
    pairs: list[tuple[Round, Round]] = []
    for number in range(1 + chosen.rounds * (1 if chosen.quiet is None else PATIENCE)):
        # Each second pair the other way round: what the archive's state costs is not always on the same one.
        order = both if number % 2 else both[::-1]
        if chosen.quiet is not None:
            wait_for_quiet(chosen.quiet)
        played = {way.name: play(stack, way, case, scratch) for way in order}
        through, straight = (played[way.name] for way in both)
        others = max(through.others, straight.others)
        counts = number > 0 and (chosen.quiet is None or others <= chosen.quiet)
        say(
            f"{case.name}, {case.associations} association(s), pair {number}: "
            f"{through.megabytes_per_second:.1f} MB/s through nginx, {straight.megabytes_per_second:.1f} straight, "
            f"ratio {straight.seconds / through.seconds:.2f}, "
            f"others use {others:.2f} CPUs{'' if counts else ', does not count'}"
        )
        if counts:
            pairs.append((through, straight))
        if len(pairs) == chosen.rounds:
            return pairs
    raise BenchmarkError(
        f"The machine is too busy: only {len(pairs)} of {chosen.rounds} pairs were quiet. Try again later."
    )


def rows(both: tuple[Way, Way], case: Case, pairs: Sequence[tuple[Round, Round]]) -> list[list[str]]:
    """Return the two lines of the table for one case."""
    lines = []
    for column, way in enumerate(both):
        played = [pair[column] for pair in pairs]
        rates = sorted(one.instances_per_second for one in played)
        lines.append(
            [
                way.name,
                case.name,
                str(case.associations),
                str(len(played)),
                f"{median(rates):.1f}",
                f"{rates[0]:.1f}-{rates[-1]:.1f}",
                f"{median(one.megabytes_per_second for one in played):.1f}",
                f"{median(one.others for one in played):.2f}",
                *(f"{median(one.cpu_ms(name) for one in played):.2f}" for name in ("client", *SERVICES)),
            ]
        )
    return lines


def arguments() -> argparse.Namespace:
    """Return the command line's arguments."""
    parser = parser_for(__doc__, of="pairs of rounds")
    parser.add_argument("--instances", type=int, default=500, help="instances of 0.5 MB a round (500); 0 for none")
    parser.add_argument("--large", type=int, default=16, help="instances of 19 MB a round (16); 0 for none")
    parser.add_argument("--associations", type=int, nargs="+", default=[1, 8], help="associations in parallel (1 8)")
    parser.add_argument(
        "--quiet", type=float, metavar="CPUS", help="repeat pairs in which others used more CPUs than this"
    )
    parser.add_argument("--host", help="where nginx is reached; its container's own address if not given")
    parser.add_argument("--port", type=int, help="its port; the stack's own if not given")
    return parser.parse_args()


def main() -> int:
    """Measure and print. Return 1 if a figure misses its aim."""
    chosen = arguments()
    if not shutil.which("storescu"):
        raise BenchmarkError("There is no storescu here: apt-get install dcmtk.")
    stack = Stack.deployed(chosen.stack)
    dicom = stack.outputs["dicom"]
    both = ways(stack, chosen.host or stack.container_address("nginx"), chosen.port or dicom["port"])
    cases = [
        Case(instances, enlarged, associations)
        for instances, enlarged in ((chosen.instances, 1), (chosen.large, ENLARGED))
        for associations in chosen.associations
        if instances
    ]
    print(f"C-STORE of {chosen.instances} instances of 0.5 MB or {chosen.large} of 19 MB a round; {machine()}")
    lines, ratios = [], {}
    with tempfile.TemporaryDirectory(prefix="orthweb-benchmark-") as scratch:
        for case in cases:
            pairs = compare(stack, both, chosen, case, Path(scratch))
            lines += rows(both, case, pairs)
            ratios[case] = [straight.seconds / through.seconds for through, straight in pairs]
    cpu = [f"{name} CPU ms" for name in ("client", *SERVICES)]
    print(table(["way", "of", "associations", "rounds", "instances/s", "range", "MB/s", "others", *cpu], lines))
    print("Medians; CPU time is for one instance, and what the client's exceeds the one straight by is its own TLS;")
    print("others: CPUs that the rest of the machine kept busy.")
    for case, of_pairs in ratios.items():
        ratio = median(of_pairs)
        print(
            f"TLS / straight, {case.name}, {case.associations} association(s): {ratio:.2f} "
            f"(median of {len(of_pairs)} pairs, {min(of_pairs):.2f}-{max(of_pairs):.2f}); "
            f"aim >= {AIM}: {verdict(ratio >= AIM)}"
        )
    return int(any(median(of_pairs) < AIM for of_pairs in ratios.values()))


if __name__ == "__main__":
    exit_with(main)
