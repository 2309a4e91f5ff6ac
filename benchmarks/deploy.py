# SPDX-License-Identifier: GPL-3.0-or-later
"""How long `make deploy` takes.

--warm  the second run, which changes nothing, in turn with starting the same three containers by hand
--cold  the first run, in a fresh copy with a new virtual environment and all images built again, or from the log of
        one: what `time make deploy` printed
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from .ansible_log import ALL_TASKS, DeployLog, Task, read_log
from .by_hand import SERVICES, ScratchCopy
from .common import BenchmarkError, Stack, exit_with, machine, run, say, table, verdict
from .fresh_copy import fresh_copy

WARM_AIM_SECONDS = 40
COLD_AIM_SHARE = 0.8
SLOWEST = 10
# Beginnings of the names of tasks that download packages or build images. All else is our own work.
FETCH_AND_BUILD = ("Install ", "Make the base image", "Build the images", "Load the images")


def warm(stack: Stack, rounds: int, extra: str) -> int:
    """Time the second `make deploy` and the start by hand in turn. Return 1 if an aim is missed."""
    print(f"Second `make deploy`; {machine()}")
    walls, logs, empty, kept = [], [], [], []
    with ScratchCopy(stack, f"bench{os.getpid()}") as scratch:
        for number in range(1, rounds + 1):
            start = time.perf_counter()
            logs.append(
                read_log(run(["make", "deploy", f"ARGS={extra}"], env={"ORTHWEB_STACK": stack.name, **ALL_TASKS}))
            )
            walls.append(time.perf_counter() - start)
            empty.append(scratch.start(make_database=True))
            scratch.stop()
            kept.append(scratch.start(make_database=False))
            scratch.remove_data()
            say(
                f"round {number}: make deploy {walls[-1]:.1f} s, changed={logs[-1].changed}; "
                f"by hand {sum(empty[-1].values()):.1f} s on empty volumes, {sum(kept[-1].values()):.1f} s on kept ones"
            )
    print_warm(walls, logs, empty, kept)
    return int(median(walls) > WARM_AIM_SECONDS or any(log.changed for log in logs))


def print_warm(
    walls: Sequence[float],
    logs: Sequence[DeployLog],
    empty: Sequence[dict[str, float]],
    kept: Sequence[dict[str, float]],
) -> None:
    """Print the figures of the warm runs."""
    rows = [_spread("make deploy, second run", walls)]
    for name, starts in (("by hand, empty volumes", empty), ("by hand, kept volumes", kept)):
        rows.append(_spread(name, [sum(start.values()) for start in starts]))
        rows += [_spread(f"  {service}", [start[service] for start in starts]) for service in SERVICES]
    print(table(["", "rounds", "median s", "range"], rows))
    wall = median(walls)
    by_hand = median(sum(start.values()) for start in kept)
    print(f"make deploy / by hand on kept volumes: {wall / by_hand:.1f}")
    print(f"aim <= {WARM_AIM_SECONDS} s: {verdict(wall <= WARM_AIM_SECONDS)}")
    changed = sorted({name for log in logs for name in log.changed_tasks})
    print(f"PLAY RECAP changed=0 each time: {verdict(not changed)} {', '.join(changed)}".rstrip())
    print_where(logs, wall)


def print_where(logs: Sequence[DeployLog], wall: float) -> None:
    """Print the seconds by role and of the slowest tasks, as medians over the runs."""
    by_role = [log.seconds_by_role() for log in logs]
    roles = [[role, f"{median(one.get(role, 0) for one in by_role):.1f}"] for role in by_role[0]]
    roles.append(["make, ansible's start", f"{wall - median(log.playbook_seconds for log in logs):.1f}"])
    print("\n" + table(["role", "s"], roles))
    names = dict.fromkeys(task.name for task in logs[0].tasks)
    seconds = {name: median(_seconds_of(log, name) for log in logs) for name in names}
    slowest = sorted(seconds.items(), key=lambda item: -item[1])[:SLOWEST]
    print("\n" + table(["slowest tasks", "s"], [[name, f"{value:.1f}"] for name, value in slowest]))


def cold(log: Path | None) -> int:
    """Print where the time of a first `make deploy` went; run it if there is no log. Return 1 if the aim is missed."""
    if log is None:
        log = Path(time.strftime("/tmp/orthweb-cold-%Y%m%dT%H%M%S.log"))
        print(f"First `make deploy`; {machine()}")
        say(f"this takes minutes; its output goes to {log}")
        with fresh_copy() as copy:
            copy.deploy(log)
    deployed = read_log(log.read_text(encoding="utf-8", errors="replace"))
    if deployed.real_seconds is None:
        raise BenchmarkError(f"{log} has no line `real`: make it with `(time make deploy) > {log} 2>&1` in bash.")
    fetched = [task for task in deployed.tasks if _fetches_or_builds(task)]
    environment = deployed.real_seconds - deployed.playbook_seconds
    fetching = sum(task.seconds for task in fetched)
    rest = deployed.real_seconds - environment - fetching
    total = deployed.real_seconds
    parts = {
        "virtual environment (pip)": environment,
        "packages and images": fetching,
        "everything else": rest,
        "total": total,
    }
    print(table(["", "s", "share"], [[name, f"{s:.0f}", f"{s / total:.0%}"] for name, s in parts.items()]))
    share = 1 - rest / total
    print(f"{total / 60:.1f} minutes; downloads and builds {share:.0%}, aim > {COLD_AIM_SHARE:.0%}: ", end="")
    print(verdict(share > COLD_AIM_SHARE))
    slowest = sorted(deployed.tasks, key=lambda task: -task.seconds)[:SLOWEST]
    print("\n" + table(["slowest tasks", "s"], [[task.name, f"{task.seconds:.1f}"] for task in slowest]))
    return int(share <= COLD_AIM_SHARE)


def _fetches_or_builds(task: Task) -> bool:
    return task.name.rpartition(" | ")[2].startswith(FETCH_AND_BUILD)


def _seconds_of(log: DeployLog, name: str) -> float:
    return sum(task.seconds for task in log.tasks if task.name == name)


def _spread(name: str, seconds: Sequence[float]) -> list[str]:
    return [name, str(len(seconds)), f"{median(seconds):.1f}", f"{min(seconds):.1f}-{max(seconds):.1f}"]


def arguments() -> argparse.Namespace:
    """Return the command line's arguments."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--warm", action="store_true", help="the second run (the default)")
    which.add_argument("--cold", action="store_true", help="the first run")
    parser.add_argument("--log", type=Path, help="with --cold: read this instead of deploying")
    parser.add_argument("--stack", default="orthweb", help="with --warm: name of the stack, which must be deployed")
    parser.add_argument("--rounds", type=int, default=5, help="with --warm: how often (5)")
    parser.add_argument("--args", default="", help="with --warm: the ARGS that the stack was deployed with")
    return parser.parse_args()


def main() -> int:
    """Measure and print. Return 1 if a figure misses its aim."""
    chosen = arguments()
    if chosen.cold:
        return cold(chosen.log)
    return warm(Stack.deployed(chosen.stack), chosen.rounds, chosen.args)


if __name__ == "__main__":
    exit_with(main)
