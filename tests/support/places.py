# SPDX-License-Identifier: GPL-3.0-or-later
"""Places that the archive is reached from: network namespaces with an address each, as machines on a cable have."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Network

from .process import output_of, run


@dataclass(frozen=True)
class Place:
    """A machine on a cable of its own.

    :ivar address: its own
    :ivar archive: the address that this machine has there
    """

    name: str
    address: str
    archive: str

    def command(self, *command: str) -> list[str]:
        """The same command, run there; nothing else than the network is different."""
        return ["ip", "netns", "exec", self.name, *command]

    def run(self, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        return run(*self.command(*command))


def ip(*arguments: str) -> None:
    output_of("ip", *arguments)


@contextmanager
def place(name: str, network: str) -> Iterator[Place]:
    """A place for as long as the block lasts.

    :param name: at most 10 characters: with "veth-", the 15 that the kernel has for interfaces. With another beginning,
        it would be taken for one of this machine's own, whose addresses go into certificates.
    :param network: a /30: the first address is this machine's, the second one that of the place
    """
    archive, address = map(str, IPv4Network(network).hosts())
    name = f"veth-{name}"
    for kind in ("link", "netns"):  # of a run cut off
        run("ip", kind, "delete", name)
    ip("netns", "add", name)
    try:
        ip("link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", name)
        ip("address", "add", f"{archive}/30", "dev", name)
        ip("link", "set", name, "up")
        ip("-netns", name, "address", "add", f"{address}/30", "dev", "eth0")
        # IPv4 only. A browser drops its connections when an IPv6 address is ready, seconds later.
        ip("-netns", name, "link", "set", "eth0", "addrgenmode", "none")
        for interface in ("lo", "eth0"):
            ip("-netns", name, "link", "set", interface, "up")
        ip("-netns", name, "route", "add", "default", "via", archive)
        yield Place(name, address, archive)
    finally:
        ip("link", "delete", name)  # at once: with the namespace it would go some time later
        ip("netns", "delete", name)
