# SPDX-License-Identifier: GPL-3.0-or-later
"""One stack for all integration tests that only need one that runs; it is taken away at the end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from stack import Stack, docker


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    stack = Stack("orthweb-pytest", tmp_path_factory.mktemp("state"), dicom_port=22112, portal_port=22043)
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
