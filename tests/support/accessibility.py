# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether people can use a page: at a desk and on a telephone, by day and by night, with a screen reader."""

from __future__ import annotations

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from .browser import Visit


def findings(page: Page) -> list[str]:
    """What axe finds."""
    # Without the elements that are as they should be, which takes twice as long.
    found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    return [f"{one['id']}: {node['html']}" for one in found for node in one["nodes"]]


def assert_usable(visit: Visit, name: str) -> None:
    """The page that is open there, of which pictures with this name are kept."""
    page = visit.page
    for width, scheme in ((360, "light"), (360, "dark"), (1280, "light"), (1280, "dark")):
        page.set_viewport_size({"width": width, "height": 800})
        page.emulate_media(color_scheme=scheme)
        expect(page.locator("html")).to_have_attribute("data-bs-theme", scheme)
        assert findings(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        visit.photograph(f"{name}-{scheme}-{width}")
