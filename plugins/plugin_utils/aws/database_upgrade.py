# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether RDS is still upgrading PostgreSQL to another major version, or has given up.

The state alone does not tell. RDS says C(available) for a moment after it was asked, with the version among the
pending values, and again when its checks or C(pg_upgrade) failed; then the version is the old one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .database_states import state


def upgrade(found: Mapping[str, Any], before: Mapping[str, Any], wanted: object) -> dict[str, bool]:
    """What has become of an upgrade that this run has asked for, or found under way.

    :param found: the database as it is now, as amazon.aws.rds_instance_info returns it; empty if there is none
    :param before: the database at the beginning of the run, as the module aws_stack_info returns it; empty if it was
        not asked
    :param wanted: version of PostgreSQL that was asked for
    :returns: ``under_way``, and ``given_up``; both are false where no upgrade was to be expected
    """
    old = before.get("engine_version")
    asked = bool(found and old) and (before.get("state") == "upgrading" or _major(old) < _major(wanted))
    status, pending = found.get("db_instance_status", ""), found.get("pending_modified_values") or {}
    is_old, is_settled = _major(found.get("engine_version")) < _major(wanted), state(status)["settled"]
    # Among others, RDS makes a backup first: "backing-up".
    going_on = status == "upgrading" or bool(pending.get("engine_version")) or (is_old and not is_settled)
    return {"under_way": asked and going_on, "given_up": asked and is_old and not going_on}


def _major(version: object) -> int:
    number = str(version or 0).partition(".")[0]
    return int(number) if number.isdigit() else 0
