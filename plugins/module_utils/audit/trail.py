# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the audit trail: puts together what each source knows of an event, and finds those that are asked for.

nginx knows who asked for which path; Orthanc, which study that is, and what was done in an association.
"""

from __future__ import annotations

import gzip
import heapq
import json
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

Line = dict[str, Any]
_NAME = re.compile(r"(\d{4}-\d{2}-\d{2})(\.\d{2})?\.jsonl(\.gz)?")
_HELPS = re.compile(rb'"action": ?"(known|received|association)"')
_RESOURCE = re.compile(rb'"resource": ?"[^"]')
_EVERYTHING = re.compile(b"")
_MOST_NEEDLES = 500  # a pattern of more is slower than reading all lines


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


def _lines(paths: Iterable[Path], pattern: re.Pattern[bytes] = _EVERYTHING) -> Iterator[Line]:
    """The lines of files, of those in which the pattern is found."""
    for path in paths:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
            for text in file:
                if pattern.search(text):
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


def _pattern(query: Query, known: _Knowledge) -> re.Pattern[bytes]:
    """What is in each line that may be asked for: so that the others need not be read."""
    needles = set()
    if query.study:
        needles = {
            name for name, studies in (*known.resources.items(), *known.requests.items()) if query.study in studies
        }
        needles.add(query.study)
    elif query.account:
        spans = (span for spans in known.associations.values() for span in spans)
        lines = (line for _begin, _end, line in spans)
        needles = {
            str(line["aet"]) for line in lines if query.account in str(line.get("certificate")) and line.get("aet")
        }
        needles.add(query.account)
    if not needles or len(needles) > _MOST_NEEDLES:
        return _EVERYTHING
    return re.compile(b"|".join(re.escape(json.dumps(needle)[1:-1].encode()) for needle in sorted(needles)))


def _latest(days: Iterable[tuple[str, Iterable[Line]]], most: int) -> list[Line]:
    """The latest of them, the oldest first, each once: after a crash, a line may be there twice.

    :param days: the latest day first, with the events that were received on it, none of which is of a later day
    """
    kept: list[tuple[str, int, str]] = []
    inside: set[str] = set()
    number = 0
    for day, events in days:
        if len(kept) == most and kept[0][0][:10] > day:
            break
        for event in events:
            number += 1
            entry = str(event["time"]), number, json.dumps(event, sort_keys=True)
            if entry[2] in inside:
                continue
            inside.add(entry[2])
            heapq.heappush(kept, entry)
            if len(kept) > most:
                inside.remove(heapq.heappop(kept)[2])
    return [json.loads(text) for _time, _number, text in sorted(kept)]


def _day_after(until: str) -> str:
    """The last day on which an association may have ended in which something was done until then."""
    try:
        return (date.fromisoformat(until[:10]) + timedelta(days=1)).isoformat()
    except (ValueError, OverflowError):  # no whole day
        return "9999"


def _begins_after(path: Path, day: str) -> bool:
    """Whether all lines of a file are of later days: they are in the order in which they were written."""
    first = next(_lines([path]), None)
    return first is not None and str(first["time"])[:10] > day


def _resolve(known: _Knowledge, resources: set[str], older: Iterable[Path]) -> None:
    """Learn which studies these resources are, which may have been said long ago."""
    for path in older:
        if not resources:
            return
        for line in _lines([path], _HELPS):
            if line["action"] == "known":
                known.learn(line)
                resources.discard(str(line.get("resource")))


def read(folder: Path, query: Query, most: int = sys.maxsize) -> list[Line]:
    """The events that are asked for, the oldest first; if there are more than so many, the latest of them.

    What is in memory grows with these, and with what has to be known of others, and not with the trail.

    :param folder: the trail: a folder for each source, with a file for each day on which lines were received
    """
    files = _files(folder)
    end = _day_after(query.until)
    recent = [
        (day, path) for day, path in files if day >= query.since[:10] and not (day > end and _begins_after(path, end))
    ]
    known = _Knowledge()
    for line in _lines((path for _day, path in recent), _HELPS):
        known.learn(line)
    older = [path for day, path in reversed(files) if day < query.since[:10] and path.parent.name == "orthanc"]
    named = _lines((path for _day, path in recent if older), _RESOURCE)
    _resolve(known, {str(line["resource"]) for line in named if _is_of_study(line)} - known.resources.keys(), older)
    pattern = _pattern(query, known)

    def events(paths: Iterable[Path]) -> Iterator[Line]:
        for line in _lines(paths, pattern):
            if line.get("action") and not _is_help(line):
                event = _event(line, known)
                if query.fits(event):
                    yield event

    latest_first = groupby(sorted(recent, key=itemgetter(0), reverse=True), key=itemgetter(0))
    return _latest(((day, events(path for _day, path in group)) for day, group in latest_first), most)


def _is_of_study(line: Line) -> bool:
    """Whether it is of a resource that there is: nobody knows the study of one that there is not."""
    return bool(line.get("resource")) and line.get("outcome") != "failure"


def _is_help(line: Line) -> bool:
    """Whether a line is no event of its own. What was received without nginx is."""
    return line["action"] == "known" or (line["action"] == "received" and bool(line.get("request")))
