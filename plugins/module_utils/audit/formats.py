# SPDX-License-Identifier: GPL-3.0-or-later
"""Shows events of the audit trail: as a table, CSV, JSON, or audit messages of DICOM (PS3.15 section A.5)."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from typing import Any
from xml.etree import ElementTree

Event = dict[str, Any]
COLUMNS = ("time", "who", "role", "address", "door", "action", "study", "outcome", "detail")

# Of PS3.16 CID 400 and 401: event, type, and CRUDE action.
_MESSAGES: dict[str, tuple[tuple[str, str], tuple[str, str] | None, str]] = {
    "accessed": (("110103", "DICOM Instances Accessed"), None, "R"),
    "changed": (("110103", "DICOM Instances Accessed"), None, "U"),
    "stored": (("110104", "DICOM Instances Transferred"), None, "C"),
    "received": (("110104", "DICOM Instances Transferred"), None, "C"),
    "retrieved": (("110104", "DICOM Instances Transferred"), None, "R"),
    "exported": (("110106", "Export"), None, "R"),
    "deleted": (("110105", "DICOM Study Deleted"), None, "D"),
    "searched": (("110112", "Query"), None, "E"),
    "audit trail read": (("110101", "Audit Log Used"), None, "R"),
    "login": (("110114", "User Authentication"), ("110122", "Login"), "E"),
    "second factor": (("110114", "User Authentication"), ("110122", "Login"), "E"),
    "logout": (("110114", "User Authentication"), ("110123", "Logout"), "E"),
    "share opened": (("110114", "User Authentication"), ("110122", "Login"), "E"),
    "share made": (("110113", "Security Alert"), ("110135", "Object Security Attributes Changed"), "E"),
    "share revoked": (("110113", "Security Alert"), ("110135", "Object Security Attributes Changed"), "E"),
    "association": (("110113", "Security Alert"), ("110126", "Node Authentication"), "E"),
}
_ALERT = (("110113", "Security Alert"), ("110137", "User Security Attributes Changed"), "E")


def who(event: Event) -> str:
    """The account, or the AE title with the certificate."""
    if event["account"]:
        return str(event["account"])
    return f"{event['aet']} ({event['certificate']})".strip() if event["certificate"] else str(event["aet"])


def _detail(event: Event) -> str:
    keys = ("refused", "reason", "share", "destination", "asked", "resource", "path", "changes")
    found = next((f"{event[key]}" for key in keys if event.get(key)), "")
    count = event.get("refusals")
    return f"{found} (refusal {count} of this minute)" if isinstance(count, int) and count > 20 else found


def _row(event: Event) -> list[str]:
    derived = {"who": who(event), "study": " ".join(event["studies"]), "detail": _detail(event)}
    return [str(derived.get(column, event.get(column) or "")) for column in COLUMNS]


def as_rows(events: Sequence[Event]) -> list[dict[str, str]]:
    """For the archive's page: what the table has, by column."""
    return [dict(zip(COLUMNS, _row(event), strict=True)) for event in events]


def _visible(text: str) -> str:
    """What somebody has sent must not move the cursor of a terminal."""
    return "".join(character if character.isprintable() else "�" for character in text)


def as_table(events: Sequence[Event]) -> str:
    """For people."""
    rows = [list(COLUMNS), *([_visible(cell) for cell in _row(event)] for event in events)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS))]
    return "".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() + "\n" for row in rows
    )


def as_csv(events: Sequence[Event]) -> str:
    """For spreadsheets, which take a cell that begins with =, +, - or @ for a formula."""
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(COLUMNS)
    for event in events:
        writer.writerow([f"'{cell}" if cell[:1] in "=+-@\t\r" and cell else cell for cell in _row(event)])
    return file.getvalue()


def as_json(events: Sequence[Event]) -> str:
    """For programs: all that is known, one event a line."""
    return "".join(f"{json.dumps(event, sort_keys=True)}\n" for event in events)


def _coded(parent: ElementTree.Element, name: str, code: tuple[str, str]) -> None:
    ElementTree.SubElement(
        parent, name, {"csd-code": code[0], "codeSystemName": "DCM", "originalText": code[1], "displayName": code[1]}
    )


def message(event: Event) -> ElementTree.Element:
    """An audit message of DICOM."""
    kind, of_type, action = _MESSAGES.get(str(event["action"]), _ALERT)
    root = ElementTree.Element("AuditMessage")
    identification = {
        "EventActionCode": action,
        "EventDateTime": str(event["time"]),
        "EventOutcomeIndicator": "0" if event["outcome"] == "success" else "4",
    }
    head = ElementTree.SubElement(root, "EventIdentification", identification)
    _coded(head, "EventID", kind)
    if of_type:
        _coded(head, "EventTypeCode", of_type)
    if detail := _detail(event):
        ElementTree.SubElement(head, "EventOutcomeDescription").text = _in_xml(detail)
    person = {"UserID": _in_xml(who(event)) or "(unknown)", "UserIsRequestor": "true"}
    if event["aet"]:
        person["AlternativeUserID"] = _in_xml(f"AETITLES={event['aet']}")
    if event["address"]:
        person |= {"NetworkAccessPointID": str(event["address"]), "NetworkAccessPointTypeCode": "2"}
    participant = ElementTree.SubElement(root, "ActiveParticipant", person)
    if event["role"]:
        role = {"csd-code": _in_xml(str(event["role"])), "codeSystemName": "orthweb"}
        ElementTree.SubElement(participant, "RoleIDCode", role | {"originalText": _in_xml(str(event["role"]))})
    source = {"AuditSourceID": str(event.get("host") or event.get("source") or "orthweb")}
    ElementTree.SubElement(root, "AuditSourceIdentification", source)
    for study in event["studies"]:
        object_of = {
            "ParticipantObjectID": study,
            "ParticipantObjectTypeCode": "2",
            "ParticipantObjectTypeCodeRole": "3",
        }
        found = ElementTree.SubElement(root, "ParticipantObjectIdentification", object_of)
        _coded(found, "ParticipantObjectIDTypeCode", ("110180", "Study Instance UID"))
    return root


def _in_xml(text: str) -> str:
    """XML 1.0 has no control characters."""
    return _visible(text)


def as_dicom(events: Sequence[Event]) -> str:
    """For repositories of audit messages: one a line. An association that was accepted is no event of DICOM's."""
    wanted = (event for event in events if event["action"] != "association" or event["outcome"] != "success")
    return "".join(ElementTree.tostring(message(event), encoding="unicode") + "\n" for event in wanted)


FORMATS: dict[str, Callable[[Sequence[Event]], str]] = {
    "table": as_table,
    "csv": as_csv,
    "json": as_json,
    "dicom": as_dicom,
}
