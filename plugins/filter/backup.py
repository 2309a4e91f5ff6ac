# SPDX-License-Identifier: GPL-3.0-or-later
"""pgBackRest's configuration, and what a person is told of backups."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.cellcs.orthweb.plugins.plugin_utils.pgbackrest import (
    backups_made,
    pgbackrest_configuration,
    pgbackrest_files,
    pgbackrest_places,
    restore_moment,
    restored,
)


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {
            "pgbackrest_configuration": pgbackrest_configuration,
            "pgbackrest_files": pgbackrest_files,
            "pgbackrest_places": pgbackrest_places,
            "backups_made": backups_made,
            "restore_moment": restore_moment,
            "restored": restored,
        }
