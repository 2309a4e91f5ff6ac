# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is connected, according to the kernel."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

ESTABLISHED = "01"


def open_connections(tables: str, ports: Iterable[object]) -> int:
    """The number of established connections to local ports.

    :param tables: ``/proc/net/tcp`` and ``/proc/net/tcp6``, one after the other (proc_net_tcp.txt of the kernel)
    """
    wanted = {int(str(port)) for port in ports}
    rows = (line.split() for line in tables.splitlines())
    # Number of the row, local address and port, remote address and port, state; addresses and ports in hexadecimal.
    return sum(
        int(row[1].rpartition(":")[2], 16) in wanted
        for row in rows
        if len(row) > 3 and ":" in row[1] and row[3] == ESTABLISHED
    )


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"open_connections": open_connections}
