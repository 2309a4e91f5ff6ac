# SPDX-License-Identifier: GPL-3.0-or-later
"""TLS handshakes a second at the DICOM listener and at the portal, in turn with `openssl speed` of the server's key.

Each with new sessions and with resumed ones, with the ECDSA certificate (TLS 1.3) and with the RSA one (TLS 1.2). A
handshake counts when the server, too, has closed the connection. The clients need as much of the machine as the server:
so the rate is also given for a second of nginx's CPU time, and this one is compared with how often nginx's own OpenSSL
signs in a second of one CPU.
"""

from __future__ import annotations

import argparse
import re
import socket
import ssl
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from statistics import median
from urllib.parse import urlsplit

from .common import (
    BenchmarkError,
    Stack,
    container_cpu_seconds,
    exit_with,
    machine,
    parser_for,
    run,
    say,
    spread,
    table,
)

TIMEOUT_SECONDS = 30
CLIENTS = 3
KEYS = {"ECDSA P-256": "ecdsap256", "RSA-3072": "rsa3072"}  # the server's, and openssl speed's name of the algorithm


@dataclass(frozen=True)
class Case:
    """What is connected to, and how."""

    place: str
    key: str
    resumed: bool
    address: str
    port: int
    server_name: str
    ca_certificate: str
    client: tuple[str, str] | None  # certificate and key

    @property
    def name(self) -> str:
        """Return what the table calls it."""
        return f"{self.place}, {self.key}, {'resumed' if self.resumed else 'new'}"

    def context(self) -> ssl.SSLContext:
        """Return a client's settings. TLS 1.2 is how Python can ask for the RSA certificate."""
        context = ssl.create_default_context(cafile=self.ca_certificate)
        if self.client:
            context.load_cert_chain(*self.client)
        if self.key == "RSA-3072":
            context.maximum_version = ssl.TLSVersion.TLSv1_2
            context.set_ciphers("ECDHE-RSA-AES256-GCM-SHA384")
        else:
            context.minimum_version = ssl.TLSVersion.TLSv1_3
        return context


def connect(case: Case, context: ssl.SSLContext, session: ssl.SSLSession | None) -> ssl.SSLSession | None:
    """Connect, close, wait until the server has closed too, and return the session for the next one."""
    raw = socket.create_connection((case.address, case.port), timeout=TIMEOUT_SECONDS)
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # or the farewell waits for a delayed acknowledgement
    with context.wrap_socket(raw, server_hostname=case.server_name, session=session) as connection:
        if session and not connection.session_reused:
            raise BenchmarkError(f"{case.name}: the server did not resume the session.")
        with suppress(OSError, ssl.SSLError):  # nginx may close without a word
            connection.unwrap()
        return connection.session


def work(case: Case, seconds: float) -> int:
    """Connect for as long, in one process, and return how often."""
    context = case.context()
    # TLS 1.3: a session that cannot be resumed is what one has until the server's ticket is read.
    session = connect(case, context, None) if case.resumed else None
    count, until = 0, time.monotonic() + seconds
    while time.monotonic() < until:
        connect(case, context, session)
        count += 1
    return count


def cases(stack: Stack) -> list[Case]:
    """Return everything that is measured."""
    outputs = stack.outputs
    portal, address = urlsplit(outputs["portal_url"]), stack.container_address("nginx")
    client = (outputs["client_certificate"], outputs["client_key"])
    places = (("listener", outputs["dicom"]["port"], client), ("portal", portal.port or 443, None))
    return [
        Case(place, key, resumed, address, port, portal.hostname or "", outputs["ca_certificate"], shown)
        for key in KEYS
        for place, port, shown in places
        for resumed in (False, True)
    ]


def signatures_a_second(stack: Stack, key: str, seconds: int) -> float:
    """Return how often nginx's own OpenSSL signs in a second of one CPU's time."""
    said = run(["docker", "exec", stack.container("nginx"), "openssl", "speed", "-seconds", str(seconds), KEYS[key]])
    line = r"^ *(?:rsa +3072 bits|256 bits ecdsa \(nistp256\)) +(?:[0-9.]+s +)+([0-9.]+)"
    numbers = re.findall(line, said, re.MULTILINE)
    if len(numbers) != 1:
        raise BenchmarkError(f"openssl speed {KEYS[key]} said something else than expected: {said[-500:]}")
    return float(numbers[0])


@dataclass(frozen=True)
class Round:
    """One case, for a while."""

    a_second: float
    a_cpu_second: float
    signatures: float  # a second of one CPU

    @property
    def ratio(self) -> float:
        """Return handshakes to signatures, both for a second of CPU time."""
        return self.a_cpu_second / self.signatures


def play(stack: Stack, case: Case, pool: ProcessPoolExecutor, seconds: float, signatures: float) -> Round:
    """Have all clients connect for a while."""
    nginx = stack.container("nginx")
    before, start = container_cpu_seconds(nginx), time.perf_counter()
    count = sum(pool.map(work, [case] * CLIENTS, [seconds] * CLIENTS))
    took, used = time.perf_counter() - start, container_cpu_seconds(nginx) - before
    return Round(count / took, count / used, signatures)


def row(case: Case, rounds: Sequence[Round]) -> list[str]:
    """Return a case's line of the table."""
    ratios = sorted(one.ratio for one in rounds)
    return [
        case.name,
        str(len(rounds)),
        f"{median(one.a_second for one in rounds):.0f}",
        f"{median(one.a_cpu_second for one in rounds):.0f}",
        f"{median(one.signatures for one in rounds):.0f}",
        f"{median(ratios):.3f}",
        f"{ratios[0]:.3f}-{ratios[-1]:.3f}",
    ]


def arguments() -> argparse.Namespace:
    """Return the command line's arguments."""
    parser = parser_for(__doc__)
    parser.add_argument("--seconds", type=int, default=2, help="seconds for each measurement (2)")
    return parser.parse_args()


def main() -> int:
    """Measure and print. There is no aim."""
    chosen = arguments()
    stack = Stack.deployed(chosen.stack)
    print(f"TLS handshakes, {CLIENTS} clients at a time; {machine()}")
    measured = cases(stack)
    rounds: dict[Case, list[Round]] = {case: [] for case in measured}
    with ProcessPoolExecutor(CLIENTS) as pool:
        for number in range(1 + chosen.rounds):
            signatures = {key: signatures_a_second(stack, key, chosen.seconds) for key in KEYS}
            for case in measured if number % 2 else measured[::-1]:
                played = play(stack, case, pool, chosen.seconds, signatures[case.key])
                say(f"{case.name}, round {number}: {played.a_second:.0f}/s, {played.ratio:.3f}")
                if number:
                    rounds[case].append(played)
    header = ["handshakes", "rounds", "a second", "a CPU second of nginx", "signatures a CPU second", "ratio", "range"]
    print(table(header, [row(case, of_case) for case, of_case in rounds.items()]))
    for place in ("listener", "portal"):
        for key in KEYS:
            new, resumed = (
                [one.a_cpu_second for one in rounds[case]]
                for case in measured
                if (case.place, case.key) == (place, key)
            )
            gains = [late / early for early, late in zip(new, resumed, strict=True)]
            print(f"resumed / new, {place}, {key}: {spread(gains, 1)}")
    return 0


if __name__ == "__main__":
    exit_with(main)
