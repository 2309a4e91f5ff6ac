# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of known vulnerabilities: it is well-formed, a malformed one is refused, and what it says of versions."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
import yaml
from ansible_collections.cellcs.orthweb.plugins.module_utils.images.advisories import (
    TableError,
    applying,
    is_older,
    rating,
    read_table,
    upstream,
)

from support.checkout import ROOT

TABLE = yaml.safe_load((ROOT / "files" / "advisories.yml").read_text())
NINE = {f"CVE-2026-{number}" for number in range(5437, 5446)}


def identifiers(version: str) -> set[str]:
    return {one for advisory in applying(read_table(TABLE), {"orthanc": version}) for one in advisory.identifiers}


def test_the_table_that_is_shipped_is_well_formed_and_names_each_once() -> None:
    named = [one for advisory in read_table(TABLE).advisories for one in advisory.identifiers]
    assert len(named) == len(set(named))
    assert set(named) >= NINE | {"CVE-2026-10528"}


@pytest.mark.parametrize(
    ("version", "known"),
    [
        ("1.12.7+dfsg-1", NINE | {"CVE-2026-10528"}),  # Debian 13's
        ("1.12.10", NINE | {"CVE-2026-10528"}),  # as /system says it
        ("1.12.11", {"CVE-2026-10528"}),
        ("1.12.11+dfsg-1~bpo13+1", {"CVE-2026-10528"}),
        ("1.13.0~rc1-1", {"CVE-2026-10528"}),
        ("1.13.0+dfsg-1+b1", set()),
        ("1.13.0", set()),
        ("1.2.0", NINE | {"CVE-2026-10528"}),
        ("mainline", set()),  # nothing can be said
    ],
)
def test_what_applies_to_a_version_of_orthanc(version: str, known: set[str]) -> None:
    assert identifiers(version) == known


def test_the_most_urgent_comes_first() -> None:
    scores = [advisory.cvss for advisory in applying(read_table(TABLE), {"orthanc": "1.12.7"})]
    assert scores[:3] == [9.8, 9.1, 8.8]


def test_what_is_not_there_has_no_vulnerability() -> None:
    assert applying(read_table(TABLE), {"nginx": "1.0"}) == []


@pytest.mark.parametrize(
    ("version", "part"),
    [
        ("1:1.12.7+dfsg-1+b1", "1.12.7"),
        ("17.7-0+deb13u1", "17.7"),
        ("3.5.4-1~deb13u2", "3.5.4"),
        ("2.0+ds2-1-3", "2.0+ds2-1"),
        ("1.13.0+dfsg1-1", "1.13.0"),
        ("1.13.0", "1.13.0"),
    ],
)
def test_upstream_part(version: str, part: str) -> None:
    assert upstream(version) == part


@pytest.mark.parametrize(("older", "newer"), [("1.9", "1.10"), ("1.13.0~rc1", "1.13.0"), ("1.12.7", "1.12.7.1")])
def test_order_is_dpkgs(older: str, newer: str) -> None:
    assert is_older(older, newer)
    assert not is_older(newer, older)
    assert not is_older(older, older)


@pytest.mark.parametrize(
    ("score", "word"), [(9.8, "critical"), (9.0, "critical"), (8.9, "high"), (4, "medium"), (3.9, "low")]
)
def test_ratings(score: float, word: str) -> None:
    assert rating(score) == word


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"identifiers": []}, "has no list of identifiers"),
        ({"identifiers": ["CVE-26-1"]}, "not CVE numbers: CVE-26-1"),
        ({"fixed_in": 1.13}, 'fixed in "1.13"'),
        ({"fixed_in": "soon"}, 'fixed in "soon"'),
        ({"severity": "awful"}, 'severity "awful"'),
        ({"severity": "low", "cvss": 9.8}, "9.8 means critical"),
        ({"cvss": 11}, 'score "11"'),
        ({"cvss": True}, 'score "True"'),
        ({"what": " "}, "empty"),
        ({"fixed": "1"}, "has missing or unknown keys: fixed"),
    ],
)
def test_a_malformed_entry_is_refused_with_its_number(change: dict[str, Any], said: str) -> None:
    raw = deepcopy(TABLE)
    raw["advisories"][1].update(change)
    with pytest.raises(TableError, match=f"entry 2 .*{said}"):
        read_table(raw)


@pytest.mark.parametrize(
    "raw", [{}, {"date": "soon", "advisories": []}, {"date": "2026-11-28"}, {"date": "2026-11-28", "advisories": ["x"]}]
)
def test_a_malformed_table_is_refused(raw: dict[str, Any]) -> None:
    with pytest.raises(TableError):
        read_table(raw)


def test_an_entry_that_lacks_something_is_refused() -> None:
    raw = deepcopy(TABLE)
    del raw["advisories"][0]["fixed_in"]
    with pytest.raises(TableError, match="entry 1 has missing or unknown keys: fixed_in"):
        read_table(raw)
