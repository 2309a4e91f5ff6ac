# SPDX-License-Identifier: GPL-3.0-or-later
"""Admission, asked at its socket as nginx does: who asks can come from any address there."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from .stack import Stack, docker

AT_A_TIME = 150


class Admission:
    def __init__(self, stack: Stack) -> None:
        master = docker("inspect", "--format", "{{.State.Pid}}", stack.container("nginx"))
        self.socket = str(Path("/proc", master, "root", "run", "nginx", "admission.sock"))

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

        with ThreadPoolExecutor() as beside:  # a browser's test has an event loop of its own
            return beside.submit(asyncio.run, all_of_them()).result()

    def one(self, address: str, login: tuple[str, str]) -> str:
        return self.ask([(address, login)])[0]
