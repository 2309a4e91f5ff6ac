# SPDX-License-Identifier: GPL-3.0-or-later
"""By which reference an image is known. The tag has the digest of its definition, and so is the same everywhere."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from hashlib import sha256
from typing import Any


def base_references(suites: Iterable[str], definition: Iterable[str]) -> dict[str, str]:
    """Suite → reference of the base image.

    :param definition: all texts that the base image is made by
    """
    texts = list(definition)
    return {suite: f"orthweb/base:{suite}-{_digest([*texts, suite])}" for suite in suites}


def image_references(
    definitions: Mapping[str, Iterable[str]], suites: Mapping[str, str], bases: Mapping[str, str]
) -> dict[str, str]:
    """Name → reference of the image.

    :param definitions: name → all texts that the image is made by
    :param suites: name → Debian's suite
    :param bases: suite → reference of the base image
    """
    return {
        name: f"orthweb/{name}:{suites[name]}-{_digest([*texts, bases[suites[name]]])}"
        for name, texts in definitions.items()
    }


def loaded_images(said: str, names: Iterable[str]) -> dict[str, list[str]]:
    """Name → references that an archive held, the newest first, from what ``docker image load`` said."""
    return {name: sorted(re.findall(rf"Loaded image: (orthweb/{name}:\S+)", said), reverse=True) for name in names}


def _digest(texts: Iterable[str]) -> str:
    return sha256("\n".join(texts).encode()).hexdigest()[:12]


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {
            "base_references": base_references,
            "image_references": image_references,
            "loaded_images": loaded_images,
        }
