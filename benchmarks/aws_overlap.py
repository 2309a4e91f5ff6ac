# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether what can be waited for together is waited for together: a first deployment in the rehearsal.

RDS takes 480 s and an instance 40 s on AWS; both are scaled down by --scale. The wall time is set against the longest
single path: through the database (ask, wait, what comes after it) or through the host (ask, wait, configure, what comes
after the database). One run needs the engine, the images and some minutes.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from statistics import median

from rehearsal.controller import Rehearsal, Run

from .common import machine, say, verdict

AIM = 1.15
DATABASE_SECONDS, INSTANCE_SECONDS = 480, 40


def call_at(run: Run, action: str) -> float:
    """Seconds from the start of the run to the end of the first call of that name."""
    call = next(one for one in run.calls if one["action"] == action)
    return call["time"] + call["ms"] / 1000 - run.began


def task_at(run: Run, words: str) -> float:
    return next(seconds for seconds, name in run.tasks if words in name)


def one_run(scale: float, port: int) -> tuple[float, float, float]:
    """Deploy once. Wall time, the path through the database and the path through the host, in seconds."""
    with tempfile.TemporaryDirectory(prefix="orthweb-benchmark-") as folder:
        rehearsal = Rehearsal(Path(folder), port=port, stack="overlap")
        database, instance = DATABASE_SECONDS * scale, INSTANCE_SECONDS * scale
        rehearsal.start("--registry", f"--database-seconds={database}", f"--instance-seconds={instance}")
        try:
            run = rehearsal.play("deploy")
        finally:
            rehearsal.stop()
        if run.code:
            sys.exit(run.errors)
        asked, launched = (call_at(run, action) for action in ("CreateDBInstance", "RunInstances"))
    after = run.seconds - task_at(run, "wait | Check that the database is available")
    configure = task_at(run, "wait | Wait until RDS is ready") - task_at(run, "Wait for SSH")
    through_database = asked + database + after
    through_host = launched + instance + configure + after
    return run.seconds, through_database, through_host


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--scale", type=float, default=0.25)
    parser.add_argument("--port", type=int, default=5592)
    options = parser.parse_args()
    print(f"First deployment in the rehearsal, delays x {options.scale}, {options.rounds} rounds; {machine()}")
    ratios = []
    for number in range(1, options.rounds + 1):
        wall, database, host = one_run(options.scale, options.port)
        ratios.append(wall / max(database, host))
        say(f"round {number}: wall {wall:.0f} s, by the database {database:.0f} s, by the host {host:.0f} s")
    print(f"wall / longest path: median {median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")
    print(f"aim <= {AIM}: {verdict(median(ratios) <= AIM)}")
    return int(median(ratios) > AIM)


if __name__ == "__main__":
    sys.exit(main())
