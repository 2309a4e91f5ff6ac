# SPDX-License-Identifier: GPL-3.0-or-later
"""How parameters of a group of RDS are set: at once where PostgreSQL can take them so, else with the next restart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .drift import drift


def changes(wanted: Sequence[Mapping[str, Any]], found: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The groups for which amazon.aws.rds_instance_param_group must be called, and how.

    It sets all parameters of a call either at once or at a restart, and RDS refuses the first for a static one. So a
    group that has both is there twice. A group that is not there yet has no database whose restart would be waited for.

    :param wanted: each with ``name``, ``family``, ``parameters`` and ``tags``
    :param found: parameter groups, as the module aws_stack_info returns them; ``static`` are names of parameters
    """
    said = []
    for group in drift(wanted, found):
        there = next((each for each in found if each["name"] == group["name"]), None)
        static = {name: value for name, value in group["parameters"].items() if there and name in there["static"]}
        dynamic = {name: value for name, value in group["parameters"].items() if name not in static}
        said.append({**group, "parameters": dynamic, "immediate": there is not None})
        if static:
            said.append({**group, "parameters": static, "immediate": False})
    return said
