# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines of PostgreSQL's password file, as libpq splits them again."""

from __future__ import annotations

import re

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.cellcs.orthweb.plugins.filter.pgpass import pgpass_line


@pytest.mark.parametrize(
    "password", ["plain", "with:colon", "back\\slash", "both\\:", ":", "\\", "#no comment", "ends in \\"]
)
def test_each_field_is_found_again(password: str) -> None:
    fields = ["2001:db8::1", "5432", "arch:ive", "orthanc-user", password]
    line = pgpass_line(password, fields[0], 5432, fields[2], fields[3])
    found = [re.sub(r"\\(.)", r"\1", each) for each in re.findall(r"(?:^|:)((?:[^:\\]|\\.)*)", line)]
    assert found == fields


def test_a_line_break_would_begin_another_line() -> None:
    with pytest.raises(AnsibleFilterError, match="line break"):
        pgpass_line("one\ntwo", "db", 5432, "orthanc", "orthanc")
