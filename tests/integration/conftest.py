# SPDX-License-Identifier: GPL-3.0-or-later
"""One stack for all integration tests that only need one that runs; it is taken away at the end. And a browser."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Playwright, expect, sync_playwright

from support.admission import Admission
from support.browser import Login, Visit, Visits, chromium, home
from support.hospital import DISPLAY_NETWORK, INTERNET, MODALITY_NETWORK, SETTINGS
from support.login import cookies_of, log_in
from support.places import Place, place
from support.stack import Run, Stack, docker, process_id

expect.set_options(timeout=60_000)


@pytest.fixture(scope="session")
def modality() -> Iterator[Place]:
    with place("modality", MODALITY_NETWORK) as one:
        yield one


@pytest.fixture(scope="session")
def display_place() -> Iterator[Place]:
    with place("display", DISPLAY_NETWORK) as one:
        yield one


@pytest.fixture(scope="session")
def first_deployment(
    tmp_path_factory: pytest.TempPathFactory, modality: Place, display_place: Place
) -> Iterator[tuple[Stack, Run]]:
    """In the wordiest way, for test_secrets."""
    stack = Stack("orthweb-pytest", tmp_path_factory.mktemp("state"), INTERNET, 22443, 22043, dict(SETTINGS))
    stack.remove_left()
    try:
        yield stack, stack.deploy("-vvv", "--diff").ok()
    finally:
        stack.teardown(orthweb_confirm_teardown=stack.name).ok()
        assert not any(stack.left.values()), stack.left


@pytest.fixture(scope="session")
def stack(first_deployment: tuple[Stack, Run]) -> Stack:
    return first_deployment[0]


@pytest.fixture
def admission(stack: Stack) -> Admission:
    return Admission(stack)


@pytest.fixture
def the_same_process(stack: Stack) -> Iterator[None]:
    """Orthanc does not end meanwhile, neither of itself nor by a crash after which it is started again."""
    before = process_id(stack.container("orthanc"), "Orthanc")
    yield
    said = docker("logs", "--tail", "20", stack.container("orthanc"))
    assert process_id(stack.container("orthanc"), "Orthanc") == before, said


# --- a browser


@pytest.fixture(scope="module")
def screenshots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    kept = os.environ.get("ORTHWEB_SCREENSHOTS")
    folder = Path(kept) if kept else tmp_path_factory.mktemp("screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="module")
def workplace() -> Iterator[Place]:
    """Not for longer: a deployment meanwhile puts this address into the certificates."""
    with place("browser", "192.0.2.12/30") as one:
        yield one


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as one:
        yield one


@pytest.fixture(scope="module")
def browser(
    stack: Stack, playwright: Playwright, workplace: Place, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Browser]:
    """One that trusts the archive's CA."""
    with chromium(playwright, workplace, home(tmp_path_factory.mktemp("home"), stack.ca)) as one:
        yield one


@pytest.fixture
def visit(stack: Stack, browser: Browser, screenshots: Path) -> Visits:
    """Begin a visit with this login. Nothing that the pages do may be against their Content-Security-Policy."""

    @contextmanager
    def begin(login: Login | None, **options: Any) -> Iterator[Visit]:
        context = browser.new_context(viewport={"width": 1280, "height": 800}, **options)
        if login:
            context.add_cookies(cookies_of(log_in(stack, login), stack))
        try:
            begun = Visit(context, stack, screenshots)
            try:
                yield begun
            except Exception as error:
                begun.photograph("failed")
                error.add_note("The browser said:\n" + "\n".join(begun.heard[-40:]))
                raise
            assert begun.violations == []
        finally:
            context.close()

    return begin
