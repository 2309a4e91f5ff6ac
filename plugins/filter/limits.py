# SPDX-License-Identifier: GPL-3.0-or-later
"""What Orthanc is told of the memory that its container may take."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

# Orthanc's options in MiB: into how many parts its memory is divided for one of them, and the most. Caches and what
# threads hold are two fifths together; the rest is for requests, and for page cache.
ORTHANC_SHARES = {
    # A body is there up to four times: as it came, parsed, in the cache, on its way to the database.
    "MaximumRequestBodySizeMB": (4, 4096),
    "MaximumFileSizeInArchiveMB": (4, 4096),
    # What threads hold at a time, and caches.
    "StorageMemoryCapacity": (8, 512),
    "DicomParserMemoryCapacity": (16, 256),
    "DicomParserCacheSize": (16, 256),
    "TranscoderMemoryCapacity": (16, 256),
    "TranscoderCacheSize": (16, 256),
    "MaximumStorageCacheSize": (32, 128),
    "SequentialDicomReaderWindowCapacity": (32, 128),
}


def orthanc_memory_options(memory_mb: int, options: dict[str, Any]) -> dict[str, int]:
    """Orthanc's options that bound its memory, in proportion to that of its container.

    :param options: where one of them is lower, it stays so
    """
    shares = {option: min(int(memory_mb) // parts, most) for option, (parts, most) in ORTHANC_SHARES.items()}
    return {option: min(share, int(options.get(option, share))) for option, share in shares.items()}


# Threads of Orthanc 1.13 and its plugins beside those for HTTP and DICOM; and one for each processor, half of them
# DICOMweb's, half the web viewer's.
OTHER_THREADS = 26


def orthanc_data_limit(memory_mb: int, options: dict[str, Any], stack_mb: int, processors: int) -> int:
    """How much Orthanc may allocate, in bytes (RLIMIT_DATA): its heap, and stacks that its threads have but do not use.

    With the limit of the container alone, an image that says it is 65,535 by 65,535 has Orthanc killed. With this one,
    which is reached first, Orthanc does not get the memory and says so.

    :param options: Orthanc's, with ``HttpThreadsCount`` and ``DicomThreadsCount``
    :param stack_mb: of one thread; the image sets it
    """
    threads = int(options["HttpThreadsCount"]) + int(options["DicomThreadsCount"]) + OTHER_THREADS + int(processors)
    return (threads * int(stack_mb) + int(memory_mb) * 7 // 8) << 20


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {
            "orthanc_memory_options": orthanc_memory_options,
            "orthanc_data_limit": orthanc_data_limit,
        }
