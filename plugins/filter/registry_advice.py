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
        "The registry did not let us in: look at server, username and password in orthweb_images_registry_login, and"
        " whether this user may read the image.",
    ),
    (
        "manifest unknown|not found|manifest invalid|MANIFEST_UNKNOWN|NAME_UNKNOWN",
        "The registry answers, and does not have this image: compare name and digest with what was pushed"
        ' (docker image inspect --format "{{.RepoDigests}}" there).',
    ),
    (
        "x509|certificate|server gave HTTP response to HTTPS client",
        "The registry's certificate is not trusted on this host: give the certificate of its CA as"
        " orthweb_images_registry_ca, and call the registry by a name that its certificate carries.",
    ),
    (
        "refused|no such host|timeout|deadline|unreachable|no route|EOF|reset by peer|lookup",
        "The registry cannot be reached from this host: look at its name and port, at the network between them, and"
        " whether it runs.",
    ),
    ("no space left", "The disk of this host is full, so make room in Docker's folder."),
)
OTHERWISE = "Look at what it said, fix it and run the playbook again."


def registry_advice(said: str) -> str:
    """What to do, in a sentence or two.

    :param said: what ``docker login`` or ``docker pull`` printed
    """
    return next((do for pattern, do in ADVICE if re.search(pattern, said, re.IGNORECASE)), OTHERWISE)


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"registry_advice": registry_advice}
