# SPDX-License-Identifier: GPL-3.0-or-later
"""C-STORE to two hosts behind the load balancer compared with one of them, in the rehearsal.

Both hosts, the database and the balancer share the processors of this machine: what two hosts cost is seen here, which
is conflicts in the database, and not what a second machine gains. For a round with one host, the other is deregistered
at the DICOM port. Deploying takes minutes; --running uses a rehearsal that is there.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rehearsal.controller import Rehearsal

from .c_store_tls import Way, send
from .common import BenchmarkError, Stack, exit_with, machine, say, spread, table
from .ct_instances import write_study

STACK = "pair"


class Target:
    """The hosts at the DICOM port of the balancer."""

    def __init__(self, rehearsal: Rehearsal) -> None:
        self.elb = rehearsal.client("elbv2")
        self.group = self.at_port(11112)
        # All of them, even if a run that was cut off has left one deregistered there.
        self.hosts = sorted(each["Target"]["Id"] for each in self.health(self.at_port(443)))

    def at_port(self, port: int) -> dict[str, str]:
        groups = self.elb.describe_target_groups(Names=[f"{STACK}-{port}"])["TargetGroups"]
        return {"TargetGroupArn": groups[0]["TargetGroupArn"]}

    def health(self, group: dict[str, str] | None = None) -> list[dict[str, Any]]:
        answer = self.elb.describe_target_health(**(group or self.group))
        found: list[dict[str, Any]] = answer["TargetHealthDescriptions"]
        return found

    def use(self, number: int) -> None:
        """Send to so many of the hosts. Raises ``BenchmarkError`` if the balancer does not within two minutes."""
        self.elb.register_targets(**self.group, Targets=[{"Id": host} for host in self.hosts[:number]])
        used = {each["Target"]["Id"] for each in self.health()}
        if rest := used - set(self.hosts[:number]):
            self.elb.deregister_targets(**self.group, Targets=[{"Id": host} for host in rest])
        end = time.monotonic() + 120
        while [each["TargetHealth"]["State"] for each in self.health()] != ["healthy"] * number:
            if time.monotonic() > end:
                raise BenchmarkError(f"{number} hosts should be healthy, and the balancer says: {self.health()}")
            time.sleep(1)
        time.sleep(3)  # until the stand-in has followed


@contextmanager
def deployed(folder: Path, port: int) -> Iterator[Rehearsal]:
    rehearsal = Rehearsal(folder, port=port, stack=STACK)
    try:
        rehearsal.start("--registry")
        run = rehearsal.play("deploy", "--extra-vars", "orthweb_instance_count=2")
        if run.code:
            raise BenchmarkError(run.errors)
        yield rehearsal
    finally:
        rehearsal.stop()


def measure(rehearsal: Rehearsal, rounds: int, instances: int, associations: int) -> dict[int, list[float]]:
    """Instances a second, by the number of hosts."""
    target, outputs = Target(rehearsal), json.loads((rehearsal.state / STACK / "outputs.json").read_text())
    stack = Stack(STACK, outputs, "", "")
    tls = ["+tls", outputs["client_key"], outputs["client_certificate"], "+cf", outputs["ca_certificate"]]
    way = Way("balancer", outputs["dicom"]["host"], outputs["dicom"]["port"], tls)
    rates: dict[int, list[float]] = {1: [], 2: []}
    for number in range(rounds + 1):
        for hosts in (1, 2) if number % 2 else (2, 1):
            target.use(hosts)
            with tempfile.TemporaryDirectory() as scratch:
                study = write_study(Path(scratch) / "study", instances)
                rate = instances / send(stack, way, study, associations)
            say(f"round {number}, {hosts} hosts: {rate:.0f} instances a second")
            rates[hosts] += [rate] if number else []
    target.use(2)
    return rates


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="pairs that count, after one that does not (5)")
    parser.add_argument("--instances", type=int, default=200, help="instances of 0.5 MB a round (200)")
    parser.add_argument("--associations", type=int, default=4, help="in parallel (4)")
    parser.add_argument("--port", type=int, default=26345, help="of the rehearsal's API")
    parser.add_argument("--running", type=Path, help="folder of a rehearsal with the stack pair that runs at this port")
    return parser.parse_args()


def main() -> int:
    options = arguments()
    say(f"C-STORE to one host and to two, {options.associations} associations; {machine()}")
    wanted = (options.rounds, options.instances, options.associations)
    if options.running:
        rates = measure(Rehearsal(options.running, port=options.port, stack=STACK), *wanted)
    else:
        with (
            tempfile.TemporaryDirectory(prefix="orthweb-benchmark-") as folder,
            deployed(Path(folder), options.port) as rehearsal,
        ):
            rates = measure(rehearsal, *wanted)
    say(table(("hosts", "instances a second"), [(str(hosts), spread(found, 0)) for hosts, found in rates.items()]))
    ratios = [two / one for one, two in zip(rates[1], rates[2], strict=True)]
    say(f"two hosts to one, in turn: {spread(ratios, 2)}")
    return 0


if __name__ == "__main__":
    exit_with(main)
