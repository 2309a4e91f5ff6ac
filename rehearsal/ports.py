# SPDX-License-Identifier: GPL-3.0-or-later
"""The ports of the hosts, each on an address in 127/8 of its own: nobody else may have them on all addresses."""

from __future__ import annotations

import errno
import socket
import subprocess
from collections.abc import Sequence

PORTS = (22, 443, 8042, 11112)
NOBODYS = "127.255.255.254"


class TakenError(RuntimeError):
    """A port is taken. The text says by whom, and what to do."""


def refuse_taken(ports: Sequence[int] = PORTS) -> None:
    """Raises TakenError if somebody listens on one of the ports on all addresses: no host could be reached there."""
    taken = [f"{port} ({holder(port)})" for port in ports if is_taken(port)]
    if taken:
        raise TakenError(
            f"The hosts of a rehearsal have the ports {', '.join(map(str, ports))} on addresses of their own, and "
            f"another program has {', '.join(taken)} on all addresses of this machine. Nothing was started. Stop it "
            "(an archive that is deployed here: docker stop; an sshd: ListenAddress), or rehearse on another machine."
        )


def is_taken(port: int) -> bool:
    try:
        socket.create_server((NOBODYS, port)).close()
    except OSError as error:
        return error.errno == errno.EADDRINUSE
    return False


def holder(port: int) -> str:
    """The container that publishes it, as far as that is known."""
    command = ["docker", "ps", "--filter", f"publish={port}", "--format", "{{.Names}}"]
    found = subprocess.run(command, capture_output=True, text=True, check=False).stdout.split()
    return ", ".join(found) or "no container"
