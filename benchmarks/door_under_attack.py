# SPDX-License-Identifier: GPL-3.0-or-later
"""How long an association with a C-ECHO takes while 100 connections attack the DICOM listener, in turn with none.

The attackers are tests/support/attack.py, at two addresses of their own: some have the client certificate, fewer of
them than nginx lets in with one, and the others have none. They run on the same machine, which they keep busy, too.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from tests.support import attack
from tests.support.places import place

from .common import BenchmarkError, Stack, exit_with, machine, parser_for, run, say, table, verdict

AIM_SECONDS = 1.0
CONNECTIONS = {"with the certificate": 40, "without": 60}
ROUND_SECONDS = 15
NETWORKS = {"with the certificate": "198.18.0.0/30", "without": "198.18.0.4/30"}


def echoes(stack: Stack, seconds: float) -> list[float]:
    """How long each took, one after the other, connect to release and the start of echoscu included."""
    outputs = stack.outputs
    dicom = outputs["dicom"]
    tls = ["+tls", outputs["client_key"], outputs["client_certificate"], "+cf", outputs["ca_certificate"]]
    titles = ["-aet", outputs["client_aet"], "-aec", dicom["aet"]]
    waits, end = [], time.perf_counter() + seconds
    while (begun := time.perf_counter()) < end:
        run(["echoscu", *tls, *titles, dicom["host"], str(dicom["port"])])
        waits.append(time.perf_counter() - begun)
    return waits


def attackers(stack: Stack, many: ExitStack, seed: int) -> None:
    """Attack until the block of ``many`` ends."""
    outputs = stack.outputs
    common = {"port": outputs["dicom"]["port"], "called": outputs["dicom"]["aet"], "calling": outputs["client_aet"]}
    for number, (kind, network) in enumerate(NETWORKS.items()):
        where = many.enter_context(place(f"ow-attack-{number}", network))
        shown = {"certificate": outputs["client_certificate"], "key": outputs["client_key"], "handshake": True}
        options = {
            **common,
            **(shown if kind == "with the certificate" else {}),
            "host": where.archive,
            "connections": CONNECTIONS[kind],
            "seconds": 10 * ROUND_SECONDS,
            "seed": seed,
        }
        command = where.command(sys.executable, str(Path(attack.__file__)), json.dumps(options))
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        many.callback(process.wait)
        many.callback(process.kill)


def main() -> int:
    """Measure and print. Return 1 if a figure misses its aim."""
    chosen = parser_for(__doc__, rounds=3).parse_args()
    stack = Stack.deployed(chosen.stack)
    waits: dict[str, list[float]] = {"calm": [], "attacked": []}
    for number in range(chosen.rounds + 1):
        calm = echoes(stack, ROUND_SECONDS / 3)
        with ExitStack() as many:
            attackers(stack, many, number)
            time.sleep(2)
            attacked = echoes(stack, ROUND_SECONDS)
        say(f"round {number}: at most {max(calm):.2f} s calm, {max(attacked):.2f} s attacked")
        if not attacked or not calm:
            raise BenchmarkError("No association was answered.")
        if number:
            waits["calm"] += calm
            waits["attacked"] += attacked
    print(f"C-ECHO with echoscu while {sum(CONNECTIONS.values())} connections attack; {machine()}")
    rows = [[name, str(len(all_)), f"{median(all_):.3f}", f"{max(all_):.3f}"] for name, all_ in waits.items()]
    print(table(["", "associations", "median s", "longest s"], rows))
    met = max(waits["attacked"]) <= AIM_SECONDS
    print(f"Longest under attack: {max(waits['attacked']):.2f} s; aim <= {AIM_SECONDS:.0f} s: {verdict(met)}")
    return int(not met)


if __name__ == "__main__":
    exit_with(main)
