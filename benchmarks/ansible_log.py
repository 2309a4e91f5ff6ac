# SPDX-License-Identifier: GPL-3.0-or-later
"""What the output of ``make deploy`` says about time and changes (callback ansible.posix.profile_tasks)."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from .common import BenchmarkError

# Let the recap hold every task, not just the slowest.
ALL_TASKS = {"PROFILE_TASKS_TASK_OUTPUT_LIMIT": "all"}

_HEADING = re.compile(r"^TASKS RECAP \*+$", re.MULTILINE)
_TOTAL = re.compile(r"\(\d+:\d\d:\d\d\.\d+\)\s+(?P<hours>\d+):(?P<minutes>\d\d):(?P<seconds>\d\d\.\d+)")
_TASK = re.compile(r"^(?P<name>\S.*?) -* ?(?P<seconds>\d+\.\d\d)s$", re.MULTILINE)
_HOST = re.compile(
    r"^\S+\s+: ok=\d+\s+changed=(?P<changed>\d+)\s+unreachable=\d+\s+failed=(?P<failed>\d+)", re.MULTILINE
)
_CHANGED = re.compile(r"^TASK \[(?P<name>.+)\] \*+$|^changed: ", re.MULTILINE)
_REAL = re.compile(r"^real\s+(?P<minutes>\d+)m(?P<seconds>\d+\.\d+)s$", re.MULTILINE)


@dataclass(frozen=True)
class Task:
    """One line of the recap. ``name`` is 'role : task', or just the task where there is no role."""

    name: str
    seconds: float

    @property
    def role(self) -> str:
        """Return the short name of the task's role."""
        role, separator, _unused = self.name.partition(" : ")
        return role.rpartition(".")[2] if separator else "playbook"


@dataclass(frozen=True)
class DeployLog:
    """One whole run of ``make deploy``."""

    playbook_seconds: float
    tasks: Sequence[Task]
    changed: int
    changed_tasks: Sequence[str]
    real_seconds: float | None  # what the shell's `time` said, with the virtual environment in it

    def seconds_by_role(self) -> dict[str, float]:
        """Return the seconds of each role, the longest first."""
        roles: defaultdict[str, float] = defaultdict(float)
        for task in self.tasks:
            roles[task.role] += task.seconds
        return dict(sorted(roles.items(), key=lambda item: -item[1]))


def read_log(text: str) -> DeployLog:
    """Read the output of a run. Raises ``BenchmarkError`` if the run failed or did not come to its end."""
    hosts = list(_HOST.finditer(text))
    parts = _HEADING.split(text)
    total = _TOTAL.search(parts[-1])
    if len(parts) < 2 or not hosts or not total:
        raise BenchmarkError(f"This is not the output of a whole `make deploy` with profile_tasks: ...{text[-1500:]}")
    if any(int(host["failed"]) for host in hosts):
        raise BenchmarkError(f"The run failed: ...{text[-1500:]}")
    real = _REAL.search(text)
    return DeployLog(
        playbook_seconds=int(total["hours"]) * 3600 + int(total["minutes"]) * 60 + float(total["seconds"]),
        tasks=[Task(line["name"], float(line["seconds"])) for line in _TASK.finditer(parts[-1])],
        changed=sum(int(host["changed"]) for host in hosts),
        changed_tasks=_changed_tasks(text),
        real_seconds=int(real["minutes"]) * 60 + float(real["seconds"]) if real else None,
    )


def _changed_tasks(text: str) -> list[str]:
    names, current = [], ""
    for line in _CHANGED.finditer(text):
        if line["name"]:
            current = line["name"]
        elif current not in names:
            names.append(current)
    return names
