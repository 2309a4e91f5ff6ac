# SPDX-License-Identifier: GPL-3.0-or-later
"""A rehearsal on a machine whose ports are taken stops at once, instead of blaming the network later."""

from __future__ import annotations

import socket
import subprocess
import sys

import pytest

from rehearsal.ports import PORTS, TakenError, is_taken, refuse_taken
from support.checkout import ROOT


def test_what_is_free_and_what_somebody_has_on_one_address_is_fine() -> None:
    with socket.create_server(("127.0.0.1", 0)) as elsewhere:
        refuse_taken([elsewhere.getsockname()[1]])


def test_who_listens_on_all_addresses_is_in_the_way() -> None:
    with socket.create_server(("", 0)) as everywhere:
        port = everywhere.getsockname()[1]
        with pytest.raises(TakenError, match=f"another program has {port} \\(no container\\) on all addresses"):
            refuse_taken([port])
    refuse_taken([port])


@pytest.mark.skipif(is_taken(PORTS[2]), reason="somebody has the port")
def test_the_rehearsal_says_it_and_starts_nothing() -> None:
    with socket.create_server(("", PORTS[2])):
        command = [sys.executable, "-m", "rehearsal"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert f"has {PORTS[2]} (no container) on all addresses of this machine. Nothing was started." in done.stdout
    assert "Starting" not in done.stdout
