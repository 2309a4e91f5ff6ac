# SPDX-License-Identifier: GPL-3.0-or-later
"""What to do about a registry that did not give an image."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

# What `docker login` and `docker pull` say → what to do about it; the first that fits.
ADVICE = (
    (
        "unauthorized|no basic auth credentials|authentication required|incorrect username|access denied|denied:"
        "|403 Forbidden",
        "The registry refused access: check server, username and password in orthweb_images_registry_login, and "
        "whether this user is allowed to read the image.",
    ),
    (
        "manifest unknown|not found|manifest invalid|MANIFEST_UNKNOWN|NAME_UNKNOWN",
        "The registry answers, but does not have this image: compare name and digest with what was pushed"
        ' (docker image inspect --format "{{.RepoDigests}}" there).',
    ),
    (
        "x509|certificate|server gave HTTP response to HTTPS client",
        "The registry's certificate is not trusted on this host: set orthweb_images_registry_ca to the certificate of "
        "its CA, and use a registry name that is in its certificate.",
    ),
    (
        "refused|no such host|timeout|deadline|unreachable|no route|EOF|reset by peer|lookup",
        "The registry cannot be reached from this host: check its name and port, the network between them, and whether "
        "it is running.",
    ),
    ("no space left", "The disk of this host is full. Free space in Docker's folder."),
)
OTHERWISE = "Fix the cause and run the playbook again."


def registry_advice(said: str) -> str:
    """What to do, in a sentence or two.

    :param said: what ``docker login`` or ``docker pull`` printed
    """
    return next((do for pattern, do in ADVICE if re.search(pattern, said, re.IGNORECASE)), OTHERWISE)


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"registry_advice": registry_advice}
