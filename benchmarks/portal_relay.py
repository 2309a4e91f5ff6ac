# SPDX-License-Identifier: GPL-3.0-or-later
"""What the portal costs beside what any hop costs here: an nginx in the same network that only passes TCP on.

C-STORE of 0.5 MB instances over the listener, over the relay and straight to Orthanc; and WADO-RS of one series in one
request through the portal, through the relay and straight: the three in turn, with one client. The relay does no TLS,
reads no HTTP, asks for no login and writes no log. It is removed in the end.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from . import c_store_tls, portal_wado
from .common import Stack, docker_inspect, exit_with, machine, parser_for, run, say, spread, table

CONFIGURATION = """
include /etc/nginx/modules-enabled/*.conf;
worker_processes auto;
pid /run/nginx/nginx.pid;
error_log stderr warn;
events {{ }}
stream {{
    proxy_buffer_size 256k;
    server {{ listen 4242; proxy_pass {orthanc}:4242; }}
    server {{ listen 8042; proxy_pass {orthanc}:8042; }}
}}
"""
WAYS = ("portal", "relay", "straight")
_Way = TypeVar("_Way")


@contextmanager
def relay(stack: Stack, folder: Path) -> Iterator[str]:
    """Run the relay in the stack's own image, with its nginx's buffers. Yields its address."""
    (folder / "nginx.conf").write_text(CONFIGURATION.format(orthanc=stack.container_address("orthanc")), "ascii")
    nginx = docker_inspect("container", stack.container("nginx"))
    sysctls = nginx["HostConfig"]["Sysctls"].items()
    mount = f"type=bind,source={folder},target=/etc/nginx/orthweb,readonly"
    command = [
        "docker",
        "run",
        "--rm",
        "--detach",
        "--name",
        stack.container("relay"),
        "--network",
        stack.archive_network,
    ]
    command += [f"--sysctl={name}={value}" for name, value in sysctls]
    run([*command, "--user", "0", "--mount", mount, "--tmpfs", "/run/nginx", nginx["Image"]])
    try:
        yield stack.container_address("relay")
    finally:
        run(["docker", "stop", "--time", "5", stack.container("relay")])


def compare(what: str, ways: Sequence[_Way], play: Callable[[_Way], float], rounds: int) -> list[tuple[float, ...]]:
    """Go each way in turn, and return the seconds of each round without the first, which warms up."""
    counted = []
    for number in range(1 + rounds):
        seconds = [0.0] * len(ways)
        for turn in range(len(ways)):  # each round begins with another way
            way = (number + turn) % len(ways)
            seconds[way] = play(ways[way])
        shown = ", ".join(f"{name} {one:.2f} s" for name, one in zip(WAYS, seconds, strict=True))
        say(f"{what}, round {number}: {shown}{'' if number else ', does not count'}")
        if number:
            counted.append(tuple(seconds))
    return counted


def c_store(stack: Stack, address: str, associations: int, chosen: argparse.Namespace) -> list[str]:
    """Send studies through the listener, through the relay and straight, and return the table's line."""
    listener, straight = c_store_tls.ways(stack, stack.container_address("nginx"), stack.outputs["dicom"]["port"])
    case = c_store_tls.Case(chosen.instances, 1, associations)
    what = f"C-STORE, {associations} association(s)"
    with tempfile.TemporaryDirectory(prefix="orthweb-benchmark-") as scratch:

        def play(way: c_store_tls.Way) -> float:
            return c_store_tls.play(stack, way, case, Path(scratch)).seconds

        return row(what, compare(what, (listener, replace(straight, host=address), straight), play, chosen.rounds))


def wado(stack: Stack, address: str, chosen: argparse.Namespace) -> list[str]:
    """Fetch a series through the portal, through the relay and straight, and return the table's line."""
    portal, straight = portal_wado.doors(stack)
    what = "WADO-RS, a series"
    with portal_wado.stored_series(stack, chosen.slices) as (study, frames):

        def play(door: portal_wado.Door) -> float:
            return portal_wado.fetch_series(door, study, frames, 1)[1]

        return row(what, compare(what, (portal, replace(straight, address=address), straight), play, chosen.rounds))


def row(what: str, rounds: Sequence[tuple[float, ...]]) -> list[str]:
    """Return the line of the table for one thing that was done."""
    ratios = (
        [straight / relayed for _unused, relayed, straight in rounds],
        [straight / front for front, _unused, straight in rounds],
        [relayed / front for front, relayed, _unused in rounds],
    )
    return [what, str(len(rounds)), *(spread(one, 2) for one in ratios)]


def arguments() -> argparse.Namespace:
    """Return the command line's arguments."""
    parser = parser_for(__doc__, rounds=9)
    parser.add_argument("--instances", type=int, default=500, help="instances of 0.5 MB a round (500)")
    parser.add_argument("--slices", type=int, default=500, help="slices of the series, 0.5 MB each (500)")
    return parser.parse_args()


def main() -> int:
    """Measure and print. There is no aim: a relay is what cannot be had for less."""
    chosen = arguments()
    stack = Stack.deployed(chosen.stack)
    print(f"C-STORE of {chosen.instances} instances, WADO-RS of {chosen.slices} slices; {machine()}")
    with tempfile.TemporaryDirectory(prefix="orthweb-benchmark-") as folder, relay(stack, Path(folder)) as address:
        lines = [*(c_store(stack, address, number, chosen) for number in (1, 8)), wado(stack, address, chosen)]
    print(table(["what", "rounds", "relay / straight", "portal / straight", "portal / relay"], lines))
    print("Rates, medians (least-most): 1.00 is as fast.")
    return 0


if __name__ == "__main__":
    exit_with(main)
