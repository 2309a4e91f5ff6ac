# SPDX-License-Identifier: GPL-3.0-or-later
"""C-STORE through nginx with the library that writes events for the audit trail, in turn with the same without it.

One stack is measured. In its container of Orthanc, the library is covered by an empty file and Orthanc is ended, which
starts it again without the library; the other way round in the same way. Every second pair begins with what the last
one ended with. After each start some images are sent that do not count. It needs root. No association may be open.
"""

from __future__ import annotations

import argparse
import re
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from statistics import median

from .c_store_tls import Case, Round, Way, delete, play, send, ways
from .common import (
    BenchmarkError,
    Stack,
    docker_inspect,
    exit_with,
    machine,
    parser_for,
    run,
    say,
    spread,
    table,
    verdict,
)
from .ct_instances import write_study

AIM = 1.05  # seconds with the library to seconds without
LIBRARY = "/usr/local/lib/orthanc/dicom_events.so"
WITH, WITHOUT = "with", "without"
WARM_UP_INSTANCES = 40
STARTED_WITHIN_SECONDS = 60


class Switch:
    """Takes the library out of a stack's Orthanc, and puts it back. As a context manager it is back at the end."""

    def __init__(self, stack: Stack) -> None:
        """Look for the container; change nothing yet."""
        self.stack = stack
        self.container = stack.container("orthanc")
        self.supervisor = int(docker_inspect("container", self.container)["State"]["Pid"])
        self.covered = False

    def __enter__(self) -> Switch:
        """Return it with the library in."""
        if not self._preloaded(self._orthanc()):
            raise BenchmarkError(f"Orthanc of {self.stack.name} runs without {LIBRARY}: it is not an image of ours.")
        return self

    def __exit__(self, *_unused: object) -> None:
        """Put the library back."""
        self.turn(WITH)

    def turn(self, state: str) -> None:
        """Start Orthanc again with or without the library, unless it runs like that already."""
        if self.covered == (state == WITHOUT):
            return
        # In the container's mounts: its root file system is read-only, and the container stays the same.
        inside = ["nsenter", f"--target={self.supervisor}", "--mount", "--pid"]
        run([*inside, *(["umount", LIBRARY] if self.covered else ["mount", "--bind", "/dev/null", LIBRARY])])
        self.covered = not self.covered
        before = self._orthanc()
        run(["kill", "-KILL", str(before)])
        until = time.monotonic() + STARTED_WITHIN_SECONDS
        while True:
            time.sleep(0.5)
            with suppress(BenchmarkError):
                self.stack.rest("GET", "/system")
                if (now := self._orthanc()) != before:
                    break
            if time.monotonic() > until:
                raise BenchmarkError(f"Orthanc did not answer within {STARTED_WITHIN_SECONDS} s: docker logs says why.")
        if self._preloaded(now) == self.covered:
            raise BenchmarkError(f"Orthanc should run {state} {LIBRARY} and does not.")

    def _orthanc(self) -> int:
        listed = run(["docker", "top", self.container, "-o", "pid,comm"]).splitlines()[1:]
        found = [int(pid) for pid, name in (line.split(maxsplit=1) for line in listed) if name == "Orthanc"]
        if len(found) != 1:
            raise BenchmarkError(f"{self.container} runs {len(found)} processes of the name Orthanc, not one.")
        return found[0]

    @staticmethod
    def _preloaded(process: int) -> bool:
        return bool(re.search(rf"{LIBRARY}$", Path(f"/proc/{process}/maps").read_text(encoding="utf-8"), re.MULTILINE))


def warm_up(stack: Stack, way: Way, scratch: Path) -> None:
    """Send what does not count: an Orthanc that has just started connects to its database first."""
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        study = write_study(Path(folder) / "study", WARM_UP_INSTANCES)
        send(stack, way, study, 1)
        delete(stack, study)


def compare(
    stack: Stack, switch: Switch, way: Way, cases: Sequence[Case], rounds: int, scratch: Path
) -> dict[Case, dict[str, list[Round]]]:
    """Send each case with and without the library in turn."""
    played: dict[Case, dict[str, list[Round]]] = {case: {WITH: [], WITHOUT: []} for case in cases}
    for number in range(rounds):
        for state in (WITH, WITHOUT) if number % 2 == 0 else (WITHOUT, WITH):
            switch.turn(state)
            warm_up(stack, way, scratch)
            for case in cases:
                one = play(stack, way, case, scratch)
                played[case][state].append(one)
                say(
                    f"pair {number + 1}, {state}, {case.name}, {case.associations} association(s): "
                    f"{one.instances_per_second:.1f} instances/s, Orthanc {one.cpu_ms('orthanc'):.2f} ms of CPU each, "
                    f"others use {one.others:.2f} CPUs"
                )
    return played


def arguments() -> argparse.Namespace:
    """Return the command line's arguments."""
    parser = parser_for(__doc__, rounds=6, of="pairs")
    parser.add_argument("--instances", type=int, default=300, help="instances of 0.5 MB a round (300)")
    parser.add_argument("--associations", type=int, nargs="+", default=[1, 4], help="associations in parallel (1 4)")
    return parser.parse_args()


def main() -> int:
    """Measure and print. Return 1 if a figure misses its aim."""
    chosen = arguments()
    stack = Stack.deployed(chosen.stack)
    way, _straight = ways(stack, stack.container_address("nginx"), stack.outputs["dicom"]["port"])
    cases = [Case(chosen.instances, 1, associations) for associations in chosen.associations]
    print(f"C-STORE of {chosen.instances} instances of 0.5 MB a round through nginx; {machine()}")
    with tempfile.TemporaryDirectory(prefix="orthweb-benchmark-") as scratch, Switch(stack) as switch:
        warm_up(stack, way, Path(scratch))
        played = compare(stack, switch, way, cases, chosen.rounds, Path(scratch))
    lines, missed, said = [], False, []
    for case, of_case in played.items():
        for state, those in of_case.items():
            rates = [one.instances_per_second for one in those]
            cpu = [spread([one.cpu_ms(name) for one in those], 2) for name in ("orthanc", "postgresql")]
            lines.append([state, str(case.associations), spread(rates, 1), *cpu])
        pairs = list(zip(of_case[WITH], of_case[WITHOUT], strict=True))
        seconds = [one.seconds / other.seconds for one, other in pairs]
        cpu_ratios = [one.cpu_seconds["orthanc"] / other.cpu_seconds["orthanc"] for one, other in pairs]
        missed |= median(seconds) > AIM
        said.append(
            f"with / without, {case.associations} association(s), {len(pairs)} pairs: seconds {spread(seconds, 2)}, "
            f"CPU of Orthanc {spread(cpu_ratios, 2)}; aim <= {AIM}: {verdict(median(seconds) <= AIM)}"
        )
    print(table(["library", "associations", "instances/s", "orthanc CPU ms", "postgresql CPU ms"], lines))
    print("Medians, with the least and the most; CPU time is for one instance.")
    print("\n".join(said))
    return int(missed)


if __name__ == "__main__":
    exit_with(main)
