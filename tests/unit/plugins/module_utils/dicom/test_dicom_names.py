# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.names import (
    ae_title_problem,
    at,
    host_name_problem,
    port_problem,
)
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize("title", ["A", "ORTHANC", "CT 1", " CT1 ", "A" * 16, "ct-1_a.b/c!"])
def test_ae_titles_that_the_standard_allows(title):
    assert ae_title_problem(title) is None


@pytest.mark.parametrize(
    ("title", "problem"),
    [
        ("", "empty"),
        ("   ", "spaces only"),
        ("A" * 17, "17 characters"),
        ("A\\B", "backslash"),
        ("A\nB", "control character"),
        ("A\x7f", "control character"),
        ("RÖNTGEN", "default repertoire"),
    ],
)
def test_ae_titles_that_it_does_not(title, problem):
    assert problem in (ae_title_problem(title) or "")


@given(st.text(max_size=20))
def test_an_ae_title_without_a_problem_fits_its_field(title):
    if ae_title_problem(title) is None:
        assert 1 <= len(title.encode("ascii").strip()) <= 16


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "archive.hospital.example",
        "archive.hospital.example.",
        "10.0.0.5",
        "::1",
        "fe80::1%eth0",
        "a_b-c",
        "röntgen.example",
        "pacs1",
        ".".join(["a" * 63] * 3 + ["a" * 61]),
    ],
)
def test_host_names(host):
    assert host_name_problem(host) is None


@pytest.mark.parametrize(
    ("host", "problem"),
    [
        ("", "empty"),
        ("  ", "empty"),
        ("https://archive", "URL"),
        ("archive/dicom", "URL"),
        ("archive:104", "port"),
        ("[::1]", "brackets"),
        ("300.1.1.1", "looks like an IP address"),
        ("1::2::3", "looks like an IP address"),
        ("a..b", "DNS name"),
        ("-a", "label"),
        ("a b", "label"),
        ("a" * 64, "DNS name"),
        (".".join(["a" * 60] * 5), "253"),
    ],
)
def test_what_is_no_host_name(host, problem):
    assert problem in (host_name_problem(host) or "")


@given(st.text(max_size=300))
def test_no_text_upsets_the_checks(text):
    host_name_problem(text)
    ae_title_problem(text)


def test_ports():
    assert port_problem(1) is port_problem(65535) is None
    assert "1 to 65535" in (port_problem(0) or "")
    assert "1 to 65535" in (port_problem(65536) or "")


def test_addresses_are_written_as_people_write_them():
    assert at("archive", 104) == "archive:104"
    assert at("::1", 104) == "[::1]:104"
