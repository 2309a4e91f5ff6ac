# SPDX-License-Identifier: GPL-3.0-or-later
"""The host: each thing that it lacks has a sentence of its own."""

from __future__ import annotations

import pytest
from ansible_collections.cellcs.orthweb.plugins.plugin_utils.preflight.host import host_problems, stack_problems

GOOD = {
    "name": "one",
    "root": True,
    "distribution": "Debian",
    "version": "12.9",
    "tried": {"Debian": ["12", "13"]},
    "disk_free_mb": 6000,
    "minimum_disk_mb": 6000,
    "docker_directory": "/var/lib/docker",
    "memory_mb": 1800,
    "minimum_memory_mb": 1800,
    "runs": False,
}


@pytest.mark.parametrize("also", [{}, {"version": "13"}, {"disk_free_mb": 1, "runs": True}])
def test_what_is_enough_is_fine(also: dict) -> None:
    assert list(host_problems(**{**GOOD, **also})) == []


@pytest.mark.parametrize(
    ("lacks", "said"),
    [
        ({"root": False}, "No root on one: run as root"),
        ({"version": "11.1"}, "Unsupported distribution: one runs Debian 11.1"),
        ({"distribution": "Ubuntu", "version": "12"}, "Unsupported distribution: one runs Ubuntu 12"),
        ({"disk_free_mb": 5999}, "Too little disk: 5999 MB are free in /var/lib/docker"),
        ({"memory_mb": 1799}, "Too little memory: one has 1799 MB"),
    ],
)
def test_what_it_lacks_is_said(lacks: dict, said: str) -> None:
    (problem,) = host_problems(**{**GOOD, **lacks})
    assert problem.startswith(said)


@pytest.mark.parametrize("stack", ["", "Clinic", "1st", "a" * 32, "clinic\n", "cli nic"])
def test_a_name_that_containers_cannot_have_is_refused(stack: str) -> None:
    (problem,) = stack_problems(stack)
    assert problem.startswith(f'orthweb_stack is "{stack}"')


@pytest.mark.parametrize("stack", ["a", "clinic-2", "a" * 31])
def test_a_name_that_they_can_have_is_fine(stack: str) -> None:
    assert list(stack_problems(stack)) == []
