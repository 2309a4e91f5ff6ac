# SPDX-License-Identifier: GPL-3.0-or-later
"""A real browser, on a machine of its own, and what it shows of the portal."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Locator, Page, Playwright
from playwright.sync_api import TimeoutError as NotInTime

from .places import Place
from .process import output_of
from .stack import Stack

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
]
PATIENCE = 60_000
# A violation stands on the console, too, but not always with what it was about.
LISTEN = """
document.addEventListener('securitypolicyviolation', (violation) => console.error(
    'Content Security Policy', violation.effectiveDirective, violation.blockedURI, violation.sample))
"""
# OHIF's tour for newcomers and its notice that it is no medical device lie over what is to be clicked.
SEEN_BEFORE = """
if (location.protocol === 'https:') {
    localStorage.setItem('shownTours', JSON.stringify(['basicViewerTour']))
    localStorage.setItem('investigationalUseDialog', JSON.stringify({ expiryDate: '2999-01-01T00:00:00Z' }))
}
"""
CANVAS = "[data-cy=viewport-pane] canvas.cornerstone-canvas"  # thumbnails are made on others
PIXELS = """(canvas) => {
    const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data
    const colours = new Set()
    let sum = 0
    for (let at = 0; at < data.length; at += 4) {
        const colour = (data[at] << 16) | (data[at + 1] << 8) | data[at + 2]
        colours.add(colour)
        sum = (Math.imul(sum, 31) + colour) | 0
    }
    return [colours.size, sum]
}"""
GREY = """(canvas, [right, down]) => [...canvas.getContext('2d')
    .getImageData(canvas.width * right, canvas.height * down, 1, 1).data].slice(0, 3)"""


def home(folder: Path, *authorities: str) -> Path:
    """A home folder for a browser that trusts these CA certificates beside those that all trust."""
    database = folder / ".pki" / "nssdb"
    database.mkdir(parents=True)
    commands = [["-N", "--empty-password"]]
    commands += [["-A", "-t", "C,,", "-n", f"ca-{number}", "-i", ca] for number, ca in enumerate(authorities)]
    for command in commands:
        output_of("certutil", "-d", f"sql:{database}", *command)
    return folder


@contextmanager
def chromium(playwright: Playwright, where: Place, home: Path) -> Iterator[Browser]:
    """A browser in a place of its own.

    :param where: the browser runs there: in the midst of this machine's networks it drops its connections
    (ERR_NETWORK_CHANGED) whenever somebody starts a container. The archive has the name there that its certificate
    says.
    """
    program = home / "chromium"
    command = where.command("env", f"HOME={home}", CHROMIUM)
    program.write_text(f'#!/bin/sh\nexec {" ".join(command)} "$@"\n')
    program.chmod(0o755)
    there = f"--host-resolver-rules=MAP localhost {where.archive}"
    browser = playwright.chromium.launch(executable_path=program, args=[*ARGUMENTS, there], timeout=PATIENCE)
    try:
        yield browser
    finally:
        browser.close()


class Visit:
    """Somebody's visit to the portal: one browser context, from the login on."""

    def __init__(self, context: BrowserContext, stack: Stack, screenshots: Path) -> None:
        self.context, self.stack, self.screenshots = context, stack, screenshots
        self.heard: list[str] = []
        context.set_default_timeout(PATIENCE)
        context.set_default_navigation_timeout(PATIENCE)
        context.add_init_script(LISTEN)
        context.add_init_script(SEEN_BEFORE)
        context.on("console", lambda message: self.heard.append(message.text))
        context.on("weberror", lambda error: self.heard.append(str(error.error)))
        context.on("requestfailed", lambda request: self.heard.append(f"{request.failure} {request.url}"))
        self.page: Page = context.new_page()

    @property
    def violations(self) -> list[str]:
        """What was against the Content-Security-Policy of a page or worker."""
        return [said for said in self.heard if "Content Security Policy" in said]

    def go(self, path: str) -> int:
        """Go there, and say with which status it was answered."""
        answer = self.page.goto(self.stack.portal + path)
        assert answer is not None
        return answer.status

    def log_in(self, login: tuple[str, str]) -> None:
        """Fill the form of the login page, as at the keyboard, and send it."""
        for field, text in zip(("user", "password"), login, strict=True):
            self.page.locator(f"input[name={field}]:visible").fill(text)
        self.page.locator("button[type=submit]:visible").click()

    def photograph(self, name: str) -> None:
        self.page.screenshot(path=self.screenshots / f"{name}.png", timeout=PATIENCE)

    # --- OHIF

    def open_study_list(self) -> None:
        self.go("/")
        field = self.page.get_by_role("row").nth(1).get_by_role("textbox").first
        try:
            field.wait_for(timeout=30_000)
        except NotInTime:  # twice of some hundred times OHIF has stayed black and asked for nothing, nobody knows why
            self.photograph("black")
            self.page.reload()
            field.wait_for()

    def search_for(
        self,
        patient: str = "",
        patient_id: str = "",
        dates: tuple[str, str] | None = None,
        modality: str = "",
        description: str = "",
    ) -> None:
        """Fill in the fields of the study list. What is chosen comes first: text makes the list anew as it is typed."""
        if modality:
            self.page.locator("[aria-label='Filter Modalities']").press_sequentially(modality)
            self.page.get_by_role("option", name=modality, exact=True).click()
            self.page.keyboard.press("Escape")
        for place, date in zip(("start", "end"), dates or (), strict=False):
            self.page.locator(f"[data-cy=input-date-range-{place}]").fill(date)
            self.page.keyboard.press("Escape")  # the calendar
        fields = self.page.get_by_role("row").nth(1).get_by_role("cell")
        for number, typed in ((0, patient), (1, patient_id), (4, description)):
            if typed:
                fields.nth(number).get_by_role("textbox").press_sequentially(typed)

    @property
    def canvas(self) -> Locator:
        return self.page.locator(CANVAS)

    def overlay(self, corner: str) -> str:
        return " ".join(self.page.locator(f"[data-cy=viewport-overlay-{corner}]").inner_text().split())

    @property
    def position(self) -> tuple[int, int]:
        """Which image of how many it is."""
        found = re.search(r"(\d+)\s*/\s*(\d+)", self.overlay("bottom-right"))
        return (int(found[1]), int(found[2])) if found else (0, 0)

    @property
    def window(self) -> tuple[int, int]:
        """Width and level."""
        found = re.search(r"W:\s*(-?\d+)\s*L:\s*(-?\d+)", self.overlay("bottom-left"))
        return (int(found[1]), int(found[2])) if found else (0, 0)

    @property
    def pixels(self) -> tuple[int, int]:
        """How many colours the canvas has, and a checksum of it."""
        colours, checksum = self.canvas.evaluate(PIXELS)
        return colours, checksum

    def grey(self, right: float, down: float) -> list[int]:
        """What stands at a place of the canvas, whose corners are (0, 0) and (1, 1)."""
        return self.canvas.evaluate(GREY, [right, down])

    def see(self, what: str, seen: Any) -> Any:
        """Wait until ``seen()`` holds, and return what it says."""
        end = time.monotonic() + PATIENCE / 1000
        while not (said := seen()):
            if time.monotonic() > end:
                canvas = (
                    f"the canvas has {self.pixels}, {self.position}, {self.window}"
                    if self.canvas.count()
                    else "no canvas"
                )
                raise NotInTime(f"Not seen: {what}; {canvas}")
            self.page.wait_for_timeout(100)
        return said

    def wait_for_image(self, other_than: int = 0) -> int:
        """Wait until there is an image on the canvas, and another one than that; return its checksum."""

        def seen() -> int:
            colours, checksum = self.pixels
            return checksum if colours > 50 and checksum != other_than else 0

        return self.see("an image", seen)

    def turn_wheel(self, by: int) -> None:
        self.canvas.hover()
        self.page.mouse.wheel(0, by)

    def drag_over_canvas(self, right: int, down: int) -> None:
        """With the left button, which is windowing unless another tool is chosen."""
        box = self.canvas.bounding_box()
        assert box is not None
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        self.page.mouse.move(x, y)
        self.page.mouse.down()
        self.page.mouse.move(x + right, y + down, steps=5)
        self.page.mouse.up()


Login = tuple[str, str]
# Begins a visit with this login, or without one; and options of Playwright's for the browser context.
Visits = Callable[..., AbstractContextManager[Visit]]
