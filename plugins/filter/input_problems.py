# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with a value that a person gave, as a sentence; empty if nothing is."""

from __future__ import annotations

from collections.abc import Callable

from ansible.errors import AnsibleTypeError
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom_names import ae_title_problem, host_name_problem


def _sentence(check: Callable[[str], str | None]) -> Callable[[object], str]:
    def problem(value: object) -> str:
        if not isinstance(value, (str, int)):
            raise AnsibleTypeError(f"Expected a string, got {type(value).__name__}: {value!r}")
        return check(str(value)) or ""

    return problem


class FilterModule:
    def filters(self) -> dict[str, Callable[[object], str]]:
        return {"ae_title_problem": _sentence(ae_title_problem), "host_name_problem": _sentence(host_name_problem)}
