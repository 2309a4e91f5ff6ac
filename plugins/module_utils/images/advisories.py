# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of vulnerabilities with a known fix (``files/advisories.yml``), and which of them apply to versions."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

SEVERITIES = ("critical", "high", "medium", "low", "unknown")  # the most urgent first
_IDENTIFIER = re.compile(r"CVE-\d{4}-\d{4,}")
_VERSION = re.compile(r"\d[0-9A-Za-z.+~]*")


class TableError(ValueError):
    """The table is not as it should be; the message says where."""


@dataclass(frozen=True)
class Advisory:
    """One or several vulnerabilities with the same fix.

    :ivar component: name of the package, as an image's list of packages has it
    :ivar fixed_in: first upstream version that is not affected
    :ivar cvss: highest published base score; None where none was at hand
    """

    component: str
    identifiers: tuple[str, ...]
    fixed_in: str
    severity: str
    cvss: float | None
    what: str


@dataclass(frozen=True)
class Table:
    """Vulnerabilities with a known fix.

    :ivar date: when it was last looked through
    """

    date: date
    advisories: tuple[Advisory, ...]


def read_table(raw: Mapping[str, Any]) -> Table:
    """The table as YAML has it, checked. Raises :class:`TableError`."""
    try:
        day = date.fromisoformat(str(raw["date"]))
    except (KeyError, ValueError):
        raise TableError(f'its date is "{raw.get("date")}", not a date such as 2026-11-28') from None
    entries = raw.get("advisories")
    if not isinstance(entries, list) or not all(isinstance(entry, Mapping) for entry in entries):
        raise TableError('"advisories" is not a list of entries')
    return Table(day, tuple(_read_entry(number, entry) for number, entry in enumerate(entries, 1)))


def _read_entry(number: int, entry: Mapping[str, Any]) -> Advisory:
    def refuse(problem: str) -> TableError:
        return TableError(f"entry {number} {problem}")

    if wrong := (set(entry) - {"cvss"}) ^ {"component", "identifiers", "fixed_in", "severity", "what"}:
        raise refuse(f"has missing or unknown keys: {', '.join(sorted(map(str, wrong)))}")
    identifiers, cvss = entry["identifiers"], entry.get("cvss")
    if not isinstance(identifiers, list) or not identifiers:
        raise refuse("has no list of identifiers")
    if bad := [str(one) for one in identifiers if not _IDENTIFIER.fullmatch(str(one))]:
        raise refuse(f"has identifiers that are not CVE numbers: {', '.join(bad)}")
    if not isinstance(entry["fixed_in"], str) or not _VERSION.fullmatch(entry["fixed_in"]):
        raise refuse(f'is fixed in "{entry["fixed_in"]}", which is not an upstream version')
    if entry["severity"] not in SEVERITIES:
        raise refuse(f'has the severity "{entry["severity"]}"; there are {", ".join(SEVERITIES)}')
    if cvss is not None and (isinstance(cvss, bool) or not isinstance(cvss, (int, float)) or not 0 <= cvss <= 10):
        raise refuse(f'has the score "{cvss}", which is not a number from 0 to 10')
    if cvss is not None and entry["severity"] != rating(cvss):
        raise refuse(f"has the severity {entry['severity']}, but its score {cvss} means {rating(cvss)}")
    if not all(isinstance(entry[key], str) and entry[key].strip() for key in ("component", "what")):
        raise refuse("has an empty component or description")
    return Advisory(
        entry["component"], tuple(identifiers), entry["fixed_in"], entry["severity"], cvss, entry["what"].strip()
    )


def rating(score: float) -> str:
    """The word for a base score (CVSS v3.1 §5)."""
    return "critical" if score >= 9 else "high" if score >= 7 else "medium" if score >= 4 else "low"


def upstream(version: str) -> str:
    """The upstream part of a Debian version (Debian policy §5.6.12), without what Debian removed from it.

    ``1:1.12.7+dfsg-1+b1`` → ``1.12.7``; an upstream version is its own upstream part.
    """
    without_epoch = version.partition(":")[2] if ":" in version else version
    without_revision = without_epoch.rpartition("-")[0] or without_epoch
    return re.sub(r"\+(dfsg|ds)[0-9.]*$", "", without_revision)


def is_older(version: str, other: str) -> bool:
    """Whether one upstream version sorts before another. Raises :class:`OSError` where there is no dpkg to say so."""
    command = ["dpkg", "--compare-versions", version, "lt", other]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def applying(table: Table, versions: Mapping[str, str], older: Callable[[str, str], bool] = is_older) -> list[Advisory]:
    """Those of the table that are not fixed in ``versions`` (component → version), the most urgent first."""
    found = [
        advisory
        for advisory in table.advisories
        if (version := versions.get(advisory.component)) is not None
        and _VERSION.fullmatch(upstream(version))  # "mainline", a build of the day, has no place in this order
        and older(upstream(version), advisory.fixed_in)
    ]
    return sorted(found, key=lambda advisory: (SEVERITIES.index(advisory.severity), -(advisory.cvss or 0)))
