# SPDX-License-Identifier: GPL-3.0-or-later
"""The lock-out against somebody who has many addresses and many names. The tests ask admission at its socket, as nginx
does, so that they can come from any address.
"""

from __future__ import annotations

import asyncio
import base64
from collections import Counter
from collections.abc import Iterable

import pytest

from support.stack import Stack, docker

AT_A_TIME = 150
# More than a zone of 1 MB holds.
MANY = 8000


class Admission:
    def __init__(self, stack: Stack) -> None:
        master = docker("inspect", "--format", "{{.State.Pid}}", stack.container("nginx"))
        self.socket = f"/proc/{master}/root/run/nginx/admission.sock"

    async def _asked(self, room: asyncio.Semaphore, address: str, login: tuple[str, str]) -> str:
        told = {
            "Host": "admission",
            "X-Address": address,
            "X-Method": "GET",
            "X-Path": "/archive/me",
            "X-Uri": "/archive/me",
            "X-Host": "localhost",
            "Authorization": "Basic " + base64.b64encode(":".join(login).encode()).decode(),
        }
        async with room:
            reader, writer = await asyncio.open_unix_connection(self.socket)
            writer.write(
                f"GET / HTTP/1.0\r\n{''.join(f'{k}: {v}{chr(13)}{chr(10)}' for k, v in told.items())}\r\n".encode()
            )
            head = (await reader.read()).decode().partition("\r\n\r\n")[0].splitlines()
            writer.close()
        [why] = [line.partition(": ")[2] for line in head if line.lower().startswith("x-refused")] or [""]
        return " ".join([head[0].split()[1], why]).strip()

    def ask(self, requests: Iterable[tuple[str, tuple[str, str]]]) -> list[str]:
        """What it says to each address and login: 204, 401, or 403 and the reason."""

        async def all_of_them() -> list[str]:
            room = asyncio.Semaphore(AT_A_TIME)
            return await asyncio.gather(*(self._asked(room, address, login) for address, login in requests))

        return asyncio.run(all_of_them())

    def one(self, address: str, login: tuple[str, str]) -> str:
        return self.ask([(address, login)])[0]


@pytest.fixture
def admission(stack: Stack) -> Admission:
    return Admission(stack)


def test_a_locked_account_stays_locked_whatever_others_try(stack: Stack, admission: Admission) -> None:
    """Each of them has a name and an address that nobody has used before. A locked address stays locked as well."""
    assert admission.ask((f"198.51.100.{n}", ("lars", "guess")) for n in range(10)) == ["401"] * 10
    assert admission.one("198.51.100.11", ("lars", "guess")) == "403 locked"
    assert admission.ask(("198.51.100.200", (f"somebody{n}", "guess")) for n in range(10)) == ["401"] * 10
    flood = ((f"10.{n // 65536}.{n // 256 % 256}.{n % 256}", (f"nobody{n}", "guess")) for n in range(MANY))
    assert Counter(admission.ask(flood)) == {"401": MANY}
    assert admission.one("198.51.100.12", ("lars", "guess")) == "403 locked"
    assert admission.one("198.51.100.13", stack.login_of("lars")) == "403 locked", "with the right password"
    assert admission.one("198.51.100.200", ("somebody", "guess")) == "403 locked", "an address"
    assert admission.one("198.51.100.14", stack.login_of("lena")) == "204", "another account"


def test_a_name_that_nobody_has_is_not_counted(admission: Admission) -> None:
    """It takes no room; what such a client does is counted by its address."""
    assert admission.ask((f"203.0.113.{n}", ("no-such-account", "guess")) for n in range(30)) == ["401"] * 30
    assert [admission.one("203.0.113.100", ("no-such-account", "guess")) for _guess in range(11)] == ["401"] * 10 + [
        "403 locked"
    ]


def test_an_ipv6_client_is_its_network(admission: Admission) -> None:
    """Who has one address has 2^64 of them."""
    addresses = [
        "2001:db8::1",
        "2001:db8::2",
        "2001:db8:0:0:3::1",
        "2001:db8:0:0:ffff:ffff:ffff:ffff",
        "2001:db8::a:0:0:1",
    ]
    assert admission.ask((address, (f"nobody{n}", "guess")) for n, address in enumerate(addresses * 2)) == ["401"] * 10
    assert admission.one("2001:db8::77", ("nobody", "guess")) == "403 locked"
    assert admission.one("2001:db8:0:1::1", ("nobody", "guess")) == "401"
    assert admission.one("::2001:db8:0:0:1", ("nobody", "guess")) == "401"
