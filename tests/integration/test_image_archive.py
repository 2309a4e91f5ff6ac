# SPDX-License-Identifier: GPL-3.0-or-later
"""Images saved on one machine are loaded on one without a network."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.stack import Stack, docker

pytestmark = pytest.mark.long


def tags(stack: Stack) -> dict[str, str]:
    """Image name → the reference that the stack runs."""
    return {
        part: docker("inspect", "--format", "{{.Config.Image}}", stack.container(part))
        for part in ("postgresql", "audit", "identity", "orthanc", "nginx")
    }


def test_save_and_load(stack: Stack, tmp_path: Path) -> None:
    archive = tmp_path / "images.tar.gz"
    stack.play("save_images", orthweb_images_archive=str(archive)).ok()
    assert archive.stat().st_size > 50_000_000

    references = tags(stack)
    before = {reference: docker("images", "--quiet", reference) for reference in references.values()}
    docker("image", "rm", "--force", *references.values())
    try:
        run = stack.configure(orthweb_images_source="archive", orthweb_images_archive=str(archive)).ok()
        assert "debootstrap" not in run.output, "It was built and not loaded"
    finally:
        assert {reference: docker("images", "--quiet", reference) for reference in references.values()} == before
    assert stack.configure(orthweb_images_source="archive", orthweb_images_archive=str(archive)).ok().changed == 0


def test_an_archive_of_another_version_is_refused(stack: Stack, tmp_path: Path) -> None:
    archive = tmp_path / "other.tar"
    docker("save", "--output", str(archive), tags(stack)["nginx"])
    run = stack.deploy(
        orthweb_images_source="archive", orthweb_images_archive=str(archive), container_images_refresh="another"
    )
    assert run.code != 0
    assert "It was made with another version" in " ".join(run.output.split())
