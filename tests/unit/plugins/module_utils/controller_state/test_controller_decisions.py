# SPDX-License-Identifier: GPL-3.0-or-later
"""What a controller must not lack."""

from __future__ import annotations

from ansible_collections.cellcs.orthweb.plugins.module_utils.controller_state.archive import Entry
from ansible_collections.cellcs.orthweb.plugins.module_utils.controller_state.decisions import lost

FILE = Entry(0o600, b"{}")


def test_what_the_copy_has_and_the_folder_lacks() -> None:
    assert lost({"pki/ca.crt": FILE}, {"secrets.json": FILE, "pki/client-ct.key": FILE}) == ["secrets.json"]


def test_what_neither_has_is_not_lost() -> None:
    assert lost({}, {}) == []
    assert lost({"secrets.json": FILE}, {}) == []
