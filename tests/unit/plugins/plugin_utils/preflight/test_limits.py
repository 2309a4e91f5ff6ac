# SPDX-License-Identifier: GPL-3.0-or-later
"""What containers may take."""

from __future__ import annotations

import pytest
from ansible_collections.cellcs.orthweb.plugins.plugin_utils.preflight.limits import limit_problems


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("orthanc_memory_mb", 511, "orthanc_memory_mb is 511: with less than 512 MiB it does not work."),
        ("orthanc_memory_mb", 4097, "orthanc_memory_mb is 4097: the host has 4096 MiB."),
        ("postgresql_memory_mb", "2g", "postgresql_memory_mb is '2g': use a whole number of MiB."),
        ("nginx_memory_mb", 127, "nginx_memory_mb is 127: with less than 128 MiB it does not work."),
        ("orthanc_pids", 191, "orthanc_pids is 191: with less than 192 processes it does not work."),
        ("postgresql_pids", -1, "postgresql_pids is '-1': use a whole number of processes."),
        ("nginx_pids", 40000, "nginx_pids is 40000: more than 32768 processes is not a limit."),
    ],
)
def test_what_is_out_of_range_is_named(variable: str, value: object, said: str) -> None:
    assert limit_problems({"orthanc_pids": 512, variable: value}, 4096) == [said]


def test_what_is_in_range_or_not_set_is_fine() -> None:
    limits = {"orthanc_memory_mb": "512", "postgresql_memory_mb": 4096, "nginx_memory_mb": "", "orthanc_pids": None}
    assert limit_problems({**limits, "nginx_pids": 64}, 4096) == []
