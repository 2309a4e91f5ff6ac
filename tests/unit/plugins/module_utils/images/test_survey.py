# SPDX-License-Identifier: GPL-3.0-or-later
"""What images say of themselves, what apt answers, what is remembered of it, and what a person reads."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from ansible_collections.cellcs.orthweb.plugins.module_utils.images import engine, survey
from ansible_collections.cellcs.orthweb.plugins.module_utils.images.advisories import read_table
from ansible_collections.cellcs.orthweb.plugins.module_utils.images.contents import (
    Update,
    read_package_index,
    read_sbom,
    read_simulation,
)

NOW = datetime(2026, 11, 28, 18, tzinfo=UTC)
DAY = timedelta(days=1)
SIMULATION = """\
Reading package lists...
Inst libssl3t64 [3.5.1-1] (3.5.4-1~deb13u1 Debian-Security:13/stable-security [amd64])
Inst tzdata [2025b-4] (2026c-0+deb13u1 Debian:13/stable-updates [all])
Inst libfresh (1.0-1 Debian-Security:13/stable-security [amd64])
Inst curl [8.1-1] (8.1-1+deb13u1 Debian-Security:13/stable-security, Debian:13.2/stable [amd64]) []
Inst orthanc-dicomweb [1.24+dfsg-1+b1] (1.25+dfsg-1 Debian:testing [amd64])
Conf libssl3t64 (3.5.4-1~deb13u1 Debian-Security:13/stable-security [amd64])
"""
TABLE = read_table(
    {
        "date": "2026-11-28",
        "advisories": [
            {
                "component": "orthanc",
                "identifiers": ["CVE-2026-1111"],
                "fixed_in": "1.13.0",
                "severity": "critical",
                "cvss": 9.8,
                "what": "It breaks.",
            },
            {
                "component": "orthanc",
                "identifiers": ["CVE-2026-2222"],
                "fixed_in": "1.14.0",
                "severity": "unknown",
                "what": "It bends.",
            },
        ],
    }
)
SBOM = json.dumps(
    {
        "metadata": {"timestamp": "2026-11-20T10:00:00Z"},
        "components": [{"name": "orthanc", "version": "1.12.7+dfsg-1"}, {"name": "tzdata", "version": "2025b-4"}],
    }
)
INDEX = "trixie-security Thu, 19 Nov 2026 21:03:36 UTC\ntrixie Sat, 14 Nov 2026 09:15:44 UTC\n"
TZDATA = Update("tzdata", "2025b-4", "2026c", "Debian-Security:13/stable-security")


def test_security_updates_among_all_upgrades() -> None:
    upgrades = read_simulation(SIMULATION.splitlines())
    assert [str(update) for update in upgrades if update.is_security] == [
        "curl 8.1-1 → 8.1-1+deb13u1",
        "libssl3t64 3.5.1-1 → 3.5.4-1~deb13u1",
        "orthanc-dicomweb 1.24+dfsg-1+b1 → 1.25+dfsg-1",
    ]
    assert "tzdata" in [update.name for update in upgrades]  # an update, but not of security


def test_package_index() -> None:
    dates = read_package_index(INDEX)
    assert dates["trixie-security"] == datetime(2026, 11, 19, 21, 3, 36, tzinfo=UTC)
    assert set(dates) == {"trixie", "trixie-security"}
    assert read_package_index("\n") == {}


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"components": [{"name": "x"}]}', '{"components": [], "metadata": null}']
)
def test_what_is_no_list_of_packages_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        read_sbom(text)


class StandIn:
    """An engine with one image, that counts how often apt is asked."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, *, sbom: str = SBOM, answer: engine.Answer | None = None
    ) -> None:
        self.asked = 0
        self.answer = answer or engine.Answer((TZDATA,))
        monkeypatch.setattr(engine, "read_files", lambda image: (sbom, INDEX if sbom else ""))
        monkeypatch.setattr(engine, "ask", self._ask)

    def _ask(self, image: str, timeout_seconds: float) -> engine.Answer:
        self.asked += 1
        return self.answer


def look(path: Path, now: datetime = NOW, max_age: timedelta = DAY, version: str = "") -> survey.Image:
    answers = survey.Answers(path, now, max_age)
    image = survey.look(
        "orthanc",
        "orthweb/orthanc:x",
        "sha256:1",
        table=TABLE,
        answers=answers,
        now=now,
        max_age=max_age,
        version=version,
    )
    answers.save()
    return image


def test_an_answer_is_asked_for_once_a_day(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    apt = StandIn(monkeypatch)
    first = look(tmp_path / "new" / "cache.json")
    again = look(tmp_path / "new" / "cache.json", NOW + timedelta(hours=23))
    assert apt.asked == 1
    assert again.pending == first.pending == (TZDATA,)
    assert again.asked == NOW
    look(tmp_path / "new" / "cache.json", NOW + timedelta(hours=25))
    assert apt.asked == 2
    look(tmp_path / "new" / "cache.json", NOW + timedelta(hours=25), timedelta(0))  # make patch
    assert apt.asked == 3


def test_a_failure_is_remembered_for_an_hour(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    apt = StandIn(monkeypatch, answer=engine.Answer(problem="no network"))
    assert look(tmp_path / "cache.json").asked is None
    look(tmp_path / "cache.json", NOW + timedelta(minutes=59))
    assert apt.asked == 1
    look(tmp_path / "cache.json", NOW + timedelta(minutes=61))
    assert apt.asked == 2


def test_what_was_built_today_is_not_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    apt = StandIn(monkeypatch)
    image = look(tmp_path / "cache.json", datetime(2026, 11, 20, 12, tzinfo=UTC))
    assert apt.asked == 0
    assert (image.pending, image.asked) == ((), image.built)


@pytest.mark.parametrize("contents", ["", "no JSON", "[]", '{"sha256:1": {"asked": 1}}', '{"sha256:1": null}'])
def test_a_damaged_file_is_as_good_as_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, contents: str) -> None:
    apt = StandIn(monkeypatch)
    (tmp_path / "cache.json").write_text(contents)
    look(tmp_path / "cache.json")
    assert apt.asked == 1


def test_old_answers_do_not_pile_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    StandIn(monkeypatch)
    old = {"asked": (NOW - timedelta(days=8)).isoformat(), "updates": [], "problem": ""}
    (tmp_path / "cache.json").write_text(json.dumps({"sha256:0": old}))
    look(tmp_path / "cache.json")
    assert list(json.loads((tmp_path / "cache.json").read_text())) == ["sha256:1"]


def test_the_version_of_an_image_without_a_list_is_that_of_the_program(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    StandIn(monkeypatch, sbom="", answer=engine.Answer())
    image = look(tmp_path / "cache.json", version="1.13.1")
    assert [advisory.identifiers for advisory in image.known] == [("CVE-2026-2222",)]
    assert survey.line(image, NOW).startswith(
        "orthanc     has no list of packages and no date; no security update pending"
    )
    assert look(tmp_path / "cache.json").known == ()


def test_the_line_that_a_person_reads(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    StandIn(monkeypatch)
    image = look(tmp_path / "cache.json")
    start = "orthanc     packages of 2026-11-19 (8 days old); "
    assert survey.line(image, NOW) == f"{start}1 SECURITY UPDATE PENDING: tzdata 2025b-4 → 2026c"
    many = replace(image, pending=(TZDATA,) * 6)
    assert survey.line(many, NOW).endswith("and 2 more")
    assert "6 SECURITY UPDATES PENDING" in survey.line(many, NOW)
    none = replace(image, pending=())
    assert survey.line(none, NOW) == f"{start}no security update pending (checked 2026-11-28 18:00 UTC)"
    silent = replace(none, asked=None, problem="no network")
    assert survey.line(silent, NOW) == f"{start}security updates unknown: no network"


def test_a_known_vulnerability_is_loud(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    StandIn(monkeypatch)
    first, second = survey.warnings(look(tmp_path / "cache.json"), TABLE)
    assert first == (
        "KNOWN VULNERABILITIES: orthanc 1.12.7+dfsg-1 in orthweb/orthanc:x is below 1.13.0, which fixes CVE-2026-1111"
        " (up to critical, CVSS up to 9.8; table of 2026-11-28). It breaks."
    )
    assert "below 1.14.0, which fixes CVE-2026-2222 (severity not recorded" in second


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ("W: x\nE: Could not resolve 'deb.debian.org'", "no network"),
        (
            "E: The repository 'http://x trixie Release' is not signed.",
            "E: The repository 'http://x trixie Release' is not signed.",
        ),
        ("the image has no apt\n", "the image has no apt"),
        ("", "apt said nothing"),
    ],
)
def test_why_apt_could_not_be_asked(said: str, problem: str) -> None:
    assert engine._problem(said) == problem
