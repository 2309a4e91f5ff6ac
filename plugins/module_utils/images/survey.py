# SPDX-License-Identifier: GPL-3.0-or-later
"""How old images are, what is pending for them, what is known against them: the facts, and what a person reads."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from ..atomic_file import write_atomically
from . import engine
from .advisories import Advisory, Table, applying
from .contents import (
    Update,
    read_package_index,
    read_sbom,
)

KEEP_ANSWERS = timedelta(days=7)
RETRY_AFTER_FAILURE = timedelta(hours=1)
NAMED_UPDATES = 4


@dataclass(frozen=True)
class Image:
    """An image that a host has.

    :ivar packages_of: date of the newest package index that it was built from; None where it does not say
    :ivar built: None where it does not say
    :ivar asked: when apt answered; None where it did not
    :ivar problem: why apt was not asked, or did not answer
    :ivar pending: security updates
    """

    name: str
    reference: str
    id: str
    versions: dict[str, str]
    packages_of: datetime | None
    built: datetime | None
    asked: datetime | None
    problem: str
    pending: tuple[Update, ...]
    known: tuple[Advisory, ...]


class Answers:
    """What apt answered, by image ID, in a file: what was asked a while ago is not asked again."""

    def __init__(self, path: Path, now: datetime, max_age: timedelta) -> None:
        self._path, self._now, self._max_age = path, now, max_age
        try:
            raw = json.loads(path.read_text(encoding="utf-8"))
            self._answers = {image: self._load(answer) for image, answer in raw.items()}
        except (OSError, ValueError, TypeError, KeyError, AttributeError):  # none yet, or no such file: asked again
            self._answers = {}

    @staticmethod
    def _load(raw: Mapping[str, Any]) -> tuple[datetime, engine.Answer]:
        updates = tuple(Update(**update) for update in raw["updates"])
        return datetime.fromisoformat(raw["asked"]), engine.Answer(updates, raw["problem"])

    def get(self, image: str) -> tuple[datetime, engine.Answer] | None:
        """When it answered, and what; None if that is too long ago."""
        if (found := self._answers.get(image)) is None:
            return None
        asked, answer = found
        max_age = min(self._max_age, RETRY_AFTER_FAILURE) if answer.problem else self._max_age
        return found if self._now - asked < max_age else None

    def put(self, image: str, answer: engine.Answer) -> tuple[datetime, engine.Answer]:
        self._answers[image] = (self._now, answer)
        return self._answers[image]

    def save(self) -> None:
        """Raises :class:`OSError`."""
        kept = {
            image: {"asked": asked.isoformat(), **asdict(answer)}
            for image, (asked, answer) in self._answers.items()
            if self._now - asked < KEEP_ANSWERS
        }
        self._path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(self._path, json.dumps(kept, indent=1).encode(), mode=0o644)


def look(
    name: str,
    reference: str,
    image: str,
    *,
    table: Table,
    answers: Answers,
    now: datetime,
    max_age: timedelta,
    version: str = "",
    timeout_seconds: float = 60,
) -> Image:
    """Look at an image that the host has.

    :param version: the version that the running program says it has, for an image that carries no list of packages
    :param timeout_seconds: how long apt may take, where there is no answer that is new enough; 0 = it is not asked
    """
    sbom, index = engine.read_files(image)
    contents = read_sbom(sbom) if sbom else None
    versions = contents.versions if contents else {name: version} if version else {}
    dates = read_package_index(index)
    built = contents.built if contents else None
    asked, answer = _ask(image, built, answers, now, max_age, timeout_seconds)
    return Image(
        name=name,
        reference=reference,
        id=image,
        versions=versions,
        packages_of=max(dates.values(), default=None),
        built=built,
        asked=asked if not answer.problem else None,
        problem=answer.problem,
        pending=answer.updates,
        known=tuple(applying(table, versions)),
    )


def _ask(
    image: str, built: datetime | None, answers: Answers, now: datetime, max_age: timedelta, timeout_seconds: float
) -> tuple[datetime | None, engine.Answer]:
    if not timeout_seconds:
        return None, engine.Answer(problem="not wanted")
    if built is not None and now - built < max_age:
        return built, engine.Answer()  # its build upgraded everything
    return answers.get(image) or answers.put(image, engine.ask(image, timeout_seconds))


def line(image: Image, now: datetime) -> str:
    """One line about an image."""
    age = (
        f"packages of {image.packages_of:%Y-%m-%d} ({_days(now - image.packages_of)})"
        if image.packages_of
        else ("has no list of packages and no date")
    )
    if image.pending:
        some = ", ".join(str(update) for update in image.pending[:NAMED_UPDATES])
        more = f" and {len(image.pending) - NAMED_UPDATES} more" if len(image.pending) > NAMED_UPDATES else ""
        updates = f"{len(image.pending)} SECURITY UPDATE{'S' if len(image.pending) > 1 else ''} PENDING: {some}{more}"
    elif image.asked:
        updates = f"no security update pending (checked {image.asked:%Y-%m-%d %H:%M} UTC)"
    else:
        updates = f"security updates unknown: {image.problem}"
    return f"{image.name:<12}{age}; {updates}"


def warnings(image: Image, table: Table) -> list[str]:
    """What has to be loud: that a known vulnerability applies, with its fix. One sentence for each version to go to."""
    said = []
    for component, fixed_in in dict.fromkeys((advisory.component, advisory.fixed_in) for advisory in image.known):
        group = [one for one in image.known if (one.component, one.fixed_in) == (component, fixed_in)]
        worst = group[0]
        score = f", CVSS up to {worst.cvss}" if worst.cvss else ""
        severity = "severity not recorded" if worst.severity == "unknown" else f"up to {worst.severity}{score}"
        identifiers = ", ".join(identifier for one in group for identifier in one.identifiers)
        said.append(
            f"KNOWN VULNERABILITIES: {component} {image.versions[component]} in {image.reference} is below {fixed_in},"
            f" which fixes {identifiers} ({severity}; table of {table.date}). {worst.what}"
        )
    return said


def _days(age: timedelta) -> str:
    return "today's" if age.days < 1 else "1 day old" if age.days == 1 else f"{age.days} days old"
