# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the audit trail: puts together what each source knows of an event, and finds those that are asked for.

nginx knows who asked for which path; Orthanc, which study that is, and what was done in an association.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

Line = dict[str, Any]
_NAME = re.compile(r"(\d{4}-\d{2}-\d{2})(\.\d{2})?\.jsonl(\.gz)?")


@dataclass(frozen=True)
class Query:
    """What is asked for; what is empty may be anything. Times are the beginnings of ISO 8601, such as a day."""

    study: str = ""
    account: str = ""
    since: str = ""
    until: str = ""

    def fits(self, event: Line) -> bool:
        """Whether an event is asked for. An account may be an AE title, the name of a certificate, or a share link."""
        time = str(event["time"])
        names = (event["account"], event["aet"], event["certificate"], event.get("share"))
        return (
            (not self.study or self.study in event["studies"])
            and (not self.account or self.account in names)
            and time >= self.since
            and (not self.until or time[: len(self.until)] <= self.until)
        )


@dataclass
class _Knowledge:
    """What lines say of others: studies by resource and by request, and the associations of each AE title."""

    resources: dict[str, set[str]] = field(default_factory=dict)
    requests: dict[str, set[str]] = field(default_factory=dict)
    associations: dict[str, list[tuple[datetime, datetime, Line]]] = field(default_factory=dict)

    def learn(self, line: Line) -> None:
        action, studies = line.get("action"), _studies(line)
        if action == "known":
            self.resources.setdefault(str(line.get("resource")), set()).update(studies)
        elif action == "received" and line.get("request"):
            self.requests.setdefault(str(line["request"]), set()).update(studies)
        elif action == "association" and line.get("result") == "accepted":
            end = _time(line)
            seconds = line.get("seconds")
            begin = end - timedelta(seconds=min(seconds, 86400) if isinstance(seconds, int | float) else 0)
            margin = timedelta(seconds=2)
            self.associations.setdefault(str(line.get("aet")), []).append((begin - margin, end + margin, line))

    def association_of(self, line: Line) -> Line:
        """The one in which it was done; nothing if it is not over, or if several were open at the time."""
        if line.get("door") != "DICOM" or line.get("source") != "orthanc":
            return {}
        time, aet = _time(line), str(line.get("aet"))
        found = [known for begin, end, known in self.associations.get(aet, []) if begin <= time <= end]
        same = {(known.get("certificate"), known.get("address")) for known in found}
        return found[0] if len(same) == 1 else {}


def _studies(line: Line) -> list[str]:
    return [study for study in re.split(r"[,\\]", str(line.get("study") or "")) if study]


def _time(line: Line) -> datetime:
    return datetime.fromisoformat(str(line["time"]))


def _common_name(subject: str) -> str:
    found = re.match(r"CN=([^,]+)", subject)
    return found[1] if found else subject


def _files(folder: Path) -> list[tuple[str, Path]]:
    """Each file with its day, the oldest first."""
    found = ((_NAME.fullmatch(path.name), path) for path in folder.glob("*/*.jsonl*"))
    return sorted((match[1], path) for match, path in found if match)


def _lines(path: Path, only: bytes = b"") -> Iterator[Line]:
    """The lines of a file, of those that have some text."""
    with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
        for text in file:
            if only in text:
                line = json.loads(text)
                if _is_event(line):
                    yield line


def _is_event(line: Line) -> bool:
    try:
        return _time(line).tzinfo is not None
    except (KeyError, ValueError):
        return False


def _event(line: Line, known: _Knowledge) -> Line:
    studies = set(_studies(line)) | known.requests.get(str(line.get("request")), set())
    studies |= known.resources.get(str(line.get("resource")), set())
    association = known.association_of(line)
    text = {key: str(line.get(key) or association.get(key) or "") for key in ("account", "role", "aet", "address")}
    return {
        **{key: value for key, value in line.items() if key not in ("study", "called", "received")},
        **text,
        "certificate": _common_name(str(line.get("certificate") or association.get("certificate") or "")),
        "action": "deleted" if line["action"] == "gone" else line["action"],
        "outcome": str(line.get("outcome") or "success"),
        "studies": sorted(studies),
    }


def _once(lines: Iterable[Line]) -> Iterator[Line]:
    """After a crash, a line may be there twice, with another time of receipt."""
    seen: set[str] = set()
    for line in lines:
        same = json.dumps({**line, "received": ""}, sort_keys=True)
        if same not in seen:
            seen.add(same)
            yield line


def read(folder: Path, query: Query) -> list[Line]:
    """The events that are asked for, the oldest first.

    :param folder: the trail: a folder for each source, with a file for each day on which lines were received
    """
    files = _files(folder)
    recent = [path for day, path in files if day >= query.since[:10]]
    lines = list(_once(line for path in recent for line in _lines(path)))
    known = _Knowledge()
    for line in lines:
        known.learn(line)
    if any(line.get("resource") and str(line["resource"]) not in known.resources for line in lines):
        for path in (path for day, path in files if day < query.since[:10]):
            for line in _lines(path, b'"known"'):
                known.learn(line)
    events = (_event(line, known) for line in lines if line.get("action") and not _is_help(line))
    return sorted((event for event in events if query.fits(event)), key=lambda event: str(event["time"]))


def _is_help(line: Line) -> bool:
    """Whether a line is no event of its own. What was received without nginx is."""
    return line["action"] == "known" or (line["action"] == "received" and bool(line.get("request")))
