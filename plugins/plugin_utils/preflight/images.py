# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the container images come from."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from .words import unknown_keys

PINNED = re.compile(r"[^@\s]+@sha256:[0-9a-f]{64}", re.ASCII)
IMAGES = ("orthanc", "nginx", "identity", "postgresql", "audit", "backup", "acme")
SUITE = re.compile(r"[a-z][a-z0-9-]*", re.ASCII)
SNAPSHOT = "%Y%m%dT%H%M%SZ"
LOGIN = ("server", "username", "password")


def image_problems(
    *,
    source: str,
    archive: str,
    upstream_orthanc: str,
    registry: Mapping[str, Any],
    suites: object,
    mirror: str,
    snapshot: str,
    require_fresh_index: bool,
) -> Iterator[str]:
    """Of where the images come from, and what that needs.

    :param source: as ``orthweb_images_source`` has it; the rules of the others do not matter
    :param archive: path of the tarball on the controller
    :param registry: what ``registry_problems`` takes
    """
    yield from source_problems(source, archive)
    if source == "registry":
        needed = [image for image in registry["needed"] if not (upstream_orthanc and image == "orthanc")]
        yield from registry_problems(**{**registry, "needed": needed})
    elif source == "debian":
        yield from image_source_problems(suites, mirror, snapshot, require_fresh_index)
    yield from upstream_image_problems(upstream_orthanc, source)


def source_problems(source: str, archive: str) -> Iterator[str]:
    """Of the source alone.

    :param source: as ``orthweb_images_source`` has it
    :param archive: path of the tarball on the controller
    """
    if source not in ("debian", "archive", "registry"):
        yield (
            f'orthweb_images_source is "{source}": choose debian (built here from Debian packages), archive (a '
            "tarball made with make save-images) or registry (pulled by digest)."
        )
    elif source == "archive" and not Path(archive).is_file():
        yield (
            f"orthweb_images_archive is {archive}, but there is no such file on the controller: create it with make "
            "save-images on a machine with network access."
        )


def registry_problems(
    references: Mapping[str, Any], *, needed: Collection[str], host: str, login_keys: Sequence[str], ca: str
) -> Iterator[str]:
    """A tag can be moved to other contents, a digest cannot: what was tried is what runs.

    :param references: by image, as ``orthweb_images_registry`` has them
    :param needed: images that ``host`` runs
    :param login_keys: what ``orthweb_images_registry_login`` has
    :param ca: path of the registry's CA on the controller, or empty
    """
    if not isinstance(references, Mapping):
        yield f"orthweb_images_registry is {references!r}: set a reference for each image ({', '.join(IMAGES)})."
        return
    for image in needed:
        if image not in references:
            yield f"orthweb_images_registry has no entry for {image}, which {host} runs."
    for image, reference in references.items():
        if not PINNED.fullmatch(str(reference)):
            yield (
                f'orthweb_images_registry: {image} is "{reference}", which is not pinned by digest: write '
                "registry/name@sha256: and 64 hexadecimal digits (docker image inspect shows them as RepoDigests after "
                "a push or pull)."
            )
    if login_keys and sorted(login_keys) != sorted(LOGIN):
        yield (
            f"orthweb_images_registry_login has {', '.join(login_keys)}: set server, username and password, or none of "
            "them."
        )
    if ca and not Path(ca).is_file():
        yield f"orthweb_images_registry_ca is {ca}, but there is no such file on the controller."


def _suite_problems(suites: object) -> Iterable[str]:
    if not isinstance(suites, dict):
        yield f"orthweb_images_suites is {suites!r}: set the Debian release of each image ({', '.join(IMAGES)})."
        return
    if missing := [image for image in IMAGES if image not in suites]:
        yield (
            f"orthweb_images_suites has no entry for {', '.join(missing)}: it replaces the default as a whole, so "
            f"name the Debian release of each image ({', '.join(IMAGES)})."
        )
    if problem := unknown_keys(suites, IMAGES):
        yield f"orthweb_images_suites {problem}"
    for image, suite in suites.items():
        if not SUITE.fullmatch(str(suite)):
            yield f"orthweb_images_suites: {image} is {suite!r}, which is not the name of a Debian release (trixie)."


def image_source_problems(suites: object, mirror: str, snapshot: str, require_fresh_index: bool) -> list[str]:
    """Sentences; empty if nothing is wrong.

    :param suites: image → Debian release
    :param mirror: URL of a Debian mirror, or empty
    :param snapshot: a state of Debian's archive as snapshot.debian.org names it (``20261115T000000Z``), or empty
    :param require_fresh_index: whether a mirror is refused whose index is past its date
    """
    problems = list(_suite_problems(suites))
    if mirror and not re.fullmatch(r"https?://[^\s/]+(/\S*)?", mirror):
        problems.append(f"orthweb_images_debian_mirror is {mirror!r}, which is not an http or https URL.")
    if snapshot:
        try:
            datetime.strptime(str(snapshot), SNAPSHOT)
        except ValueError:
            problems.append(
                f"orthweb_images_snapshot is {snapshot!r}: write a date and time in UTC such as 20261115T000000Z."
            )
        if mirror:
            problems.append(
                "orthweb_images_snapshot and orthweb_images_debian_mirror are both set, but a snapshot has its own "
                "mirror: set only one of them."
            )
        if require_fresh_index:
            problems.append(
                "orthweb_images_snapshot asks for old packages, but orthweb_images_require_fresh_index refuses them: "
                "set only one of them."
            )
    return problems


def upstream_image_problems(reference: str, source: str) -> list[str]:
    """Sentences; empty if nothing is wrong.

    :param reference: the upstream image of Orthanc, or empty
    :param source: where the other images come from, as ``orthweb_images_source`` has it
    """
    if not reference:
        return []
    problems = []
    if not PINNED.fullmatch(reference):
        problems.append(
            f"orthweb_images_upstream_orthanc is {reference!r}, which is not pinned by digest: write "
            "orthancteam/orthanc:<version>@sha256: and 64 hexadecimal digits (docker image inspect shows them as "
            "RepoDigests after a pull)."
        )
    if source == "archive":
        problems.append(
            "orthweb_images_upstream_orthanc cannot come from an archive, which keeps no digest: push the image to a "
            "registry that the hosts can reach, and set orthweb_images_source: registry."
        )
    return problems
