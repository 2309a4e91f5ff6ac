# SPDX-License-Identifier: GPL-3.0-or-later
"""What containers may take."""

from __future__ import annotations

import pytest
from ansible_collections.cellcs.orthweb.plugins.filter.limits import (
    ORTHANC_SHARES,
    limit_problems,
    orthanc_data_limit,
    orthanc_memory_options,
)


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("orthanc_memory_mb", 511, "orthanc_memory_mb is 511: with less than 512 MiB it does not work."),
        ("orthanc_memory_mb", 4097, "orthanc_memory_mb is 4097: the host has 4096 MiB."),
        ("postgresql_memory_mb", "2g", "postgresql_memory_mb is '2g': give a whole number of MiB."),
        ("nginx_memory_mb", 127, "nginx_memory_mb is 127: with less than 128 MiB it does not work."),
        ("orthanc_pids", 191, "orthanc_pids is 191: with less than 192 processes it does not work."),
        ("postgresql_pids", -1, "postgresql_pids is '-1': give a whole number of processes."),
        ("nginx_pids", 40000, "nginx_pids is 40000: more than 32768 processes are no limit."),
    ],
)
def test_what_is_out_of_range_is_named(variable: str, value: object, said: str) -> None:
    assert limit_problems({"orthanc_pids": 512, variable: value}, 4096) == [said]


def test_what_is_in_range_or_not_set_is_fine() -> None:
    limits = {"orthanc_memory_mb": "512", "postgresql_memory_mb": 4096, "nginx_memory_mb": "", "orthanc_pids": None}
    assert limit_problems({**limits, "nginx_pids": 64}, 4096) == []


def test_orthanc_is_sized_to_its_memory() -> None:
    small = orthanc_memory_options(1024, {"MaximumRequestBodySizeMB": 4096, "TranscoderCacheSize": 10})
    assert small["MaximumRequestBodySizeMB"] == small["MaximumFileSizeInArchiveMB"] == 256
    assert small["StorageMemoryCapacity"] == 128
    assert small["TranscoderCacheSize"] == 10, "What was set lower stays so"
    large = orthanc_memory_options("65536", {})
    assert large == {option: most for option, (_parts, most) in ORTHANC_SHARES.items()}


@pytest.mark.parametrize("memory_mb", [512, 1536, 4096])
def test_caches_leave_room_for_what_runs(memory_mb: int) -> None:
    options = orthanc_memory_options(memory_mb, {})
    held = [size for option, size in options.items() if not option.startswith("MaximumRequest")]
    assert sum(held) - options["MaximumFileSizeInArchiveMB"] <= memory_mb * 0.45
    assert min(options.values()) > 0


def test_what_orthanc_may_allocate_counts_its_stacks() -> None:
    options = {"HttpThreadsCount": 100, "DicomThreadsCount": 4}
    bare = orthanc_data_limit(1024, options, 0, 2)
    assert bare == 896 << 20, "Below the limit of the container, which would kill it"
    assert orthanc_data_limit(1024, options, 64, 2) == bare + (132 * 64 << 20)
    assert orthanc_data_limit("1024", {**options, "HttpThreadsCount": "50"}, 64, 8) == bare + (88 * 64 << 20)
