# SPDX-License-Identifier: GPL-3.0-or-later
"""Modalities, and the archive's own names."""

from __future__ import annotations

import pytest
from ansible_collections.cellcs.orthweb.plugins.plugin_utils.preflight.modalities import (
    modality_problems,
    server_name_problems,
)

CT = {"name": "ct-1", "aet": "CT1", "host": "192.0.2.7", "port": 104, "allow": ["echo", "store", "find_worklist"]}


def test_what_is_right_is_fine() -> None:
    assert list(modality_problems([CT, {"name": "mr", "aet": "MR"}], "ORTHANC")) == []
    assert list(server_name_problems(["pacs.clinic.example", "192.0.2.1"])) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"name": "Not good"}, "(Not good): name must be small letters"),
        ({"name": ""}, "(): name must be small letters"),
        ({"aet": "SEVENTEEN_LETTERS"}, "has 17 characters"),
        ({"host": "https://ct"}, "is an URL"),
        ({"port": 0}, "port is 0: a port is a number from 1 to 65535."),
        ({"tls": False}, "does not know tls; it has name, aet, host, port and allow."),
        ({"prot": 104}, "does not know prot (did you mean port?);"),
        ({"allow": ["store", "fetch"]}, "allow has fetch; choose of echo, store, find, find_worklist, get and move."),
        ({"allow": "store"}, "allow is 'store': give a list"),
    ],
)
def test_each_mistake_is_said_with_its_entry(change: dict, said: str) -> None:
    (problem,) = modality_problems([{"name": "mr", "aet": "MR"}, {**CT, **change}], "ORTHANC")
    assert problem.startswith("orthweb_modalities, entry 2 (")
    assert said in problem


def test_a_name_and_an_ae_title_stand_in_one_entry() -> None:
    assert list(modality_problems([CT, {**CT, "aet": "CT2"}], "ORTHANC")) == [
        "orthweb_modalities, entry 1 (ct-1): name ct-1 stands in more than one entry.",
        "orthweb_modalities, entry 2 (ct-1): name ct-1 stands in more than one entry.",
    ]


def test_an_entry_without_anything_is_said() -> None:
    problems = list(modality_problems([{}], "ORTHANC"))
    assert [problem.split(": ")[0] for problem in problems] == ["orthweb_modalities, entry 1 (no name)"] * 2


def test_the_archive_itself() -> None:
    (problem,) = modality_problems([CT], "WITH\\BACKSLASH")
    assert problem.startswith("orthweb_aet: ") and "has a backslash" in problem
    (problem,) = modality_problems([], "ORTHANC")
    assert problem.startswith("orthweb_modalities is empty")
    (problem,) = server_name_problems(["no name/", "pacs"])
    assert problem.startswith("orthweb_server_name or orthweb_server_aliases: 'no name/'")
