# SPDX-License-Identifier: GPL-3.0-or-later
"""What stacks of their own share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from support.database_alone import UID


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For backups, on this machine."""
    folder = tmp_path_factory.mktemp("nas")
    os.chown(folder, UID, UID)
    return folder
