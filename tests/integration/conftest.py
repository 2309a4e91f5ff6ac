# SPDX-License-Identifier: GPL-3.0-or-later
"""One stack for all integration tests that only need one that runs; it is taken away at the end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.stack import Stack, docker, process_id

ACCOUNTS = {"admin": "admin", "rita": "reader", "ulf": "uploader", "lena": "reader", "leo": "reader", "lars": "reader"}


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    stack = Stack("orthweb-pytest", tmp_path_factory.mktemp("state"), 22112, 22443, 22043)
    stack.variables["orthweb_users"] = [{"name": name, "role": role} for name, role in ACCOUNTS.items()]
    try:
        stack.deploy().ok()
        yield stack
    finally:
        stack.teardown(orthweb_confirm_teardown=stack.name).ok()
        left = [
            docker(kind, "ls", "--quiet", "--filter", f"name={stack.name}")
            for kind in ("container", "network", "volume")
        ]
        assert left == ["", "", ""], left


@pytest.fixture
def the_same_process(stack: Stack) -> Iterator[None]:
    """Orthanc does not end meanwhile, neither of itself nor by a crash after which it is started again."""
    before = process_id(stack.container("orthanc"), "Orthanc")
    yield
    said = docker("logs", "--tail", "20", stack.container("orthanc"))
    assert process_id(stack.container("orthanc"), "Orthanc") == before, said
