# SPDX-License-Identifier: GPL-3.0-or-later
"""A second stack with the images that the first one had at a moment; the first one runs on."""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from rehearsal.controller import Rehearsal, Run
from rehearsal.journey import HERE

pytestmark = pytest.mark.long
NO_CHECKS = ("--skip-tags", "acceptance")


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsal]:
    rehearsal = Rehearsal(tmp_path_factory.mktemp("beside"), port=26320, stack="first")
    try:
        rehearsal.start("--registry")
        yield rehearsal
    finally:
        rehearsal.stop()


def images(rehearsal: Rehearsal, folder: Path) -> Run:
    """Stores images, or compares those that are in the folder already."""
    return rehearsal.play(HERE / "images.yml", "--extra-vars", f"rehearsal_images={folder}")


def test_it_has_what_the_first_one_had_then(first: Rehearsal, tmp_path: Path) -> None:
    assert first.play("deploy", *NO_CHECKS).code == 0
    assert images(first, tmp_path / "before").code == 0
    time.sleep(1)
    moment = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    time.sleep(1)
    assert images(first, tmp_path / "after").code == 0

    second = copy.copy(first)
    second.stack = "second"
    origin = f"aws_database_restore_from=first aws_database_restore_time={moment}"
    deployed = second.play("deploy", *NO_CHECKS, "--extra-vars", origin)
    assert deployed.code == 0, deployed.errors
    assert images(second, tmp_path / "before").code == 0
    late = images(second, tmp_path / "after")
    assert late.code != 0
    assert "not_found" in late.output
    again = second.play("deploy", *NO_CHECKS, "--extra-vars", origin)
    assert (again.code, again.writes) == (0, [])

    for folder in ("before", "after"):
        assert images(first, tmp_path / folder).code == 0, "the first one is as it was"
