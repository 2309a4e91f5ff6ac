# SPDX-License-Identifier: GPL-3.0-or-later
"""What a refused C-STORE with a status A7xx means: by the standard that resources are short (PS3.4 §B.2.3).

Orthanc answers A700 to whatever goes wrong while it stores, a file without StudyInstanceUID, SeriesInstanceUID or
SOPInstanceUID most of all, and dcm4chee A777 to one without PatientID. What tells is the file itself, and whether
others were stored afterwards.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from .files import MALFORMED, read_head
from .outcome import Outcome, in_words

REQUIRED = ("PatientID", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")


def missing_required(path: Path) -> tuple[str, ...] | None:
    """Return which of the tags that archives file an instance under its file lacks; ``None`` if it cannot be read."""
    try:
        with path.open("rb") as file:
            head = read_head(file)
        return tuple(keyword for keyword in REQUIRED if not str(head.get(keyword) or "").strip())
    except OSError:
        return None
    except MALFORMED:
        return None


class Refusals:
    """Which instances were refused with A7xx, and whether others were stored after each of them."""

    def __init__(self) -> None:
        self._answers = 0
        self._last_stored = 0
        self._refused: dict[int, int] = {}

    def take_in(self, position: int, outcome: Outcome) -> None:
        """Take in one answer of the peer, in the order in which they come."""
        self._answers += 1
        if outcome.stored:
            self._last_stored = self._answers
        elif outcome.status is not None and 0xA700 <= outcome.status <= 0xA7FF:
            self._refused[position] = self._answers

    def explain(self, position: int, outcome: Outcome) -> Outcome:
        """Return the outcome, with what a status A7xx means in its case."""
        if position not in self._refused or outcome.status is None:
            return outcome
        stored_after = self._last_stored > self._refused[position]
        return replace(
            outcome,
            status_text=(
                f"{in_words(outcome.status)}, or required tags are missing, or another error occurred while storing: "
                "Orthanc answers all of these with this status. "
                f"{_of_tags(missing_required(outcome.instance.path))}{_STORED_AFTER if stored_after else _NONE_AFTER} "
                "Check the archive's log; Orthanc's has 'Store has failed because required tags' or 'Exception while "
                "storing DICOM'."
            ),
        )


_STORED_AFTER = "Others were stored after it, so the problem is more likely the file than the archive."
_NONE_AFTER = "Nothing was stored after it, so the problem may be the archive: is its disk full, or its database down?"


def _of_tags(missing: tuple[str, ...] | None) -> str:
    if missing is None:
        return ""
    if not missing:
        return f"The file has {', '.join(REQUIRED[:-1])} and {REQUIRED[-1]}. "
    if missing == ("PatientID",):
        return "The file lacks PatientID. Orthanc accepts that, but others such as dcm4chee do not. "
    return f"The file lacks {', '.join(missing)}, without which no archive can store it. "
