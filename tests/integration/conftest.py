# SPDX-License-Identifier: GPL-3.0-or-later
"""One stack for all integration tests that only need one that runs; it is taken away at the end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.hospital import DISPLAY_NETWORK, INTERNET, MODALITY_NETWORK, SETTINGS
from support.places import Place, place
from support.stack import Run, Stack, docker, process_id


@pytest.fixture(scope="session")
def modality() -> Iterator[Place]:
    with place("ow-modality", MODALITY_NETWORK) as one:
        yield one


@pytest.fixture(scope="session")
def display_place() -> Iterator[Place]:
    with place("ow-display", DISPLAY_NETWORK) as one:
        yield one


@pytest.fixture(scope="session")
def first_deployment(
    tmp_path_factory: pytest.TempPathFactory, modality: Place, display_place: Place
) -> Iterator[tuple[Stack, Run]]:
    """In the wordiest way, for test_secrets."""
    stack = Stack("orthweb-pytest", tmp_path_factory.mktemp("state"), INTERNET, 22443, 22043, dict(SETTINGS))
    try:
        yield stack, stack.deploy("-vvv", "--diff").ok()
    finally:
        stack.teardown(orthweb_confirm_teardown=stack.name).ok()
        left = [
            docker(kind, "ls", "--quiet", "--filter", f"name={stack.name}")
            for kind in ("container", "network", "volume")
        ]
        assert left == ["", "", ""], left


@pytest.fixture(scope="session")
def stack(first_deployment: tuple[Stack, Run]) -> Stack:
    return first_deployment[0]


@pytest.fixture
def the_same_process(stack: Stack) -> Iterator[None]:
    """Orthanc does not end meanwhile, neither of itself nor by a crash after which it is started again."""
    before = process_id(stack.container("orthanc"), "Orthanc")
    yield
    said = docker("logs", "--tail", "20", stack.container("orthanc"))
    assert process_id(stack.container("orthanc"), "Orthanc") == before, said
