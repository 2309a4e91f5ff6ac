# SPDX-License-Identifier: GPL-3.0-or-later
"""Libraries that are there, and those that are not."""

from __future__ import annotations

import pytest
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.libraries import library_problem


def test_what_is_there_is_no_problem():
    assert library_problem("pydicom", "dicomweb-client") is None


@pytest.mark.parametrize(
    ("needed", "named"),
    [
        (["no-such-library"], "(no-such-library)"),
        (["pydicom", "no-such-library"], "(pydicom and no-such-library)"),
        (["pynetdicom", "no-such-library", "pydicom"], "(pynetdicom, no-such-library and pydicom)"),
    ],
)
def test_what_is_missing_is_said_with_all_that_is_needed(needed, named):
    problem = library_problem(*needed)
    assert problem is not None
    assert named in problem["msg"]
    assert "No module named 'no_such_library'" in problem["exception"]
