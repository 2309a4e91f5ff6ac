# SPDX-License-Identifier: GPL-3.0-or-later
"""CPU time that a request costs until somebody is let in: with a session, with HTTP Basic, and without a login.

It counts the CPU time of nginx, the login service and PostgreSQL, over TLS connections that stay open, for a page that
nginx has itself. Eight clients, each with a session of its own, take turns; each request has another address. With
--other, another stack on this machine is measured in turn: one from before the login service is compared with it.
"""

from __future__ import annotations

import http.client
import ssl
import time
from base64 import b64encode
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

import requests

from .common import (
    BenchmarkError,
    Stack,
    container_cpu_seconds,
    exit_with,
    machine,
    median,
    parser_for,
    say,
    spread,
    table,
    verdict,
)

AIM = 1.5  # a session, against HTTP Basic with the other stack
CLIENTS = 8
REQUESTS = 8000
PARTS = ("nginx", "identity", "postgresql")
GUARDED, OPEN = "/archive/archive.json", "/archive/icon.svg"


@dataclass(frozen=True)
class Case:
    """One way of asking a stack."""

    name: str
    stack: Stack
    path: str
    headers: Sequence[dict[str, str]]  # of each client

    def cpu_seconds(self) -> float:
        """Return what all parts have used so far."""
        used = 0.0
        for part in PARTS:
            with suppress(BenchmarkError):  # a stack without a login service
                used += container_cpu_seconds(self.stack.container(part))
        return used

    def microseconds(self) -> float:
        """Return the CPU time of one request."""
        portal = urlsplit(self.stack.outputs["portal_url"])
        context = ssl.create_default_context(cafile=self.stack.outputs["ca_certificate"])
        clients = [http.client.HTTPSConnection(portal.netloc, context=context, timeout=30) for _unused in self.headers]

        def ask(number: int) -> None:
            which = number % len(clients)
            clients[which].request("GET", f"{self.path}?{number}", headers=self.headers[which])
            answer = clients[which].getresponse()
            answer.read()
            if answer.status != http.client.OK:
                raise BenchmarkError(f"{self.path} of {self.stack.name} was answered {answer.status}.")

        for number in range(10 * len(clients)):
            ask(number)
        before = self.cpu_seconds()
        for number in range(REQUESTS):
            ask(number)
        used = self.cpu_seconds() - before
        for client in clients:
            client.close()
        return used / REQUESTS * 1e6


def cookie(stack: Stack) -> dict[str, str]:
    """Log in as a browser does, and return the header that it sends from then on."""
    with requests.Session() as browser:
        browser.trust_env = False
        browser.verify = stack.outputs["ca_certificate"]
        browser.headers["Accept"] = "application/json"
        page = stack.outputs["portal_url"] + "auth/"
        form = {
            "user": stack.username,
            "password": stack.password,
            "token": browser.get(page, timeout=30).json()["token"],
        }
        answer = browser.post(page, data=form, timeout=30).json()
        if answer.get("result") != 1:
            raise BenchmarkError(f"{stack.username} cannot log in to {stack.name}: {answer}")
        return {"Cookie": "; ".join(f"{one.name}={one.value}" for one in browser.cookies)}


def basic(stack: Stack) -> dict[str, str]:
    """Return the header of HTTP Basic."""
    return {"Authorization": "Basic " + b64encode(f"{stack.username}:{stack.password}".encode()).decode()}


def cases(stack: Stack, other: Stack | None) -> list[Case]:
    """Return what is measured in turn, the case that is compared with all others first."""
    found = [
        Case("session", stack, GUARDED, [cookie(stack) for _unused in range(CLIENTS)]),
        Case("HTTP Basic", stack, GUARDED, [basic(stack)] * CLIENTS),
        Case("no login", stack, OPEN, [{}] * CLIENTS),
    ]
    if other:
        found.append(Case(f"HTTP Basic, {other.name}", other, GUARDED, [basic(other)] * CLIENTS))
        found.append(Case(f"no login, {other.name}", other, OPEN, [{}] * CLIENTS))
    return found


def main() -> int:
    """Measure and print. Return 1 if a figure misses its aim."""
    parser = parser_for(__doc__)
    parser.add_argument("--other", help="name of another stack on this machine, to compare with")
    chosen = parser.parse_args()
    measured = cases(Stack.deployed(chosen.stack), Stack.deployed(chosen.other) if chosen.other else None)
    figures: dict[str, list[float]] = {case.name: [] for case in measured}
    for number in range(chosen.rounds + 1):
        for case in measured:
            time.sleep(0.2)
            took = case.microseconds()
            say(f"round {number}: {case.name} {took:.0f} µs")
            if number:
                figures[case.name].append(took)
    print(f"CPU a request, {CLIENTS} clients in turn, {REQUESTS} requests a round; {machine()}")
    session = median(figures["session"])
    rows = [[name, spread(values, 0), f"{session / median(values):.2f}"] for name, values in figures.items()]
    print(table(["", "µs", "session to it"], rows))
    if not chosen.other:
        return 0
    ratio = session / median(figures[f"HTTP Basic, {chosen.other}"])
    print(f"session to HTTP Basic of {chosen.other}: {ratio:.2f}, aim {AIM}: {verdict(ratio <= AIM)}")
    return int(ratio > AIM)


if __name__ == "__main__":
    exit_with(main)
