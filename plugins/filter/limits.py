# SPDX-License-Identifier: GPL-3.0-or-later
"""What containers may take: what is wrong with it, and what Orthanc is told of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

# The least that each gets by with: below it, it would not start or be killed by the first study.
LEAST_MEMORY_MB = {"orthanc_memory_mb": 512, "postgresql_memory_mb": 256, "nginx_memory_mb": 128}
# Processes and threads alike.
LEAST_PIDS = {"orthanc_pids": 192, "postgresql_pids": 96, "nginx_pids": 64}
MOST_PIDS = 32768

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
    """
    Orthanc's options that bound its memory, in proportion to that of its container.

    :param options: where one of them is lower, it stays so
    """
    shares = {option: min(int(memory_mb) // parts, most) for option, (parts, most) in ORTHANC_SHARES.items()}
    return {option: min(share, int(options.get(option, share))) for option, share in shares.items()}


# Threads of Orthanc 1.13 and its plugins beside those for HTTP and DICOM; and one for each processor, half of them
# DICOMweb's, half the web viewer's.
OTHER_THREADS = 26


def orthanc_data_limit(memory_mb: int, options: dict[str, Any], stack_mb: int, processors: int) -> int:
    """
    How much Orthanc may allocate, in bytes (RLIMIT_DATA): its heap, and stacks that its threads have but do not use.

    With the limit of the container alone, an image that says it is 65,535 by 65,535 has Orthanc killed. With this one,
    which is reached first, Orthanc does not get the memory and says so.

    :param options: Orthanc's, with ``HttpThreadsCount`` and ``DicomThreadsCount``
    :param stack_mb: of one thread; the image sets it
    """
    threads = int(options["HttpThreadsCount"]) + int(options["DicomThreadsCount"]) + OTHER_THREADS + int(processors)
    return (threads * int(stack_mb) + int(memory_mb) * 7 // 8) << 20


def _problem(variable: str, value: object, least: int, most: int, unit: str, why_most: str) -> Iterable[str]:
    text = str(value)
    if not (text.isascii() and text.isdigit()):
        yield f"{variable} is {text!r}: give a whole number of {unit}."
    elif int(text) < least:
        yield f"{variable} is {text}: with less than {least} {unit} it does not work."
    elif int(text) > most:
        yield f"{variable} is {text}: {why_most}."


def limit_problems(limits: dict[str, object], memory_mb: int) -> list[str]:
    """
    Sentences; empty if nothing is wrong.

    :param limits: value by variable, for those that were set; an empty value stands for the default
    :param memory_mb: what the host has
    """
    problems: list[str] = []
    for variable, value in limits.items():
        if value is None or value == "":
            continue
        if variable in LEAST_MEMORY_MB:
            why = f"the host has {memory_mb} MiB"
            problems += _problem(variable, value, LEAST_MEMORY_MB[variable], memory_mb, "MiB", why)
        else:
            why = f"more than {MOST_PIDS} processes are no limit"
            problems += _problem(variable, value, LEAST_PIDS[variable], MOST_PIDS, "processes", why)
    return problems


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {
            "limit_problems": limit_problems,
            "orthanc_memory_options": orthanc_memory_options,
            "orthanc_data_limit": orthanc_data_limit,
        }
