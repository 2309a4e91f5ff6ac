# SPDX-License-Identifier: GPL-3.0-or-later
"""What backups cost, and how long they and a restore take.

C-STORE straight to port 4242, in turn to a stack whose WAL is archived and to one whose WAL is not. Then the first one
is filled, backed up, drilled and restored in place. Both must be deployed: `make benchmark-backup` does it, with a
folder on the same disk as the repository, so that the disk is busier than with a repository elsewhere.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .c_store_tls import Way, send
from .common import Stack, exit_with, machine, parser_for, run, say, spread, table
from .ct_instances import write_study
from .ingest import Archive, of_stack, play

ARCHIVED, NOT_ARCHIVED = "archived", "not archived"
STUDY = 400  # instances of 0.5 MB


def arguments() -> argparse.Namespace:
    """Return the command line's arguments."""
    parser = parser_for(__doc__, rounds=10)
    parser.add_argument("--without", default="unarchived", help="the stack without a repository (unarchived)")
    parser.add_argument("--arguments", default="", help="with which the stack was deployed, as make takes them in ARGS")
    parser.add_argument("--instances", type=int, default=300, help="instances of 0.5 MB a round (300)")
    parser.add_argument("--gigabytes", type=float, default=4, help="of images, for what is timed (4)")
    return parser.parse_args()


def ratio(archives: tuple[Archive, Archive], stack: Stack, chosen: argparse.Namespace, scratch: Path) -> str:
    """Return how fast images are stored with archiving, compared with none."""
    ratios = []
    for number in range(1 + chosen.rounds):
        rates = {}
        for archive in archives if number % 2 else archives[::-1]:
            rates[archive.name] = play(archive, stack, chosen.instances, 1, scratch).rate
            say(f"round {number}, {archive.name}: {rates[archive.name]:.0f} instances/s")
        if number:
            ratios.append(rates[ARCHIVED] / rates[NOT_ARCHIVED])
    return f"C-STORE, {ARCHIVED} / {NOT_ARCHIVED}: {spread(ratios, 2)}, {len(ratios)} rounds"


def fill(archive: Archive, stack: Stack, megabytes: float, scratch: Path) -> None:
    """Store as much."""
    stored = 0.0
    while stored < megabytes:
        with tempfile.TemporaryDirectory(dir=scratch) as folder:
            study = write_study(Path(folder) / "study", STUDY)
            send(stack, Way(archive.name, archive.address, 4242), study, 4)
            stored += study.size_bytes / 1e6
        say(f"{stored:.0f} MB stored")


def back_up(stack: Stack, kind: str) -> list[str]:
    """Make one, and return its line."""
    said = json.loads(run(["docker", "exec", stack.container("backup"), "backup", "now", kind]))
    [made] = said["made"].values()
    return [f"{kind} backup", f"{made['seconds']}", f"{made['size'] / 1e6:.0f}", f"{made['stored'] / 1e6:.0f}"]


def timed(name: str, act: Callable[[], Any]) -> list[str]:
    """Return the line of what has no size."""
    begun = time.perf_counter()
    act()
    return [name, f"{time.perf_counter() - begun:.0f}", "-", "-"]


def main() -> int:
    """Measure and print."""
    chosen = arguments()
    stack, without = Stack.deployed(chosen.stack), Stack.deployed(chosen.without)
    archives = (of_stack(ARCHIVED, stack), of_stack(NOT_ARCHIVED, without))
    print(f"Backups into a folder on the same disk; {machine()}")
    drill = ["docker", "exec", stack.container("backup"), "backup", "drill"]
    restore = ["make", "restore", f"ARGS={chosen.arguments} -e backup_confirm_restore={stack.name}"]
    with tempfile.TemporaryDirectory(prefix="orthweb-benchmark-") as scratch:
        print(ratio(archives, stack, chosen, Path(scratch)))
        fill(archives[0], stack, chosen.gigabytes * 1000, Path(scratch))
        lines = [back_up(stack, "full")]
        fill(archives[0], stack, STUDY * 0.5, Path(scratch))
        lines += [back_up(stack, "incr"), back_up(stack, "incr")]
    lines.append(timed("drill, each instance compared", lambda: run(drill)))
    lines.append(timed("make restore in place, with checks", lambda: run(restore, env={"ORTHWEB_STACK": stack.name})))
    print(table(["what", "seconds", "MB in the database", "MB stored"], lines))
    return 0


if __name__ == "__main__":
    exit_with(main)
