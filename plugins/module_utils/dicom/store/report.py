# SPDX-License-Identifier: GPL-3.0-or-later
"""What became of a migration, for people: a table of all files (CSV), and a page to read (HTML)."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from ...atomic_file import write_atomically
from .files import shown
from .outcome import Outcome, Sending
from .own_file import OwnFileError, see_that_it_is_ours
from .paths import Skipped
from .report_page import MARK, page

MODE = 0o600  # paths and UIDs are data of patients

COLUMNS = (
    "outcome",
    "failure",
    "status",
    "reason",
    "path",
    "bytes",
    "sop_instance_uid",
    "series_instance_uid",
    "study_instance_uid",
)

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"  # without it, spreadsheets take UTF-8 for something else
_HEADER = _BYTE_ORDER_MARK + ",".join(COLUMNS).encode()
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet would run rather than show


class ReportError(Exception):
    """A report cannot be written; ``str()`` names option and file, and says why and what to do."""


@dataclass(frozen=True)
class Reports:
    """Where the reports go; ``None`` for one that nobody wants."""

    csv: Path | None = None
    html: Path | None = None

    def check(self) -> None:
        """Refuse files that are not ours, and change nothing. Raises ``ReportError``."""
        for option, path, mark in (("report_csv", self.csv, _HEADER), ("report_html", self.html, MARK)):
            try:
                if path:
                    see_that_it_is_ours(path, partial(_contains, mark))
            except OwnFileError as error:
                raise ReportError(f"{option}: {error}") from error

    def write(self, sending: Sending, skipped: Sequence[Skipped]) -> dict[str, str]:
        """Write them, each whole or not at all. Returns by option what went wrong."""
        problems = {}
        for option, path, make in (("report_csv", self.csv, table), ("report_html", self.html, _page_now)):
            try:
                if path:
                    write_atomically(path, make(sending, skipped), mode=MODE)
            except OSError as error:
                problems[option] = f"{option}: {path} cannot be written: {error.strerror or error}."
        return problems


def table(sending: Sending, skipped: Sequence[Skipped]) -> bytes:
    """Return a CSV file (RFC 4180) with one line for each file, those that were passed over included."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for row in _rows(sending.outcomes, skipped):
        writer.writerow([f"'{cell}" if cell.startswith(_FORMULA) else cell for cell in row])
    return _BYTE_ORDER_MARK + text.getvalue().encode()


def _contains(mark: bytes, head: bytes) -> bool:
    return mark in head


def _page_now(sending: Sending, skipped: Sequence[Skipped]) -> bytes:
    return page(sending, skipped, datetime.now(UTC)).encode()


def _rows(outcomes: Sequence[Outcome], skipped: Sequence[Skipped]) -> Iterator[tuple[str, ...]]:
    for outcome in outcomes:
        instance = outcome.instance
        yield (
            outcome.fate,
            outcome.failure or "",
            "" if outcome.status is None else f"{outcome.status:04X}",
            outcome.status_text,
            shown(instance.path),
            str(instance.file_bytes),
            instance.sop_instance_uid,
            instance.series_instance_uid,
            instance.study_instance_uid,
        )
    for each in skipped:
        fate = "passed over, may be an instance" if each.suspect else "passed over"
        yield (fate, "", "", each.reason, shown(each.path), "", "", "", "")
