# SPDX-License-Identifier: GPL-3.0-or-later
"""DICOM listeners, each with all that is known of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.cellcs.orthweb.plugins.plugin_utils.preflight.listeners import dicom_listeners


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"dicom_listeners": dicom_listeners}
