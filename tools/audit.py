# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask the audit trail of all hosts who saw and did what: `make audit ARGS='--study UID'` (docs/audit.md)."""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tools.playbook import CHECKOUT, play

TIME = re.compile(r"\d{4}-\d{2}-\d{2}(T\d{2}(:\d{2}(:\d{2})?)?)?")


def _time(text: str) -> str:
    if text and not TIME.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no time: write 2026-11-29 or 2026-11-29T14:30, in UTC")
    return text


def _study(text: str) -> str:
    if not re.fullmatch(r"[0-9.]{0,64}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no StudyInstanceUID")
    return text


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="make audit", description=__doc__)
    made.add_argument("--study", default="", type=_study, metavar="UID", help="a StudyInstanceUID")
    made.add_argument(
        "--account", default="", metavar="NAME", help="an account, an AE title, a client certificate's name or share:ID"
    )
    made.add_argument("--since", default="", type=_time, metavar="DATE", help="the first day or time, in UTC")
    made.add_argument("--until", default="", type=_time, metavar="DATE", help="the last day or time, in UTC")
    made.add_argument("--format", default="table", choices=["table", "csv", "json", "dicom"])
    made.add_argument("--inventory", default="inventory/local", help=argparse.SUPPRESS)
    return made


def ask(arguments: argparse.Namespace, more: Sequence[str]) -> list[dict[str, Any]]:
    """The events of all hosts, the oldest first.

    :param more: further arguments for ansible-playbook
    """
    with tempfile.TemporaryDirectory(prefix="orthweb-audit-") as folder:  # for nobody else
        keys = ("study", "account", "since", "until")
        query = {"answers": folder, **{key: getattr(arguments, key) for key in keys}}
        went_through = play("audit", arguments.inventory, {"audit_query": query}, more)
        answers = {path.stem: json.loads(path.read_text()) for path in sorted(Path(folder).glob("*.json"))}
    if not went_through:
        sys.exit("The audit trail could not be asked: see above.")
    if not answers:
        sys.exit("No host was asked: the inventory has none, or --limit or --check is among the arguments.")
    events = [{**event, "host": host} for host, found in answers.items() for event in found]
    return sorted(events, key=lambda event: str(event["time"]))


def main() -> None:
    from ansible_collections.cellcs.orthweb.plugins.module_utils.audit.formats import FORMATS

    arguments, more = parser().parse_known_args()
    events = ask(arguments, more)
    sys.stdout.write(FORMATS[arguments.format](events))
    if not events:
        print("Nothing of that is in the audit trail.", file=sys.stderr)


if __name__ == "__main__":
    sys.path.insert(0, str(CHECKOUT / ".venv" / "collections"))
    main()
