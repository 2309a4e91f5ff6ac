# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare an archive, look again at what may just be on its way, and remove old orphans by name."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ..atomic_file import write_atomically
from ..dicom.words import first_few
from ..orthanc_storage import Archive, StorageError
from .areas import StorageArea, area_of, is_name, named_now
from .compare import UNSETTLED, Comparison, Difference, aged, compared, removable

_SETTLES_WITHIN_SECONDS = 5


@dataclass(frozen=True)
class Outcome:
    """``since``: when each orphan was first seen. ``removable``: names of those that were there for more than a day."""

    comparison: Comparison
    since: dict[str, float]
    removable: list[str]


def reconcile(archive: Archive, journal: Path, *, check_mode: bool) -> Outcome:
    """Compare index and storage area. Raises ``StorageError``.

    :param journal: a file that keeps since when orphans are known to be there; not written in check mode
    """
    area = area_of(archive)
    comparison = settled(archive, area, compared(*area.read()))
    now = time.time()
    since = aged(comparison.differences, _read(journal), now)
    if not check_mode:
        _write(journal, since)
    return Outcome(comparison, since, removable(since, now))


def remove(archive: Archive, journal: Path, names: Sequence[str], *, check_mode: bool) -> list[str]:
    """Remove orphans that :func:`reconcile` has found to be removable, and return those that are gone.

    What the index names by now stays. Raises ``StorageError``, before anything is removed, if one of them is not known
    to be there for more than a day.
    """
    since = _read(journal)
    old = set(removable(since, time.time()))
    if unknown := [name for name in names if not is_name(name) or name not in old]:
        raise StorageError(
            f"Nothing was removed: {first_few(unknown)} is not known to have been an orphan for more than a day. "
            f"{journal} has those that are."
        )
    if check_mode:
        return list(names)
    area = area_of(archive)
    area.remove(names)
    left = area.present(names)
    gone = [name for name in names if name not in left]
    _write(journal, {name: then for name, then in since.items() if name not in set(gone)})
    return gone


def settled(archive: Archive, area: StorageArea, comparison: Comparison) -> Comparison:
    """Look once more at what was perhaps being stored or removed, and leave out what is in order by now."""
    doubtful = {each.uuid for each in comparison.differences if each.state in UNSETTLED and is_name(each.uuid)}
    if not doubtful:
        return comparison
    time.sleep(_SETTLES_WITHIN_SECONDS)
    names = sorted(doubtful)
    named, present = named_now(archive, names), area.present(names)

    def remains(each: Difference) -> bool:
        if each.uuid not in doubtful or each.foreign:
            return True
        if each.state == "orphaned":
            return each.uuid in present and each.uuid not in named
        return each.state != "missing" or (each.uuid in named and not present.get(each.uuid, False))

    differences = [each for each in comparison.differences if remains(each)]
    stored = {each.uuid for each in comparison.differences} & named - {each.uuid for each in differences}
    return Comparison(comparison.equal, comparison.unverified + len(stored), differences)


def listed(outcome: Outcome) -> list[dict[str, str]]:
    """Return the differences with SOP instance UIDs and names of attachments, and nothing about patients."""
    return [
        {
            "state": each.state,
            "attachment": each.uuid,
            "sop_instance_uid": each.sop_instance_uid,
            "reason": each.reason,
            "since": _as_text(outcome.since.get(each.uuid)) if each.state == "orphaned" else "",
        }
        for each in outcome.comparison.differences
    ]


def _as_text(then: float | None) -> str:
    return f"{datetime.fromtimestamp(then, UTC):%Y-%m-%dT%H:%M:%SZ}" if then is not None else ""


def _read(journal: Path) -> dict[str, float]:
    try:
        return {str(name): float(then) for name, then in json.loads(journal.read_text()).items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise StorageError(
            f"{journal} cannot be read ({error}). It says since when orphans are known to be there. Remove it: "
            "they are then kept for another day."
        ) from error


def _write(journal: Path, since: dict[str, float]) -> None:
    try:
        journal.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomically(journal, json.dumps(since, indent=1, sort_keys=True).encode(), mode=0o600)
    except OSError as error:
        raise StorageError(f"{journal} cannot be written ({error}). Free some space, and run this again.") from error
