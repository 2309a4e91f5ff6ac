# SPDX-License-Identifier: GPL-3.0-or-later
"""What Orthanc is told of its container's memory."""

from __future__ import annotations

import pytest
from ansible_collections.cellcs.orthweb.plugins.filter.limits import (
    ORTHANC_SHARES,
    orthanc_data_limit,
    orthanc_memory_options,
)


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
