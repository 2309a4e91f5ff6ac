# SPDX-License-Identifier: GPL-3.0-or-later
"""How long OHIF takes, in headless Chromium, until it shows the first image of a CT series and until it has all of it.

Each round is a browser that has cached nothing, opening the study's address: nginx, its admission, the viewer's files,
DICOMweb and Orthanc all take part. In turn the same frames are fetched through the portal by a client that only
fetches, over as many connections as a browser opens: what OHIF takes longer is its own.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from base64 import b64encode
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from playwright.sync_api import Browser, Error, sync_playwright

from tests.support.browser import ARGUMENTS, CHROMIUM

from .common import BenchmarkError, Stack, exit_with, machine, parser_for, run, say, table
from .portal_wado import doors, fetch_frames, stored_series

# Those of the browser tests, but for the one that the figures so far were taken without.
FLAGS = [argument for argument in ARGUMENTS if argument != "--disable-gpu"]
PATIENCE_SECONDS = 180
CONNECTIONS = 6  # what a browser opens to one host, with HTTP/1.1
# Cornerstone dispatches these at the element of the viewport; they do not bubble, but can be caught on the way.
NOTE = """
window.seen = { first: null, images: 0 };
performance.setResourceTimingBufferSize(20000);
document.addEventListener('CORNERSTONE_STACK_NEW_IMAGE', () => { window.seen.images += 1 }, true);
document.addEventListener('CORNERSTONE_IMAGE_RENDERED', () => {
    if (window.seen.first === null && window.seen.images) { window.seen.first = performance.now() }
}, true);
"""
FRAMES = "performance.getEntriesByType('resource').filter((one) => /[/]frames[/]/.test(one.name) && one.responseEnd)"


@dataclass(frozen=True)
class Round:
    """One study looked at. Seconds since the browser set out for its address, but for the last two."""

    page: float
    first_image: float
    series: float
    frames: float  # from the request for the first frame until all are there
    fetching: float  # the same, by a client that only fetches

    @property
    def ratio(self) -> float:
        """Return OHIF's time for the frames to that of the client that only fetches."""
        return self.frames / self.fetching


@contextmanager
def browser(stack: Stack) -> Iterator[Browser]:
    """Start a browser with a profile of its own that trusts the stack's CA, and end it."""
    with tempfile.TemporaryDirectory(prefix="orthweb-benchmark-") as home:
        store = Path(home) / ".pki" / "nssdb"
        store.mkdir(parents=True)
        run(["certutil", "-d", f"sql:{store}", "-N", "--empty-password"])
        run(["certutil", "-d", f"sql:{store}", "-A", "-t", "C,,", "-n", "ca", "-i", stack.outputs["ca_certificate"]])
        with sync_playwright() as playwright:
            started = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS, env={**os.environ, "HOME": home})
            try:
                yield started
            finally:
                started.close()


def look(stack: Stack, study_uid: str, slices: int) -> tuple[float, float, float, float]:
    """Open the study in OHIF. Return the seconds until its page, its first image and all frames were there.

    And the seconds for the frames alone.
    """
    with browser(stack) as started:
        login = b64encode(f"{stack.username}:{stack.password}".encode()).decode()
        context = started.new_context(
            extra_http_headers={"Authorization": f"Basic {login}"}, viewport={"width": 1280, "height": 800}
        )
        page = context.new_page()
        page.set_default_timeout(PATIENCE_SECONDS * 1000)
        page.add_init_script(NOTE)
        page.goto(f"{stack.outputs['portal_url']}viewer?StudyInstanceUIDs={study_uid}", wait_until="commit")
        until = time.monotonic() + PATIENCE_SECONDS
        while page.evaluate(f"window.seen.first === null || new Set({FRAMES}.map((one) => one.name)).size < {slices}"):
            if time.monotonic() > until:
                seen = page.evaluate(f"[window.seen, {FRAMES}.length]")
                raise BenchmarkError(f"OHIF has not shown all in {PATIENCE_SECONDS} s, only {seen}.")
            time.sleep(0.25)
        shell, first, last, asked = page.evaluate(
            "[performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd, window.seen.first,"
            f" Math.max(...{FRAMES}.map((one) => one.responseEnd)),"
            f" Math.min(...{FRAMES}.map((one) => one.startTime))]"
        )
        return shell / 1000, first / 1000, last / 1000, (last - asked) / 1000


def line(name: str, seconds: Sequence[float], digits: int = 1) -> list[str]:
    """Return a line of the table."""
    return [name, str(len(seconds)), *(f"{one:.{digits}f}" for one in (median(seconds), min(seconds), max(seconds)))]


def arguments() -> argparse.Namespace:
    """Return the command line's arguments."""
    parser = parser_for(__doc__)
    parser.add_argument("--slices", type=int, default=500, help="slices of the series, 0.5 MB each (500)")
    return parser.parse_args()


def main() -> int:
    """Measure and print. There is no aim."""
    chosen = arguments()
    stack = Stack.deployed(chosen.stack)
    portal = doors(stack)[0]
    print(f"OHIF and a series of {chosen.slices} CT slices of 0.5 MB; {machine()}")
    rounds = []
    with stored_series(stack, chosen.slices) as (study, frames):
        for number in range(1 + chosen.rounds):
            _size, fetching = fetch_frames(portal, study, frames, CONNECTIONS)
            played = Round(*look(stack, study.uid, chosen.slices), fetching)
            say(
                f"round {number}: first image {played.first_image:.1f} s, series {played.series:.1f} s, "
                f"only fetched {fetching:.1f} s{'' if number else ', does not count'}"
            )
            if number:
                rounds.append(played)
    print(
        table(
            ["seconds for", "rounds", "median", "least", "most"],
            [
                line("OHIF's page", [one.page for one in rounds]),
                line("first image", [one.first_image for one in rounds]),
                line("whole series", [one.series for one in rounds]),
                line("the frames alone", [one.frames for one in rounds]),
                line("the frames, only fetched", [one.fetching for one in rounds]),
                line("ratio of these two", [one.ratio for one in rounds], 2),
            ],
        )
    )
    return 0


if __name__ == "__main__":
    exit_with(main, (BenchmarkError, Error))
