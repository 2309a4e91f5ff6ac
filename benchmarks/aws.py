# SPDX-License-Identifier: GPL-3.0-or-later
"""How long it takes to make, to check and to take away everything in an (empty, simulated) AWS account.

Side by side, in turn: our playbooks in three lanes; the same tasks one after the other; a boto3 script that makes and
reads the same resources. Needs no engine: the API alone is simulated.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from statistics import median

import yaml

from rehearsal.controller import Rehearsal

from .aws_boto3 import make_all, read_all
from .common import REPOSITORY, machine, say, table, verdict

AIM = 0.65
SKIP = ("--skip-tags", "wait_for_hosts")


def linear_inventory(folder: Path) -> Path:
    """The rehearsal's inventory with all lanes on one host."""
    source, target = REPOSITORY / "inventory" / "rehearsal", folder / "linear"
    target.mkdir()
    hosts = yaml.safe_load((source / "hosts.yml").read_text())["all"]["children"]["aws_account"]["hosts"]
    lanes = [lane for host in hosts.values() for lane in host["orthweb_aws_lanes"]]
    for part in ("group_vars", "imaging.aws_ec2.yml"):
        (target / part).symlink_to(source / part)
    (target / "hosts.yml").write_text(
        "all:\n  children:\n    imaging: {}\n    database: {}\n    aws_account:\n      hosts:\n        account:\n"
        f"          orthweb_aws_lanes: {json.dumps(lanes)}\n          ansible_connection: local\n"
        "          ansible_python_interpreter: '{{ ansible_playbook_python }}'\n"
    )
    return target


class Bench:
    def __init__(self, rehearsal: Rehearsal, inventories: dict[str, str]) -> None:
        self.rehearsal, self.inventories = rehearsal, inventories
        self.seconds: dict[tuple[str, str], list[float]] = defaultdict(list)
        self.writes: dict[tuple[str, str], int] = {}

    def play(self, who: str, what: str, playbook: str, *arguments: str) -> None:
        run = self.rehearsal.play(playbook, *arguments, inventory=self.inventories[who])
        if run.code:
            sys.exit(f"{who}, {what}: exit code {run.code}\n{run.output[-3000:]}")
        self.seconds[who, what].append(run.seconds)
        self.writes[who, what] = len(run.writes)

    def once(self) -> None:
        """What has no lanes to speak of: a check of an empty account, and a teardown."""
        self.play("lanes", "check, nothing there", "provision", "--check", *SKIP)
        self.play("lanes", "create for the teardown", "provision", *SKIP)
        confirmed = (
            "-e",
            f"orthweb_confirm_teardown={self.rehearsal.stack}",
            "-e",
            "orthweb_rds_final_snapshot=false",
        )
        self.play("lanes", "teardown", "teardown", *confirmed)
        self.rehearsal.reset()

    def round(self) -> None:
        for who in self.inventories:
            self.play(who, "create", "provision", *SKIP)
            self.play(who, "again", "provision", *SKIP)
            if who == "lanes":
                start = time.perf_counter()
                read_all(self.rehearsal)
                self.seconds["boto3", "again"].append(time.perf_counter() - start)
            self.rehearsal.reset()
        start = time.perf_counter()
        make_all(self.rehearsal)
        self.seconds["boto3", "create"].append(time.perf_counter() - start)
        self.rehearsal.reset()

    def pairs(self, what: str) -> list[float]:
        """Lanes to one by one, round by round."""
        return [
            lanes / linear
            for lanes, linear in zip(self.seconds["lanes", what], self.seconds["linear", what], strict=True)
        ]

    def report(self) -> int:
        rows = []
        for what in ("create", "again"):
            lanes, linear, boto = (median(self.seconds[who, what]) for who in ("lanes", "linear", "boto3"))
            pairs = self.pairs(what)
            ratio = f"{median(pairs):.2f} ({min(pairs):.2f} to {max(pairs):.2f})"
            rows.append([what, f"{lanes:.1f}", f"{linear:.1f}", ratio, f"{boto:.2f}", f"{lanes / boto:.0f}"])
        for what in ("check, nothing there", "teardown"):
            rows.append([f"{what} (once)", f"{self.seconds['lanes', what][0]:.1f}", "", "", "", ""])
        calls = [str(self.writes["lanes", row[0].removesuffix(" (once)")]) for row in rows]
        header = ["medians", "lanes s", "one by one s", "lanes/one by one", "boto3 s", "lanes/boto3", "write calls"]
        print(table(header, [[*row, number] for row, number in zip(rows, calls, strict=True)]))
        missed = any(median(self.pairs(what)) > AIM for what in ("create", "again"))
        print(f"create and again at most {AIM} of one by one: {verdict(not missed)}")
        silent = not self.writes["lanes", "again"] and not self.writes["lanes", "check, nothing there"]
        print(f"no write call on a second run and in check mode: {verdict(silent)}")
        print("Where the time goes: a second of CPU a task, for imports of Ansible and boto3; the API answers in ms.")
        return int(missed or not silent)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory(prefix="orthweb-benchmark-") as name:
        folder = Path(name)
        rehearsal = Rehearsal(folder, port=5590)
        rehearsal.start("--no-stand-ins")
        bench = Bench(rehearsal, {"lanes": "inventory/rehearsal", "linear": str(linear_inventory(folder))})
        print(f"Provisioning, {rounds} rounds; {machine()}")
        try:
            bench.once()
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
