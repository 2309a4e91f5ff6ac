# SPDX-License-Identifier: GPL-3.0-or-later
"""What a refused C-STORE with a status A7xx means: by the standard that resources are short (PS3.4 §B.2.3).

Orthanc answers A700 to whatever goes wrong while it stores, a file without a tag that it needs most of all, and
dcm4chee A777 to a file without a patient ID. What tells is the file itself, and whether others were stored afterwards.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

with contextlib.suppress(ImportError):  # the module says what is missing
    from pydicom.filereader import read_partial

from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom_files import MALFORMED
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom_sent import Outcome, in_words

if TYPE_CHECKING:
    from pydicom.tag import BaseTag

REQUIRED = ("PatientID", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
_LAST_REQUIRED = 0x0020000E  # elements come in the order of their tags (PS3.5 §7.1)

# What Orthanc writes into its log about a file that it refuses with A700.
_LOG_LINES = "'Store has failed because required tags … are missing' or 'Exception while storing DICOM'"


def missing_required(path: Path) -> tuple[str, ...]:
    """Return which of the tags that an archive files an instance under are not in its file, or empty there."""
    try:
        with path.open("rb") as file:
            head = read_partial(file, stop_when=_is_past_required)
        return tuple(keyword for keyword in REQUIRED if not str(head.get(keyword) or "").strip())
    except (OSError, *MALFORMED):
        return ()  # nobody knows


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
        words = in_words(outcome.status)
        missing = missing_required(outcome.instance.path)
        if missing:
            text = (
                f"{words}, or so the status is called: the file lacks {', '.join(missing)}, and archives refuse such "
                "files with it. Add what is missing to a copy of the file, and send that."
            )
        elif self._last_stored > self._refused[position]:
            text = (
                f"{words}, or required tags are missing, which Orthanc refuses in the same way. Others were stored "
                "after it, so it is more likely the file than the archive. The archive's log decides: with Orthanc "
                f"{_LOG_LINES}."
            )
        else:
            text = (
                f"{words}, or required tags are missing, which Orthanc refuses in the same way. Nothing was stored "
                "after it, so it may be the archive: look whether its disk is full or its database away. Its log "
                f"decides: with Orthanc {_LOG_LINES}."
            )
        return replace(outcome, status_text=text)


def _is_past_required(tag: BaseTag, _vr: str | None, _length: int) -> bool:
    return tag > _LAST_REQUIRED
