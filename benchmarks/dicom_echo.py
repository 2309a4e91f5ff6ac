# SPDX-License-Identifier: GPL-3.0-or-later
"""dicom_echo compared with dcmtk's echoscu, and 200 peers in one call compared with a loop.

One echo: the peer is dcmtk's storescp, once over mutual TLS and once in the clear. Both clients reach it through the
same small relay, which knows nothing of either and notes when it was connected to and when the client ended its side:
that is the TLS handshake, the association, the echo and the release, without the start of the process. Beside it stands
the time of the whole process. The clients take turns, so that whatever else the machine does hits both.

Many peers: stand-ins listen on a port each and replay over TLS what storescp answers, every tenth of them a second
late. One call with all of them is compared with a loop over a few, reckoned up to all.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import resource
import shutil
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from ansible.plugins.loader import init_plugin_loader

from .common import REPOSITORY, BenchmarkError, machine, run, say, table, verdict, wait_for_quiet

COLLECTIONS = REPOSITORY / ".venv" / "collections"
MODULE = "ansible_collections.cellcs.orthweb.plugins.modules.dicom_echo"
# pynetdicom brings programs of the same names into the virtual environment.
ECHOSCU, STORESCP = "/usr/bin/echoscu", "/usr/bin/storescp"
# DCMTK leaves Nagle's algorithm on: without this, it waits for delayed acknowledgements.
DCMTK = {**os.environ, "TCP_NODELAY": "1"}
HERE = "127.0.0.1"
AIM_RATIO = 1.2
AIM_SECONDS = 2.0
SLOW_SECONDS = 1.0
SLOW_EVERY = 10
PEERS_IN_A_LIST = 10


@dataclass(frozen=True)
class Pki:
    """PEM files of a CA, and of a server and a client that it has issued for."""

    folder: Path

    @classmethod
    def made_in(cls, folder: Path) -> Pki:
        """Make all of them with OpenSSL: ECDSA keys on P-256."""
        pki = cls(folder)
        new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        request = ["openssl", "req", "-x509", *new_key, "-days", "2"]
        run([*request, "-subj", "/CN=benchmark CA", "-keyout", pki.path("ca.key"), "-out", pki.path("ca.crt")])
        for name in ("server", "client"):
            names = ["-addext", f"subjectAltName=IP:{HERE}", "-addext", "basicConstraints=critical,CA:false"]
            signed = ["-CA", pki.path("ca.crt"), "-CAkey", pki.path("ca.key")]
            out = ["-keyout", pki.path(f"{name}.key"), "-out", pki.path(f"{name}.crt")]
            run([*request, *signed, *names, "-subj", f"/CN={name}", *out])
        return pki

    def path(self, name: str) -> str:
        """Return the path of one of the files."""
        return str(self.folder / name)

    def dcmtk(self, who: str) -> list[str]:
        """Return dcmtk's options for TLS."""
        return ["+tls", self.path(f"{who}.key"), self.path(f"{who}.crt"), "+cf", self.path("ca.crt")]

    def module(self) -> dict[str, Any]:
        """Return the module's options for TLS."""
        files = {"client_certificate": "client.crt", "client_key": "client.key", "ca_file": "ca.crt"}
        return {"tls": True, **{option: self.path(name) for option, name in files.items()}}


@contextmanager
def storescp(*options: str) -> Iterator[int]:
    """Start dcmtk's storescp and return its port."""
    with socket.create_server((HERE, 0)) as free:
        port = free.getsockname()[1]
    command = [STORESCP, *options, "--ignore", str(port)]
    with subprocess.Popen(command, env=DCMTK, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            for _unused in range(200):
                with socket.socket() as probe:
                    if probe.connect_ex((HERE, port)) == 0:
                        break
                time.sleep(0.05)
            else:
                raise BenchmarkError(f"{' '.join(command)} does not listen. Is dcmtk installed?")
            yield port
        finally:
            process.kill()


class Relay:
    """Passes bytes on between clients and the port of a peer, and notes how long each client stayed."""

    def __init__(self, peer: int) -> None:
        """Begin to listen, and to pass on in a thread of its own, one connection after the other."""
        self.milliseconds: list[float] = []
        self._peer = peer
        self._server = socket.create_server((HERE, 0))
        self.port: int = self._server.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        self._server.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _unused = self._server.accept()
                start = time.perf_counter()
                with client, socket.create_connection((HERE, self._peer)) as peer:
                    for each in (client, peer):
                        each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    back = threading.Thread(target=_pass_on, args=(peer, client))
                    back.start()
                    _pass_on(client, peer)
                    self.milliseconds.append((time.perf_counter() - start) * 1000)
                    back.join()


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    """Pass on until the source ends, and end the target's side then."""
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def call_module(options: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Run dicom_echo in a process of its own and return its result. Raises ``BenchmarkError``."""
    arguments = folder / "arguments.json"
    arguments.write_text(json.dumps({"ANSIBLE_MODULE_ARGS": options}), encoding="utf-8")
    result: dict[str, Any] = json.loads(
        run([sys.executable, "-m", MODULE, arguments], env={"PYTHONPATH": str(COLLECTIONS)})
    )
    if not result["alive"]:
        raise BenchmarkError(f"dicom_echo: {result['msg']}")
    return result


def settle(chosen: argparse.Namespace) -> None:
    """Wait for a quiet moment, if that was asked for."""
    if chosen.quiet is not None:
        wait_for_quiet(chosen.quiet)


def timed(call: Callable[[], object]) -> float:
    """Return how many milliseconds a call takes."""
    start = time.perf_counter()
    call()
    return (time.perf_counter() - start) * 1000


def one_echo(
    name: str, scp: int, tls: dict[str, Any], dcmtk: Sequence[str], chosen: argparse.Namespace, folder: Path
) -> list[Row]:
    """Return the rows of one way to the peer: a process of its own each, and a peer of a list."""
    with closing(Relay(scp)) as relay:
        peer = {"host": HERE, "port": relay.port, "called_aet": "STORESCP", **tls}
        several = {**tls, "peers": [{name: peer[name] for name in ("host", "port", "called_aet")}] * PEERS_IN_A_LIST}
        echoscu = [ECHOSCU, "-aet", "ORTHWEB", "-aec", "STORESCP", *dcmtk, HERE, str(relay.port)]

        def theirs() -> None:
            said = subprocess.run(echoscu, env=DCMTK, capture_output=True, text=True, check=False)
            if said.returncode:
                raise BenchmarkError(f"{' '.join(echoscu)} ended with {said.returncode}: {said.stderr.strip()}")

        def conversations(number: int) -> list[float]:
            for _unused in range(200):  # the relay may see the end a moment after the client has
                if len(relay.milliseconds) >= number:
                    break
                time.sleep(0.01)
            if len(relay.milliseconds) != number:
                raise BenchmarkError(f"The relay saw {len(relay.milliseconds)} conversations instead of {number}.")
            seen, relay.milliseconds = relay.milliseconds, []
            return seen

        processes: list[tuple[float, float]] = []
        associations: list[tuple[float, float]] = []
        listed: list[tuple[float, float]] = []
        for number in range(chosen.rounds + 1):
            taken = {}
            settle(chosen)
            for who in ("ours", "theirs") if number % 2 else ("theirs", "ours"):
                whole = timed((lambda: call_module(peer, folder)) if who == "ours" else theirs)
                taken[who] = whole, conversations(1)[0]
            call_module({**several, "parallel": 1}, folder)
            in_a_list = median(conversations(PEERS_IN_A_LIST)[1:])
            if number:  # the first warms up
                processes.append((taken["ours"][0], taken["theirs"][0]))
                associations.append((taken["ours"][1], taken["theirs"][1]))
                listed.append((in_a_list, taken["theirs"][1]))
            say(f"{name}, round {number}: {taken['ours'][1]:.2f} ms, echoscu {taken['theirs'][1]:.2f} ms")
    return [
        Row(f"{name}: conversation", associations, AIM_RATIO),
        Row(f"{name}: conversation, as one of a list", listed, AIM_RATIO),
        Row(f"{name}: whole process", processes),
    ]


@dataclass(frozen=True)
class Row:
    """Pairs of milliseconds, ours and dcmtk's, taken side by side; and what their ratio should not exceed."""

    name: str
    pairs: Sequence[tuple[float, float]]
    aim: float | None = None

    @property
    def cells(self) -> list[str]:
        """Return medians, the ratio of the medians, the range of the pairs' ratios, and the verdict."""
        ours, theirs = (median(column) for column in zip(*self.pairs, strict=True))
        ratios = [mine / other for mine, other in self.pairs]
        return [
            self.name,
            f"{ours:.1f}",
            f"{theirs:.1f}",
            f"{ours / theirs:.2f}",
            f"{min(ratios):.2f} to {max(ratios):.2f}",
            "" if self.aim is None else f"<= {self.aim}: {verdict(ours / theirs <= self.aim)}",
        ]


# Many peers


def recorded_answers(scp: int) -> list[bytes]:
    """Return what storescp answers to our association request, C-ECHO and release request."""
    from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.net import pdu
    from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.peer import Peer

    command = {"AffectedSOPClassUID": pdu.VERIFICATION, "CommandField": pdu.C_ECHO_RQ}
    command |= {"MessageID": 1, "CommandDataSetType": pdu.NO_DATA_SET}
    questions = [
        pdu.associate_request(Peer(HERE, scp, "STORESCP"), [pdu.verification_proposal()]),
        b"".join(pdu.command_fragments(1, pdu.command_set(command), 0)),
        pdu.release_request(),
    ]
    answers = []
    with socket.create_connection((HERE, scp)) as connection:
        for question in questions:
            connection.sendall(question)
            header = connection.recv(6, socket.MSG_WAITALL)
            answers.append(header + connection.recv(struct.unpack(">L", header[2:])[0], socket.MSG_WAITALL))
    return answers


def stand_in(sockets: Sequence[socket.socket], answers: Sequence[bytes], pki: Pki) -> None:
    """Replay ``answers`` on each of ``sockets``, on every tenth a second late. Never returns."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=pki.path("ca.crt"))
    context.load_cert_chain(pki.path("server.crt"), pki.path("server.key"))
    context.verify_mode = ssl.CERT_REQUIRED

    async def serve() -> None:
        def behaviour(delay: float) -> Callable[..., Any]:
            async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                with closing(writer), suppress(OSError, asyncio.IncompleteReadError):
                    for answer in answers:
                        header = await reader.readexactly(6)
                        await reader.readexactly(struct.unpack(">L", header[2:])[0])
                        await asyncio.sleep(delay if answer is answers[0] else 0)
                        writer.write(answer)
                        await writer.drain()

            return behave

        for number, each in enumerate(sockets):
            delay = SLOW_SECONDS if number % SLOW_EVERY == 0 else 0
            await asyncio.start_server(behaviour(delay), sock=each, ssl=context)
        await asyncio.Event().wait()

    asyncio.run(serve())


PLAY = """
- hosts: localhost
  connection: local
  gather_facts: false
  tasks:
    - cellcs.orthweb.dicom_echo: "{{ call }}"
      when: call is defined
    - cellcs.orthweb.dicom_echo: "{{ tls | combine(item) }}"
      loop: "{{ items | default([]) }}"
      loop_control: {label: "{{ item.port }}"}
"""


def play(variables: dict[str, Any], folder: Path) -> float:
    """Run the playbook and return how many seconds it takes."""
    (folder / "play.yml").write_text(PLAY, encoding="utf-8")
    (folder / "variables.json").write_text(json.dumps(variables), encoding="utf-8")
    program = Path(sys.executable).with_name("ansible-playbook")
    command = [program, "-i", "localhost,", "-e", f"@{folder / 'variables.json'}", folder / "play.yml"]
    interpreter = ["-e", f"ansible_python_interpreter={sys.executable}"]
    return timed(lambda: run([*command, *interpreter], env={"ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS)})) / 1000


def many_peers(chosen: argparse.Namespace, answers: Sequence[bytes], pki: Pki, folder: Path) -> list[list[str]]:
    """Return the rows of the comparison of one call with a loop."""
    sockets = [socket.create_server((HERE, 0)) for _unused in range(chosen.peers)]
    server = multiprocessing.Process(target=stand_in, args=(sockets, answers, pki), daemon=True)
    server.start()
    try:
        entries = [{"host": HERE, "port": each.getsockname()[1], "called_aet": "STORESCP"} for each in sockets]
        call = {**pki.module(), "peers": entries, **({"parallel": chosen.parallel} if chosen.parallel else {})}
        call_module({**call, "peers": entries[:1]}, folder)  # until the stand-ins are there
        beyond, cpu, played, loops = [], [], [], []
        per_item = chosen.peers / chosen.loop_items
        for number in range(chosen.rounds):
            settle(chosen)
            before, start = children_cpu_seconds(), time.perf_counter()
            result = call_module(call, folder)
            seconds = time.perf_counter() - start
            cpu.append(children_cpu_seconds() - before)
            slowest = max(peer["latency_ms"]["association"] for peer in result["peers"]) / 1000
            if slowest < SLOW_SECONDS or result["alive_count"] != chosen.peers:
                raise BenchmarkError(f"The slowest of {chosen.peers} peers took {slowest:.3f} s: nothing was measured.")
            beyond.append(seconds - SLOW_SECONDS)
            say(f"{chosen.peers} peers in one call, round {number + 1}: {seconds:.2f} s")
        nothing = play({}, folder)
        for number in range(chosen.loop_rounds):
            settle(chosen)
            played.append(play({"call": call}, folder) - nothing)
            loops.append(play({"tls": pki.module(), "items": entries[: chosen.loop_items]}, folder) - nothing)
            say(f"In a playbook, round {number + 1}: one call {played[-1]:.2f} s, the loop {loops[-1]:.2f} s")
    finally:
        server.terminate()
        server.join()
    met = verdict(median(beyond) <= AIM_SECONDS)
    looped = f"loop over {chosen.loop_items} of them, by {per_item:g}"
    return [
        ["one call, the module's process", *spread([each + SLOW_SECONDS for each in beyond]), ""],
        ["  beyond the slowest peer", *spread(beyond), f"<= {AIM_SECONDS:g}: {met}"],
        ["  CPU time of the process", *spread(cpu), ""],
        ["one call, as a task", *spread(played), ""],
        [looped, *spread([each * per_item for each in loops]), f"{median(loops) * per_item / median(played):.0f} x"],
    ]


def children_cpu_seconds() -> float:
    """Return the CPU time of our ended children so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def spread(seconds: Sequence[float]) -> tuple[str, str]:
    """Return median and range for two columns of a table."""
    return f"{median(seconds):.2f}", f"{min(seconds):.2f} to {max(seconds):.2f}"


def arguments() -> argparse.Namespace:
    """Return what was asked for on the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=11, help="rounds that count, of each kind (default: 11)")
    parser.add_argument("--peers", type=int, default=200, help="peers in one call (default: 200)")
    parser.add_argument("--parallel", type=int, help="how many at a time (default: the module's)")
    parser.add_argument("--loop-items", type=int, default=20, help="peers in the loop, reckoned up (default: 20)")
    parser.add_argument("--loop-rounds", type=int, default=3, help="rounds in a playbook (default: 3)")
    parser.add_argument("--quiet", type=float, metavar="CPUS", help="begin each round when no more CPUs are busy")
    return parser.parse_args()


def main() -> None:
    """Measure, and print the figures."""
    chosen = arguments()
    for program in (ECHOSCU, STORESCP, "openssl"):
        if not shutil.which(program):
            raise BenchmarkError(f"{program} is not installed: apt install dcmtk openssl.")
    init_plugin_loader([str(COLLECTIONS)])
    with tempfile.TemporaryDirectory(prefix="dicom-echo-") as scratch:
        folder = Path(scratch)
        pki = Pki.made_in(folder)
        with storescp(*pki.dcmtk("server")) as secured, storescp() as plain:
            answers = recorded_answers(plain)
            rows = one_echo("mutual TLS", secured, pki.module(), pki.dcmtk("client"), chosen, folder)
            rows += one_echo("in the clear", plain, {}, (), chosen, folder)
        many = many_peers(chosen, answers, pki, folder)
    print(f"On {machine()}\n")
    print(f"One echo, medians of {chosen.rounds} alternating rounds:\n")
    print(table(["", "dicom_echo, ms", "echoscu, ms", "ratio", "range", "aim"], [row.cells for row in rows]))
    print(f"\n{chosen.peers} peers, every tenth {SLOW_SECONDS:g} s late:\n")
    print(table(["", "seconds", "range", ""], many))


if __name__ == "__main__":
    try:
        main()
    except BenchmarkError as error:
        sys.exit(str(error))
