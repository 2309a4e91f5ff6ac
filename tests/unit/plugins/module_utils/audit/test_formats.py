# SPDX-License-Identifier: GPL-3.0-or-later
"""How events are shown, and that none of what somebody has sent takes over whoever looks at them."""

from __future__ import annotations

import csv
import io
import json
from typing import Any
from xml.etree import ElementTree

import pytest
from ansible_collections.cellcs.orthweb.plugins.module_utils.audit.formats import (
    COLUMNS,
    as_csv,
    as_dicom,
    as_json,
    as_table,
)


def event(**more: Any) -> dict[str, Any]:
    made = {"time": "2026-11-29T12:00:00+00:00", "account": "rita", "role": "reader", "aet": "", "certificate": ""}
    made |= {
        "address": "192.0.2.1",
        "door": "DICOMweb",
        "action": "accessed",
        "outcome": "success",
        "studies": ["1.2.3"],
    }
    return made | more


def test_a_table() -> None:
    [head, first, second] = as_table([event(), event(account="", aet="CT1", certificate="ct-1")]).splitlines()
    assert head.split() == list(COLUMNS)
    assert "rita" in first and "1.2.3" in first
    assert "CT1 (ct-1)" in second


def test_a_flood_is_told_by_its_number() -> None:
    assert "role (refusal 128 of this minute)" in as_table([event(refused="role", refusals=128)])


@pytest.mark.parametrize("odd", ["\x1b[2J\x1b[H", "a\nb", "\u202eevil", "\x9b31m"])
def test_nothing_moves_the_cursor(odd: str) -> None:
    table = as_table([event(account=odd, path=odd)])
    assert len(table.splitlines()) == 2
    assert all(character.isprintable() for line in table.splitlines() for character in line)


@pytest.mark.parametrize("odd", ["=1+1", "+1", "-1", "@x", 'a"b', "a,b", "a\nb"])
def test_nothing_is_a_formula(odd: str) -> None:
    [_head, row] = csv.reader(io.StringIO(as_csv([event(account=odd)])))
    assert row[1] in (odd, f"'{odd}")
    assert row[1][0] not in "=+-@"


def test_json_has_all_of_it() -> None:
    assert json.loads(as_json([event(request="abc")])) == event(request="abc")


class TestDicom:
    def message(self, **more: Any) -> ElementTree.Element:
        return ElementTree.fromstring(as_dicom([event(**more)]))

    def test_an_access(self) -> None:
        message = self.message()
        assert [child.tag for child in message] == [
            "EventIdentification",
            "ActiveParticipant",
            "AuditSourceIdentification",
            "ParticipantObjectIdentification",
        ]
        assert message[0].attrib == {
            "EventActionCode": "R",
            "EventDateTime": "2026-11-29T12:00:00+00:00",
            "EventOutcomeIndicator": "0",
        }
        assert message[0][0].attrib["csd-code"] == "110103"
        assert message[1].attrib["UserID"] == "rita"
        assert message[3].attrib["ParticipantObjectID"] == "1.2.3"

    @pytest.mark.parametrize(
        ("action", "code", "letter"),
        [
            ("deleted", "110105", "D"),
            ("exported", "110106", "R"),
            ("stored", "110104", "C"),
            ("searched", "110112", "E"),
            ("login", "110114", "E"),
            ("account changed", "110113", "E"),
            ("share made", "110113", "E"),
            ("share opened", "110114", "E"),
            ("share revoked", "110113", "E"),
        ],
    )
    def test_what_it_is(self, action: str, code: str, letter: str) -> None:
        message = self.message(action=action)
        assert (message[0][0].attrib["csd-code"], message[0].attrib["EventActionCode"]) == (code, letter)

    def test_a_share_link(self) -> None:
        made = self.message(action="share made", account="rosa", share="share:1")
        assert made[0][1].attrib["csd-code"] == "110135", "Object Security Attributes Changed"
        assert (made[0][2].text, made[3].attrib["ParticipantObjectID"]) == ("share:1", "1.2.3")
        guessed = self.message(action="share opened", account="share:1", share="share:1", reason="wrong pin")
        assert (guessed[0][2].text, guessed[1].attrib["UserID"]) == ("wrong pin", "share:1")

    def test_a_refused_association_is_an_alert_and_an_accepted_one_is_none(self) -> None:
        refused = self.message(action="association", outcome="failure", aet="CT1", account="", studies=[])
        assert refused[0].attrib["EventOutcomeIndicator"] == "4"
        assert refused[0][0].attrib["csd-code"] == "110113"
        assert refused[1].attrib["AlternativeUserID"] == "AETITLES=CT1"
        assert as_dicom([event(action="association")]) == ""

    @pytest.mark.parametrize("odd", ['"/><x y="', "\x00\x1b", "]]>", "&lt;"])
    def test_whatever_was_sent_it_is_xml(self, odd: str) -> None:
        message = self.message(account=odd, path=odd, role=odd)
        assert [child.tag for child in message][:2] == ["EventIdentification", "ActiveParticipant"]
        assert message[1].attrib["UserID"] == odd.replace("\x00", "\ufffd").replace("\x1b", "\ufffd")
