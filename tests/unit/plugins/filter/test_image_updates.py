# SPDX-License-Identifier: GPL-3.0-or-later
"""Which images a stack uses, which are built again, and which stay."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.cellcs.orthweb.plugins.filter.image_updates import (
    images_outlook,
    images_to_update,
    kept_images,
    patched_images,
)

BUILT = {"nginx": "orthweb/nginx:trixie-0123456789ab", "orthanc": "orthweb/orthanc:forky-ba9876543210"}
PATCHED = f"{BUILT['nginx']}-20270101T120000"
PENDING = {"nginx": ["a 1 → 2"], "postgresql": ["a 1 → 2", "b 1 → 2"]}
ALL = ["nginx", "orthanc", "postgresql"]
BROUGHT: dict[str, Any] = {"updates": "security", "own": ALL}


def test_a_patched_image_is_kept() -> None:
    assert patched_images(BUILT, {"nginx": [PATCHED, BUILT["nginx"]]}) == {**BUILT, "nginx": PATCHED}


@pytest.mark.parametrize("had", [{}, {"nginx": []}, {"nginx": [BUILT["nginx"], PATCHED]}])
def test_without_one_it_is_that_of_the_definition(had: dict[str, list[str]]) -> None:
    assert patched_images(BUILT, had) == BUILT


def test_a_new_definition_is_built_anew() -> None:
    assert patched_images(BUILT, {"nginx": ["orthweb/nginx:trixie-000000000000-20270101T120000"]}) == BUILT


def test_what_is_pending_is_brought_in_the_order_of_the_containers() -> None:
    assert images_to_update(PENDING, {}, **BROUGHT, retry=False) == ["postgresql", "nginx"]
    assert images_outlook(PENDING, ["postgresql", "nginx"], **BROUGHT) == []
    assert images_to_update({}, {}, **BROUGHT, retry=True) == []


def test_what_was_refused_is_tried_again_only_when_asked_for() -> None:
    refused = {"nginx": ["a 1 → 2"]}
    assert images_to_update(PENDING, refused, **BROUGHT, retry=False) == ["postgresql"]
    assert images_to_update(PENDING, refused, **BROUGHT, retry=True) == ["postgresql", "nginx"]
    assert "Run make patch to try again" in images_outlook(PENDING, ["postgresql"], **BROUGHT)[0]
    newer = {"nginx": ["a 1 → 3"]}
    assert images_to_update(newer, refused, **BROUGHT, retry=False) == ["nginx"]


def test_otherwise_it_is_said() -> None:
    assert images_to_update(PENDING, {}, updates="none", own=ALL, retry=True) == []
    assert images_outlook(PENDING, [], updates="none", own=ALL) == [
        "Updates of nginx, postgresql stay pending (container_images_updates is none). Run make patch to install them."
    ]


def test_what_is_not_built_here_comes_with_another_image() -> None:
    assert images_to_update(PENDING, {}, updates="security", own=["postgresql"], retry=True) == ["postgresql"]
    [said] = images_outlook(PENDING, ["postgresql"], updates="security", own=["postgresql"])
    assert said.startswith("Updates of nginx need a new image")


def test_two_are_kept() -> None:
    assert kept_images({"nginx": "c"}, {"nginx": ["b", "a"], "postgresql": ["x"]}) == {"nginx": ["c", "b"]}
    assert kept_images({"nginx": "b"}, {"nginx": ["b", "a"]}) == {"nginx": ["b", "a"]}
    assert kept_images({"nginx": "a"}, {"nginx": ["b", "a"]}) == {"nginx": ["a", "b"]}
    assert kept_images({"nginx": "a"}, {}) == {"nginx": ["a"]}
