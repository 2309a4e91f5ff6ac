# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with where the packages of the container images come from."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

IMAGES = ("orthanc", "nginx", "postgresql")
SUITE = re.compile(r"[a-z][a-z0-9-]*", re.ASCII)
SNAPSHOT = "%Y%m%dT%H%M%SZ"
PINNED = re.compile(r"[^@\s]+@sha256:[0-9a-f]{64}", re.ASCII)


def _suite_problems(suites: object) -> Iterable[str]:
    if not isinstance(suites, dict):
        yield f"container_images_suites is {suites!r}: give the Debian release of each image ({', '.join(IMAGES)})."
        return
    if missing := [image for image in IMAGES if image not in suites]:
        yield (
            f"container_images_suites has no entry for {', '.join(missing)}: it replaces the default as a whole, so "
            f"name the Debian release of each image ({', '.join(IMAGES)})."
        )
    if unknown := sorted(set(map(str, suites)) - set(IMAGES)):
        yield f"container_images_suites does not know {', '.join(unknown)}; it has {', '.join(IMAGES)}."
    for image, suite in suites.items():
        if not SUITE.fullmatch(str(suite)):
            yield f"container_images_suites: {image} is {suite!r}, which is no name of a Debian release (trixie)."


def image_source_problems(suites: object, mirror: str, snapshot: str, require_fresh_index: bool) -> list[str]:
    """
    Sentences; empty if nothing is wrong.

    :param suites: image → Debian release
    :param mirror: URL of a Debian mirror, or empty
    :param snapshot: a state of Debian's archive as snapshot.debian.org names it (``20261115T000000Z``), or empty
    :param require_fresh_index: whether a mirror is refused whose index is past its date
    """
    problems = list(_suite_problems(suites))
    if mirror and not re.fullmatch(r"https?://[^\s/]+(/\S*)?", mirror):
        problems.append(f"container_images_debian_mirror is {mirror!r}, which is no http or https URL.")
    if snapshot:
        try:
            datetime.strptime(str(snapshot), SNAPSHOT)
        except ValueError:
            problems.append(
                f"container_images_snapshot is {snapshot!r}: write a date and time in UTC such as 20261115T000000Z."
            )
        if mirror:
            problems.append(
                "container_images_snapshot and container_images_debian_mirror are both set, and a snapshot has a "
                "mirror of its own: set one of them."
            )
        if require_fresh_index:
            problems.append(
                "container_images_snapshot asks for packages of the past, and container_images_require_fresh_index "
                "refuses them: set one of them."
            )
    return problems


def upstream_image_problems(reference: str, source: str) -> list[str]:
    """
    Sentences; empty if nothing is wrong.

    :param reference: the upstream image of Orthanc, or empty
    :param source: where the other images come from, as ``container_images_source`` has it
    """
    if not reference:
        return []
    problems = []
    if not PINNED.fullmatch(reference):
        problems.append(
            f"container_images_upstream_orthanc is {reference!r}, which is not pinned by digest: write "
            "orthancteam/orthanc:<version>@sha256: and 64 hexadecimal digits (docker image inspect shows them as "
            "RepoDigests after a pull)."
        )
    if source == "archive":
        problems.append(
            "container_images_upstream_orthanc cannot come from an archive, which keeps no digest: push the image to a "
            "registry that the hosts reach, and set container_images_source: registry."
        )
    return problems


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {
            "image_source_problems": image_source_problems,
            "upstream_image_problems": upstream_image_problems,
        }
