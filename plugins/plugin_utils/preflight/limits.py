# SPDX-License-Identifier: GPL-3.0-or-later
"""What containers may take."""

from __future__ import annotations

from collections.abc import Iterable

# The least that each gets by with: below it, it would not start or be killed by the first study.
LEAST_MEMORY_MB = {
    "orthanc_memory_mb": 512,
    "postgresql_memory_mb": 256,
    "nginx_memory_mb": 128,
    "identity_memory_mb": 384,
    "audit_memory_mb": 64,
    "backup_memory_mb": 128,
}
# Processes and threads alike.
LEAST_PIDS = {
    "orthanc_pids": 192,
    "postgresql_pids": 96,
    "nginx_pids": 64,
    "identity_pids": 48,
    "audit_pids": 16,
    "backup_pids": 16,
}
MOST_PIDS = 32768


def _problem(variable: str, value: object, least: int, most: int, unit: str, why_most: str) -> Iterable[str]:
    text = str(value)
    if not (text.isascii() and text.isdigit()):
        yield f"{variable} is {text!r}: use a whole number of {unit}."
    elif int(text) < least:
        yield f"{variable} is {text}: with less than {least} {unit} it does not work."
    elif int(text) > most:
        yield f"{variable} is {text}: {why_most}."


def limit_problems(limits: dict[str, object], memory_mb: int) -> list[str]:
    """Sentences; empty if nothing is wrong.

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
            why = f"more than {MOST_PIDS} processes is not a limit"
            problems += _problem(variable, value, LEAST_PIDS[variable], MOST_PIDS, "processes", why)
    return problems
