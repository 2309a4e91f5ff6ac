# SPDX-License-Identifier: GPL-3.0-or-later
"""Who saw what: lines of several sources become events, and those that are asked for are found."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.cellcs.orthweb.plugins.module_utils.audit.trail import Query, read

STUDY, OTHER = "1.2.3.1", "1.2.3.2"
RESOURCE = "studies/2617f103-209e1ded-863f49d9-764ca9da-51db58c3"


def written(folder: Path, source: str, *lines: dict[str, Any], day: str = "2026-11-29") -> None:
    path = folder / source / f"{day}.jsonl"
    path.parent.mkdir(exist_ok=True)
    with path.open("a") as file:
        for number, line in enumerate(lines):
            whole = {"time": f"{day}T12:00:{number:02}+00:00", "source": source, "received": "x", "action": "accessed"}
            file.write(json.dumps(whole | line) + "\n")


def asked(folder: Path, **query: str) -> list[tuple[str, str, list[str]]]:
    return [
        (event["account"] or event["aet"], event["action"], event["studies"]) for event in read(folder, Query(**query))
    ]


def test_by_study_and_account(tmp_path: Path) -> None:
    written(tmp_path, "nginx", {"account": "rita", "study": STUDY}, {"account": "otto", "study": f"{OTHER},{STUDY}"})
    written(tmp_path, "nginx", {"account": "rita", "study": OTHER})
    assert len(read(tmp_path, Query())) == 3
    assert asked(tmp_path, study=STUDY) == [("rita", "accessed", [STUDY]), ("otto", "accessed", [STUDY, OTHER])]
    assert asked(tmp_path, study=STUDY, account="rita") == [("rita", "accessed", [STUDY])]
    assert asked(tmp_path, study="1.2.3") == []


def test_by_share_link(tmp_path: Path) -> None:
    written(tmp_path, "nginx", {"account": "rosa", "action": "share made", "share": "share:1", "study": STUDY})
    written(tmp_path, "nginx", {"account": "share:1", "study": STUDY}, {"account": "share:2", "study": STUDY})
    expected = [("rosa", "share made", [STUDY]), ("share:1", "accessed", [STUDY])]
    assert sorted(asked(tmp_path, account="share:1")) == expected


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"since": "2026-11-29"}, ["b", "c"]),
        ({"since": "2026-11-29T12:00:01"}, ["c"]),
        ({"until": "2026-11-28"}, ["a"]),
        ({"until": "2026-11-29T12:00:00"}, ["a", "b"]),
        ({"since": "2026-11-28", "until": "2026-11-29"}, ["a", "b", "c"]),
        ({"since": "2026-12"}, []),
    ],
)
def test_by_time(tmp_path: Path, query: dict[str, str], found: list[str]) -> None:
    written(tmp_path, "nginx", {"account": "a"}, day="2026-11-28")
    written(tmp_path, "nginx", {"account": "b"}, {"account": "c"})
    assert [who for who, _action, _studies in asked(tmp_path, **query)] == found


def test_a_resource_of_orthancs_is_a_study_even_if_that_was_said_long_ago(tmp_path: Path) -> None:
    written(tmp_path, "orthanc", {"action": "known", "resource": RESOURCE, "study": STUDY}, day="2020-01-01")
    old = tmp_path / "orthanc" / "2020-01-01.jsonl"
    (old.parent / f"{old.name}.gz").write_bytes(gzip.compress(old.read_bytes()))
    old.unlink()
    written(tmp_path, "nginx", {"account": "admin", "action": "deleted", "resource": RESOURCE})
    written(tmp_path, "orthanc", {"action": "gone", "resource": RESOURCE})
    expected = [("admin", "deleted", [STUDY]), ("", "deleted", [STUDY])]
    assert sorted(asked(tmp_path, study=STUDY, since="2026-11-29")) == sorted(expected)


def test_an_upload_has_the_study_that_orthanc_found_in_it(tmp_path: Path) -> None:
    written(tmp_path, "nginx", {"account": "otto", "action": "stored", "request": "abc"})
    written(tmp_path, "orthanc", {"action": "received", "request": "abc", "study": STUDY})
    written(tmp_path, "orthanc", {"action": "received", "request": "abc", "study": OTHER})
    written(tmp_path, "orthanc", {"action": "received", "request": "", "account": "direct", "study": STUDY})
    assert asked(tmp_path, study=STUDY) == [("otto", "stored", [STUDY, OTHER]), ("direct", "received", [STUDY])]


class TestAssociations:
    def one(self, **more: str | float) -> dict[str, Any]:
        known = {"door": "DICOM", "action": "association", "outcome": "success", "result": "accepted", "aet": "CT1"}
        where = {"address": "192.0.2.1", "certificate": "CN=ct-1,O=OrthWeb", "seconds": 5.0}
        return known | where | {"time": "2026-11-29T12:00:10+00:00"} | more

    def stored(self, time: str = "2026-11-29T12:00:07+00:00") -> dict[str, Any]:
        return {"door": "DICOM", "action": "stored", "aet": "CT1", "study": STUDY, "time": time}

    def found(self, folder: Path) -> tuple[str, str]:
        [event] = read(folder, Query(study=STUDY))
        return event["certificate"], event["address"]

    def test_what_was_done_in_one_has_its_certificate_and_address(self, tmp_path: Path) -> None:
        written(tmp_path, "nginx", self.one())
        written(tmp_path, "orthanc", self.stored())
        assert self.found(tmp_path) == ("ct-1", "192.0.2.1")
        assert len(read(tmp_path, Query(account="ct-1"))) == 2

    def test_not_what_was_done_at_another_time_or_by_another(self, tmp_path: Path) -> None:
        written(tmp_path, "nginx", self.one(), self.one(aet="CT2", time="2026-11-29T12:10:00+00:00"))
        written(tmp_path, "orthanc", self.stored("2026-11-29T12:10:00+00:00"))
        assert self.found(tmp_path) == ("", "")

    def test_nothing_is_claimed_if_two_were_open(self, tmp_path: Path) -> None:
        written(tmp_path, "nginx", self.one(), self.one(address="192.0.2.2"))
        written(tmp_path, "orthanc", self.stored())
        assert self.found(tmp_path) == ("", "")


def test_a_line_that_is_there_twice_is_one_event(tmp_path: Path) -> None:
    written(tmp_path, "nginx", {"request": "1", "received": "a"})
    written(tmp_path, "nginx", {"request": "1", "received": "b"})
    written(tmp_path, "nginx", {"request": "2", "received": "b"})
    assert [event["request"] for event in read(tmp_path, Query())] == ["1", "2"]


@pytest.mark.parametrize(
    ("most", "found"), [(1, ["d"]), (2, ["c", "d"]), (3, ["b", "c", "d"]), (9, ["a", "b", "c", "d"])]
)
def test_the_latest_of_many(tmp_path: Path, most: int, found: list[str]) -> None:
    """Whatever the order in which they came, and each once."""
    lines = {name: {"account": name, "time": f"2026-11-29T12:00:0{number}+00:00"} for number, name in enumerate("abcd")}
    written(tmp_path, "nginx", lines["c"], lines["a"], lines["c"])
    written(tmp_path, "orthanc", lines["d"], lines["b"], lines["d"], lines["a"])
    for source in ("nginx", "orthanc"):
        path = tmp_path / source / "2026-11-29.jsonl"
        path.write_text(path.read_text().replace(f'"source": "{source}"', '"source": "x"'))
    assert [event["account"] for event in read(tmp_path, Query(), most)] == found


def test_days_that_have_none_of_the_latest_are_not_read(tmp_path: Path) -> None:
    written(
        tmp_path, "nginx", {"account": "late", "time": "2026-11-26T23:59:59+00:00"}, {"account": "b"}, {"account": "c"}
    )
    written(tmp_path, "nginx", {"account": "a"}, day="2026-11-27")
    (tmp_path / "nginx" / "2026-11-26.jsonl").write_text('{"account": "x"')
    assert [event["account"] for event in read(tmp_path, Query(), 2)] == ["b", "c"]
    assert [event["account"] for event in read(tmp_path, Query(since="2026-11-27"), 9)] == ["a", "b", "c"]
    assert [event["account"] for event in read(tmp_path, Query(), 3)] == ["a", "b", "c"]
    with pytest.raises(json.JSONDecodeError):
        read(tmp_path, Query(), 4)


def test_days_after_the_last_are_not_read_unless_events_came_late(tmp_path: Path) -> None:
    written(tmp_path, "nginx", {"account": "a"}, day="2026-11-20")
    written(
        tmp_path, "nginx", {"account": "late", "time": "2026-11-20T23:00:00+00:00"}, {"account": "x"}, day="2026-11-25"
    )
    (tmp_path / "nginx" / "2026-11-26.jsonl").write_text('{"time":"2026-11-26T00:00:00+00:00","action":"x"}\n{"odd')
    assert [event["account"] for event in read(tmp_path, Query(until="2026-11-20"))] == ["a", "late"]
    with pytest.raises(json.JSONDecodeError):
        read(tmp_path, Query(until="2026-11-25"))
    for until in ("2026", "2026-11-99", "9999-12-31"):
        with pytest.raises(json.JSONDecodeError):
            read(tmp_path, Query(until=until))


@pytest.mark.parametrize("account", ["Zoë", 'a"b', "a\\b", "x@y.example"])
def test_an_account_is_found_as_it_is_written_in_json(tmp_path: Path, account: str) -> None:
    written(tmp_path, "nginx", {"account": account}, {"account": "otto"})
    assert [event["account"] for event in read(tmp_path, Query(account=account))] == [account]


def test_odd_lines_are_passed_over(tmp_path: Path) -> None:
    written(tmp_path, "nginx", {"time": "yesterday"}, {"time": 5}, {"time": "2026-11-29T12:00:00"}, {"action": ""})
    written(tmp_path, "nginx", {"account": "rita", "resource": ["x"], "study": 5, "seconds": "x"})
    written(tmp_path, "nginx", {"action": "association", "result": "accepted", "seconds": "x"}, day="2026-11-28")
    (tmp_path / "nginx" / "2026-11-30.jsonl").write_text('{"source":"nginx","unreadable":"\\u0000"}\n')
    (tmp_path / "nginx" / "notes.txt").write_text("x")
    assert asked(tmp_path) == [("", "association", []), ("rita", "accessed", ["5"])]
    assert read(tmp_path / "nothing", Query()) == []
