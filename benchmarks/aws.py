# SPDX-License-Identifier: GPL-3.0-or-later
"""How long it takes to make, to check and to take away everything in an (empty, simulated) AWS account.

In turn: our playbooks, and a boto3 script that makes and reads the same resources. Needs no engine: the API alone is
simulated.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from statistics import median

from rehearsal.controller import Rehearsal

from .aws_boto3 import make_all, read_all
from .common import machine, say, table, verdict

AIM = 60
SKIP = ("--skip-tags", "wait_for_hosts")


class Bench:
    def __init__(self, rehearsal: Rehearsal) -> None:
        self.rehearsal = rehearsal
        self.seconds: dict[tuple[str, str], list[float]] = defaultdict(list)
        self.tasks: dict[str, int] = {}
        self.writes: dict[str, int] = {}

    def play(self, what: str, playbook: str, *arguments: str) -> None:
        run = self.rehearsal.play(playbook, *arguments)
        if run.code:
            sys.exit(f"{what}: exit code {run.code}\n{run.output[-3000:]}")
        self.seconds["playbooks", what].append(run.seconds)
        self.tasks[what] = len(re.findall(r"(?m)^(?:ok|changed): \[", run.output))
        self.writes[what] = len(run.writes)

    def boto3(self, what: str, work: Callable[[Rehearsal], None]) -> None:
        start = time.perf_counter()
        work(self.rehearsal)
        self.seconds["boto3", what].append(time.perf_counter() - start)

    def round(self) -> None:
        self.play("check, nothing there", "provision", "--check", *SKIP)
        self.play("create", "provision", *SKIP)
        self.play("again", "provision", *SKIP)
        self.boto3("again", read_all)
        confirmed = f"orthweb_confirm_teardown={self.rehearsal.stack}"
        self.play("teardown", "teardown", "-e", confirmed, "-e", "orthweb_rds_final_snapshot=false")
        self.rehearsal.reset()
        self.boto3("create", make_all)
        self.rehearsal.reset()

    def report(self) -> int:
        rows = []
        for what, tasks in self.tasks.items():
            own = self.seconds["playbooks", what]
            boto = self.seconds.get(("boto3", what))
            spread = f"{median(own):.1f} ({min(own):.1f} to {max(own):.1f})"
            rows.append([what, spread, f"{median(boto):.2f}" if boto else "", str(tasks), str(self.writes[what])])
        print(table(["medians", "playbooks s", "boto3 s", "tasks with a result", "write calls"], rows))
        slow = median(self.seconds["playbooks", "again"]) > AIM
        print(f"a second run in at most {AIM} s: {verdict(not slow)}")
        silent = not self.writes["again"] and not self.writes["check, nothing there"]
        print(f"no write call on a second run and in check mode: {verdict(silent)}")
        print("Where the time goes: a second of CPU a module, for imports of Ansible and boto3; the API answers in ms.")
        return int(slow or not silent)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory(prefix="orthweb-benchmark-") as name:
        folder = Path(name)
        rehearsal = Rehearsal(folder, port=5590)
        rehearsal.start("--no-stand-ins")
        bench = Bench(rehearsal)
        print(f"Provisioning, {rounds} rounds; {machine()}")
        try:
            for number in range(1, rounds + 1):
                bench.round()
                say(
                    f"round {number}: "
                    + ", ".join(f"{who} {what} {times[-1]:.1f} s" for (who, what), times in bench.seconds.items())
                )
        finally:
            rehearsal.stop()
    return bench.report()


if __name__ == "__main__":
    sys.exit(main())
