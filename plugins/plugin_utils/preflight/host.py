# SPDX-License-Identifier: GPL-3.0-or-later
"""The host: who logs in, its distribution, its size."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

STACK = re.compile(r"[a-z][a-z0-9-]{0,30}", re.ASCII)


def host_problems(
    *,
    name: str,
    root: bool,
    distribution: str,
    version: str,
    tried: Mapping[str, Sequence[str]],
    disk_free_mb: int,
    minimum_disk_mb: int,
    docker_directory: str,
    memory_mb: int,
    minimum_memory_mb: int,
    runs: bool,
) -> Iterator[str]:
    """Of the host itself: root, distribution, disk and memory.

    :param name: in the inventory
    :param root: whether it is root who looked
    :param version: of the distribution, the major version first
    :param tried: distribution → major versions
    :param disk_free_mb: MiB that are free in Docker's folder
    :param runs: whether the stack runs there: it has its images, and gets new certificates even on a full disk
    """
    if not root:
        yield (
            f"No root on {name}: run as root, or as a user who can use sudo (if sudo asks for a password: make deploy "
            "ARGS=--ask-become-pass)."
        )
    if version.partition(".")[0] not in tried.get(distribution, ()):
        yield (
            f"Unsupported distribution: {name} runs {distribution} {version}; this version of orthweb was tested on "
            "Debian 12 and 13 only."
        )
    if not runs and disk_free_mb < minimum_disk_mb:
        yield (
            f"Too little disk: {disk_free_mb} MB are free in {docker_directory}, but {minimum_disk_mb} MB are needed "
            "for images and first studies (preflight_minimum_disk_mb)."
        )
    if memory_mb < minimum_memory_mb:
        yield (
            f"Too little memory: {name} has {memory_mb} MB, but {minimum_memory_mb} MB are needed "
            "(preflight_minimum_memory_mb)."
        )


def stack_problems(stack: str) -> Iterator[str]:
    """The stack's name is part of those of containers, networks and folders."""
    if not STACK.fullmatch(stack):
        yield f'orthweb_stack is "{stack}": use 1 to 31 lowercase letters, digits and hyphens, beginning with a letter.'
