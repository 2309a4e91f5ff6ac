# SPDX-License-Identifier: GPL-3.0-or-later
"""What was acknowledged is there afterwards, whatever dies in between."""

from __future__ import annotations

import pytest

from support.ledger import kill_while_images_arrive
from support.stack import Stack


@pytest.mark.parametrize("part", ["postgresql", "orthanc", "nginx"])
def test_killed_while_images_arrive(stack: Stack, part: str) -> None:
    kill_while_images_arrive(stack, part)
