# SPDX-License-Identifier: GPL-3.0-or-later
"""The page of a migration's report: one HTML file that needs nothing else, for the engineer who has to follow it up."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from html import escape

from .files import shown
from .outcome import Outcome, Sending
from .paths import Skipped

MARK = b'<meta name="generator" content="cellcs.orthweb.dicom_store">'
NAMED_FILES = 200  # of each reason

_HEAD = f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
{MARK.decode()}
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width">
<title>Report of a migration</title>
<style>
body {{ font: 16px/1.45 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; color: #1b1b1b; }}
table {{ border-collapse: collapse; }}
th, td {{ text-align: left; padding: .2rem 1.2rem .2rem 0; border-bottom: 1px solid #ccc; vertical-align: top; }}
td.number {{ text-align: right; font-variant-numeric: tabular-nums; }}
.good {{ color: #11631f; }} .bad {{ color: #a1170f; }}
ul {{ padding-left: 1.2rem; }} li {{ overflow-wrap: anywhere; }}
code {{ font-size: 90%; }} h2 {{ margin-top: 2.2rem; }}
</style>
</head>
<body>
"""

_RESOURCES_OR_FILE = (
    "Search the archive's log for these instances. If its disk is full or its database is down, fix that and run the "
    "migration again. If it says that required tags are missing, or that it cannot parse the file, the file must be "
    "corrected, on a copy, and sent again."
)
_BACK = "The archive was down for longer than the retries took. When it is up again, run the migration again."

_REMEDIES = {
    "presentation_context_refused": "Allow the SOP class or transfer syntax in the archive, or transcode the files.",
    "file_not_read": "Check the disk that the files are on, restore them, and run the migration again.",
    "journal_not_written": "Free space on the disk of the journal, and run the migration again.",
    "dimse_status": "Check one of the files with dcmdump, and search the archive's log for its SOP instance UID.",
}
_OF_FATES = {
    "set aside": (
        "The archive accepts other files, but does not answer for these. Check each with dcmdump: it may be truncated "
        "or damaged. Get an intact copy, or decide to leave it out. The next run tries it again, after all others."
    ),
    "not sent": "Nothing is wrong with these files. Fix the cause, and run the migration again: with a journal, it "
    "continues where it stopped.",
}


def page(sending: Sending, skipped: Sequence[Skipped], now: datetime) -> str:
    """Return the page. ``now`` is when the report is written."""
    return "".join(
        (_HEAD, _summary(sending, skipped, now), _failures(sending), _passed_over(skipped), "</body></html>\n")
    )


def _summary(sending: Sending, skipped: Sequence[Skipped], now: datetime) -> str:
    fates = Counter(outcome.fate for outcome in sending.outcomes)
    count, failed = len(sending.outcomes), len(sending.failed)
    suspect = sum(each.suspect for each in skipped)
    verdict = (
        f'<p class="bad"><strong>{failed:,} of {count:,} instances are not in the archive.</strong></p>'
        if failed
        else f'<p class="good"><strong>All {count:,} instances are in the archive.</strong></p>'
    )
    if suspect:
        verdict += f'<p class="bad">{suspect:,} files or links were passed over that may be instances: see below.</p>'
    rows = [(fate, fates[fate]) for fate in ("stored", "already stored", "set aside", "not sent", "refused", "failed")]
    rows += [("instances in all", count), ("passed over, may be instances", suspect)]
    rows.append(("passed over, no instances", len(skipped) - suspect))
    size = sum(outcome.instance.data_set_bytes for outcome in sending.stored)
    to, caller = escape(str(sending.peer)), escape(sending.peer.calling_aet.strip())
    return (
        f"<h1>Report of a migration</h1>\n<p>To {to}, as {caller}. Written {now:%Y-%m-%d %H:%M} UTC, after "
        f"{_lasted(sending.seconds)} of sending; {_size(size)} were stored.</p>\n{verdict}\n<table>\n"
        + "".join(f'<tr><th>{name}</th><td class="number">{number:,}</td></tr>\n' for name, number in rows)
        + "</table>\n<p>This page contains paths and SOP instance UIDs, and patients' names if the paths do: protect "
        "it as you protect images. The CSV report has a line for each file.</p>\n"
    )


def _failures(sending: Sending) -> str:
    """Return the instances that are not in the archive, by what became of them and why, the most frequent first."""
    groups: dict[tuple[str, str], list[Outcome]] = defaultdict(list)
    for outcome in sending.failed:
        groups[outcome.fate, outcome.status_text].append(outcome)
    return "".join(
        f"<h2>{len(outcomes):,} {fate}</h2>\n<p><strong>Why:</strong> {escape(reason)}</p>\n"
        f"<p><strong>What to do:</strong> {escape(_remedy(outcomes[0]))}</p>\n"
        + _files((shown(outcome.instance.path), outcome.instance.sop_instance_uid) for outcome in outcomes)
        for (fate, reason), outcomes in sorted(groups.items(), key=lambda group: -len(group[1]))
    )


def _remedy(outcome: Outcome) -> str:
    if outcome.fate in _OF_FATES:
        return _OF_FATES[outcome.fate]
    if outcome.status is not None and 0xA700 <= outcome.status <= 0xA7FF:
        return _RESOURCES_OR_FILE
    return _REMEDIES.get(outcome.failure or "", _BACK)


def _passed_over(skipped: Sequence[Skipped]) -> str:
    groups: dict[str, list[Skipped]] = defaultdict(list)
    for each in skipped:
        if each.suspect:
            groups[each.reason].append(each)
    if not groups:
        return ""
    return (
        "<h2>Passed over, and may be instances</h2>\n<p><strong>What to do:</strong> Check each. Restore what is "
        "damaged, add missing identifiers on a copy, and add the folders that links point to.</p>\n"
    ) + "".join(
        f"<h3>{len(files):,}: {escape(reason)}</h3>\n" + _files((shown(each.path), "") for each in files)
        for reason, files in sorted(groups.items(), key=lambda group: -len(group[1]))
    )


def _files(paths_and_uids: Iterable[tuple[str, str]]) -> str:
    named = list(paths_and_uids)
    more = len(named) - NAMED_FILES
    return (
        "<ul>\n"
        + "".join(f"<li><code>{escape(path)}</code> <small>{uid}</small></li>\n" for path, uid in named[:NAMED_FILES])
        + (f"<li>and {more:,} more: see the CSV report</li>\n" if more > 0 else "")
        + "</ul>\n"
    )


def _size(size: int) -> str:
    return f"{size / 1e9:,.1f} GB" if size >= 1e9 else f"{size / 1e6:,.1f} MB"


def _lasted(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
