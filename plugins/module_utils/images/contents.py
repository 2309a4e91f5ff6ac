# SPDX-License-Identifier: GPL-3.0-or-later
"""What an image says of itself: list of packages (CycloneDX), date of the package index, what apt would upgrade."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

# Inst NAME [INSTALLED] (CANDIDATE ORIGIN:RELEASE/ARCHIVE, … [ARCHITECTURE]); one that would be new has no [INSTALLED].
_UPGRADE = re.compile(r"Inst (?P<name>\S+) \[(?P<installed>\S+)\] \((?P<candidate>\S+) (?P<origins>.*?) \[\S+\]\)")


@dataclass(frozen=True)
class Contents:
    """What is in an image.

    :ivar versions: package or other component → version
    :ivar built: when the image was built
    """

    versions: dict[str, str]
    built: datetime


@dataclass(frozen=True)
class Update:
    """A package that apt would upgrade.

    :ivar origins: where the newer one is, such as ``Debian-Security:13/stable-security``
    """

    name: str
    installed: str
    candidate: str
    origins: str

    @property
    def is_security(self) -> bool:
        """Whether it counts as one: from a security suite, or a newer Orthanc, for which testing has no such suite."""
        return "security" in self.origins.lower() or self.name.startswith("orthanc")

    def __str__(self) -> str:
        return f"{self.name} {self.installed} → {self.candidate}"


def read_sbom(text: str) -> Contents:
    """A CycloneDX list as ``finish_image.sh`` writes it. Raises :class:`ValueError` where it is something else."""
    try:
        raw = json.loads(text)
        versions = {component["name"]: component["version"] for component in raw["components"]}
        built = datetime.fromisoformat(raw["metadata"]["timestamp"].replace("Z", "+00:00"))
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"not a CycloneDX list with components and a timestamp ({type(error).__name__}: {error})"
        ) from None
    return Contents(versions, built)


def read_package_index(text: str) -> dict[str, datetime]:
    """Suite → date of its index, from lines such as ``trixie Sat, 21 Nov 2026 09:15:44 UTC``."""
    dates = {}
    for line in text.splitlines():
        suite, _space, day = line.strip().partition(" ")
        if day:
            dates[suite] = _aware(parsedate_to_datetime(day))
    return dates


def read_simulation(lines: Iterable[str]) -> list[Update]:
    """The upgrades in what ``apt-get --simulate dist-upgrade`` prints, by name."""
    found = (_UPGRADE.match(line) for line in lines)
    return sorted((Update(**match.groupdict()) for match in found if match), key=lambda update: update.name)


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
