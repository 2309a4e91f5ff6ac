# SPDX-License-Identifier: GPL-3.0-or-later
"""The reports of a migration: what they say is what became of the files."""

from __future__ import annotations

import csv
import io
import re
import threading
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.store import report_page
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.store.files import Instance
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.store.outcome import Outcome, Sending
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.store.report import COLUMNS, table
from ansible_collections.cellcs.orthweb.plugins.modules import dicom_store

from support.peers import peer_at
from support.samples import write_samples

EVIL = "a <img src=x onerror=alert(1)> & 'b'.dcm"


@pytest.fixture
def folder(tmp_path) -> Path:
    """Six CT instances, one of them with a name that means something in HTML, and two files that are none."""
    old = tmp_path / "old"
    old.mkdir()
    write_samples(old, "ct", copies=6)
    (old / "ct-000003.dcm").rename(old / EVIL)
    (old / "README").write_text("no DICOM")
    (old / "torn.dcm").write_bytes((old / "ct-000001.dcm").read_bytes()[:340])
    return old


class Page(HTMLParser):
    """What a browser makes of it: tags, where they lead, and text."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.leads_to: list[str] = []
        self.text = ""
        self._hidden = False
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.leads_to += [value or "" for name, value in attrs if name in ("src", "href", "action")]
        self._hidden = tag == "style"

    def handle_endtag(self, tag: str) -> None:
        self._hidden = False

    def handle_data(self, data: str) -> None:
        self.text += "" if self._hidden else data


@pytest.fixture
def ran(run_module, archive, unanswered, folder, tmp_path) -> Any:
    """A run with reports, to a peer that hangs on the fourth file, is out of resources for the fifth."""
    over = threading.Event()
    names = sorted(path.name for path in folder.glob("*.dcm") if path.name != "torn.dcm")
    seen: dict[str, str] = {}

    def answer(event: Any) -> int:
        name = names[len(seen)] if event.request.AffectedSOPInstanceUID not in seen else ""
        seen[event.request.AffectedSOPInstanceUID] = name
        if name == names[3]:
            unanswered(event)
            over.wait(30)
        return 0xA700 if name == names[4] else 0x0000

    options = {
        "host": "127.0.0.1",
        "port": archive(status=answer).port,
        "called_aet": "ORTHANC",
        "paths": [str(folder)],
        "dimse_timeout_seconds": 2,
        "fail_on": "never",
        "report_csv": str(tmp_path / "report.csv"),
        "report_html": str(tmp_path / "report.html"),
    }
    yield run_module(dicom_store, options), options, names
    over.set()


def rows_of(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_bytes().decode("utf-8-sig"), newline="")))


def test_the_table_has_a_line_for_each_file(ran, folder, tmp_path):
    result, _options, names = ran
    path = tmp_path / "report.csv"
    assert result.result["report_csv"] == str(path)
    assert path.stat().st_mode & 0o777 == 0o600
    rows = rows_of(path)
    assert tuple(rows[0]) == COLUMNS
    by_name = {Path(row["path"]).name: row for row in rows}
    assert by_name.keys() == {each.name for each in folder.iterdir()}
    assert [by_name[name]["outcome"] for name in names] == ["stored"] * 3 + ["set aside", "refused", "stored"]
    assert (by_name[names[3]]["failure"], by_name[names[3]]["status"]) == ("dimse_timeout", "")
    assert (by_name[names[4]]["failure"], by_name[names[4]]["status"]) == ("dimse_status", "A700")
    assert by_name["README"]["outcome"] == "passed over"
    assert by_name["torn.dcm"]["outcome"] == "passed over, may be an instance"
    returned = {each["path"]: each for each in result.result["instances"]}
    for name in names:
        row = by_name[name]
        assert row["reason"] == returned[row["path"]]["status_text"]
        assert row["sop_instance_uid"] == returned[row["path"]]["sop_instance_uid"]
        assert row["bytes"] == str((folder / name).stat().st_size)


def test_the_page_says_what_failed_and_what_to_do(ran, tmp_path):
    result, _options, _names = ran
    path = tmp_path / "report.html"
    assert result.result["report_html"] == str(path)
    assert path.stat().st_mode & 0o777 == 0o600
    page = Page(path.read_text())
    assert "2 of 6 instances are not in the archive." in page.text
    assert "1 files or links were passed over that may be instances" in page.text
    assert re.search(r"stored\s*4\b", page.text)
    assert re.search(r"set aside\s*1\b", page.text)
    for outcome in result.result["instances"]:
        assert (outcome["path"] in page.text) is (outcome["failure"] is not None)
        if outcome["failure"]:
            assert outcome["status_text"] in page.text
    assert "Check each with dcmdump: it may be truncated or damaged." in page.text
    assert "If its disk is full or its database is down" in page.text
    assert "torn.dcm" in page.text


def test_the_page_needs_nothing_and_runs_nothing(run_module, listener, folder, tmp_path):
    """Names of files are text, whatever they look like."""
    options = {
        "host": "127.0.0.1",
        "port": listener(lambda connection: None),
        "called_aet": "ORTHANC",
        "paths": [str(folder)],
        "fail_on": "never",
        "report_html": str(tmp_path / "report.html"),
    }
    assert run_module(dicom_store, options).result["report_csv"] is None
    source = (tmp_path / "report.html").read_text()
    page = Page(source)
    assert "6 of 6 instances are not in the archive." in page.text
    assert EVIL in page.text
    assert page.tags["script"] == page.tags["img"] == page.tags["link"] == 0
    assert page.leads_to == []
    assert "default-src 'none'" in source
    assert "Nothing is wrong with these files." in page.text


def test_a_report_replaces_a_former_one_and_nothing_else(ran, run_module, tmp_path):
    first, options, _names = ran
    assert first.result["summary"]["failed"] == 2
    second = run_module(dicom_store, options)
    assert second.result["summary"]["failed"] == 0
    assert "All 6 instances are in the archive." in Page((tmp_path / "report.html").read_text()).text
    assert {row["outcome"] for row in rows_of(tmp_path / "report.csv")} >= {"stored"}
    for option, name in (("report_csv", "report.csv"), ("report_html", "report.html")):
        path = tmp_path / name
        path.write_text("precious")
        for check_mode in (True, False):
            refused = run_module(dicom_store, options, check_mode=check_mode)
            assert refused.failed
            assert refused.result["msg"].startswith(f"Nothing was sent. {option}: {path}: exists")
        assert path.read_text() == "precious"
        path.unlink()


def test_check_mode_writes_no_report(ran, run_module, tmp_path):
    _first, options, _names = ran
    for name in ("report.csv", "report.html"):
        (tmp_path / name).unlink()
    checked = run_module(dicom_store, options, check_mode=True)
    assert not checked.failed
    assert checked.result["report_csv"] is checked.result["report_html"] is None
    assert not (tmp_path / "report.csv").exists()
    assert not (tmp_path / "report.html").exists()


def test_a_folder_that_is_not_there_is_refused(ran, run_module, tmp_path):
    _first, options, _names = ran
    refused = run_module(dicom_store, {**options, "report_html": str(tmp_path / "none" / "report.html")})
    assert refused.result["problems"][0].startswith("report_html: ")
    assert "its folder does not exist" in refused.result["msg"]


def test_a_report_that_cannot_be_written_is_a_warning(run_module, archive, folder, tmp_path):
    """Its folder goes while the files are sent, which are sent all the same."""
    reports = tmp_path / "reports"
    reports.mkdir()

    def answer(event: Any) -> int:
        if reports.exists():
            reports.rmdir()
        return 0x0000

    options = {"host": "127.0.0.1", "port": archive(status=answer).port, "called_aet": "ORTHANC"}
    ran = run_module(dicom_store, {**options, "paths": [str(folder)], "report_csv": str(reports / "report.csv")})
    assert not ran.failed
    assert ran.result["report_csv"] is None
    assert "report.csv cannot be written: No such file or directory" in str(ran.result["warnings"])


def test_files_that_are_one(run_module, tmp_path, folder):
    options = {"host": "127.0.0.1", "port": 1, "called_aet": "ORTHANC", "paths": [str(folder)]}
    same = str(tmp_path / "same")
    ran = run_module(dicom_store, {**options, "journal": same, "report_csv": same})
    assert ran.result["problems"] == ["report_csv: is the same file as journal"]


def outcome_of(path: str, failure: Any = None) -> Outcome:
    instance = Instance(Path(path), "1.2", "1.2.3", "1.2.4", "1.2.5", "1.2.840.10008.1.2.1", 132, 10, 0)
    return Outcome(instance, None, "not sent. It refuses.", failure, not_tried=True)


def test_a_spreadsheet_runs_no_name():
    data = table(Sending(peer_at(1), (outcome_of("=HYPERLINK(1).dcm"), outcome_of('-1,"2"\n3.dcm'))), ())
    rows = list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline="")))
    assert [row["path"] for row in rows] == ["'=HYPERLINK(1).dcm", '\'-1,"2"\n3.dcm']


def test_thousands_of_a_kind_are_counted(monkeypatch):
    monkeypatch.setattr(report_page, "NAMED_FILES", 3)
    outcomes = tuple(outcome_of(f"/old/{number}.dcm", "connection_refused") for number in range(1234))
    sending = Sending(peer_at(1), outcomes)
    page = Page(report_page.page(sending, (), report_page.datetime(2026, 11, 28, 18, 0)))
    assert "1,234 not sent" in page.text
    assert "/old/2.dcm" in page.text
    assert "/old/3.dcm" not in page.text
    assert "and 1,231 more" in page.text
