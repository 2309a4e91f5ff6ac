# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/offline.md: the Python environment carried over as wheels. Images: tests/integration/test_image_archive.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.desk import Desk
from support.stack import Stack


@pytest.mark.long
def test_an_environment_without_an_index(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    desk = Desk(Stack("orthweb-documented", state, dicom_port=22113, portal_port=22444, orthanc_port=22044), tmp_path)
    desk.run("docs/offline.md", "Where there is a network", only="pip download").ok()
    assert list((desk.checkout / "wheels").glob("ansible_core-*.whl"))

    (desk.checkout / ".venv").unlink()
    nowhere = {"^": "PIP_INDEX_URL=http://127.0.0.1:9 "}  # if pip asked an index, it would fail there
    desk.run("docs/offline.md", "On the machine without a network", only="make venv", instead=nowhere).ok()
    assert (desk.checkout / ".venv" / "bin" / "ansible-playbook").exists()
    assert (desk.checkout / ".venv" / "collections" / "ansible_collections" / "cellcs" / "orthweb" / "roles").is_dir()
