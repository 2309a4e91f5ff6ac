# SPDX-License-Identifier: GPL-3.0-or-later
"""What a Linux host says of itself under ``/proc``, read without any tool that may be missing there."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

LISTEN_STATE = "0A"  # TCP_LISTEN in /proc/net/tcp


@dataclass(frozen=True)
class Listener:
    """A TCP socket that accepts connections, and who holds it (None where this user may not see it)."""

    port: int
    address: str
    pid: int | None
    process: str | None


def listeners(proc: Path = Path("/proc")) -> list[Listener]:
    """All listening TCP sockets of this host, IPv4 and IPv6, by port."""
    owners = _socket_owners(proc)
    found = []
    for table in ("tcp", "tcp6"):
        for line in _lines(proc / "net" / table)[1:]:
            fields = line.split()
            if fields[3] != LISTEN_STATE:
                continue
            address, port = fields[1].split(":")
            pid = owners.get(fields[9])
            found.append(Listener(int(port, 16), _address(address), pid, _process_name(proc, pid)))
    return sorted(found, key=lambda listener: (listener.port, listener.address))


def ipv4_networks(proc: Path = Path("/proc")) -> list[str]:
    """The IPv4 networks this host has routes to, the default route left out, as ``a.b.c.d/len``."""
    networks = set()
    for line in _lines(proc / "net" / "route")[1:]:
        _interface, destination, _gateway, _flags, _ref, _use, _metric, mask = line.split()[:8]
        if int(mask, 16):
            networks.add(f"{_address(destination)}/{bin(int(mask, 16)).count('1')}")
    return sorted(networks)


def memory_bytes(proc: Path = Path("/proc")) -> int:
    """The memory of this host in bytes; 0 if it does not say."""
    for line in _lines(proc / "meminfo"):
        if line.startswith("MemTotal:"):
            return int(line.split()[1]) * 1024
    return 0


def disk_bytes(path: Path) -> tuple[int, int]:
    """The size of the disk where ``path`` is or, if it is not there yet, would be; and how much of it is free.

    Both without what is set aside for root.
    """
    while not path.exists():
        path = path.parent
    stat = os.statvfs(path)
    free = stat.f_bavail * stat.f_frsize
    return (stat.f_blocks - stat.f_bfree) * stat.f_frsize + free, free


def first_free_network(candidates: list[str], taken: list[str]) -> str | None:
    """The first of ``candidates`` that overlaps none of the ``taken`` networks."""
    busy = [ipaddress.ip_network(network, strict=False) for network in taken]
    for candidate in candidates:
        network = ipaddress.ip_network(candidate)
        if not any(network.version == other.version and network.overlaps(other) for other in busy):
            return candidate
    return None


def _socket_owners(proc: Path) -> dict[str, int]:
    """Socket inode → process id, for every process this user may look into."""
    owners: dict[str, int] = {}
    for process in _numbered(proc):
        try:
            descriptors = list((process / "fd").iterdir())
        except OSError:  # ended meanwhile, or somebody else's
            continue
        for descriptor in descriptors:
            try:
                match = re.fullmatch(r"socket:\[(\d+)\]", str(descriptor.readlink()))
            except OSError:
                continue
            if match:
                owners.setdefault(match[1], int(process.name))
    return owners


def _numbered(proc: Path) -> Iterator[Path]:
    return (entry for entry in proc.iterdir() if entry.name.isdigit())


def _process_name(proc: Path, pid: int | None) -> str | None:
    lines = _lines(proc / str(pid) / "comm") if pid else []
    return lines[0] if lines else None


def _address(hexadecimal: str) -> str:
    """An address as the kernel prints it: 32-bit words in host byte order (little-endian on all our platforms)."""
    words = [bytes.fromhex(hexadecimal[i : i + 8])[::-1] for i in range(0, len(hexadecimal), 8)]
    return str(ipaddress.ip_address(b"".join(words)))


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return []
