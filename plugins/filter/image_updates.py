# SPDX-License-Identifier: GPL-3.0-or-later
"""Which images a stack uses, which are built again for security updates, and which of the older ones are kept."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

KEPT = 2  # what runs, and what ran before it
ORDER = ("postgresql", "backup", "audit", "identity", "orthanc", "nginx", "acme")  # each needs those before it


def patched_images(built: Mapping[str, str], had: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Name → reference to use: that of the definition, or of the patched image that the stack runs in its place.

    :param built: name → reference by the definition
    :param had: name → references that the stack has had, the newest first
    """
    newest = {name: next(iter(had.get(name, ())), reference) for name, reference in built.items()}
    return {
        name: newest[name] if newest[name].startswith(f"{reference}-") else reference
        for name, reference in built.items()
    }


def images_to_update(
    pending: Mapping[str, Sequence[str]],
    refused: Mapping[str, Sequence[str]],
    *,
    updates: str,
    own: Collection[str],
    retry: bool,
) -> list[str]:
    """Names of the images to build again, in the order in which their containers depend on each other.

    :param pending: name → security updates, as text
    :param refused: name → those that the archive did not pass with; the same ones are tried again with ``retry`` only
    :param own: names of those that are built on the host
    """
    if updates != "security":
        return []
    return [
        name
        for name in ORDER
        if name in own and pending.get(name) and (retry or list(pending[name]) != list(refused.get(name, ())))
    ]


def images_outlook(
    pending: Mapping[str, Sequence[str]], to_update: Sequence[str], *, updates: str, own: Collection[str]
) -> list[str]:
    """What becomes of the updates that are pending and not brought now, for a person."""
    left = set(pending) - set(to_update)
    said = []
    if others := sorted(left - set(own)):
        said.append(
            f"Updates of {', '.join(others)} need a new image, as it is not built on this host: a new archive (make "
            "patch and make save-images on a machine with network access), or a new digest."
        )
    if mine := ", ".join(sorted(left & set(own))):
        said.append(
            f"WARNING: The archive did not pass with the updates of {mine}, so they stay pending. Run make patch to "
            "try again."
            if updates == "security"
            else f"Updates of {mine} stay pending (container_images_updates is none). Run make patch to install them."
        )
    return said


def kept_images(used: Mapping[str, str], had: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Name → references that stay on the host, the newest first."""
    return {name: list(dict.fromkeys([reference, *had.get(name, ())]))[:KEPT] for name, reference in used.items()}


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {
            "patched_images": patched_images,
            "images_to_update": images_to_update,
            "images_outlook": images_outlook,
            "kept_images": kept_images,
        }
