# SPDX-License-Identifier: GPL-3.0-or-later
"""The module dicom_store compared with dcmtk's storescu, over one and several associations, to dcmtk's storescp.

Both are taken in turn, so that whatever else the machine does hits both. storescu sends over one association only: for
several, as many of them are started, with their share of the files each. The module is one process in any case.

Two times are taken of the module: the whole process, as Ansible starts it, and the sending alone, from the first
connection to the last answer, as it returns it. The difference is Python's start and the reading of the headers.
After each round the files are counted that storescp has written.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from .common import REPOSITORY, BenchmarkError, exit_with, machine, run, say, table
from .ct_instances import Study, write_study

# Debian's: pynetdicom brings programs of the same names into the virtual environment.
STORESCU, STORESCP = "/usr/bin/storescu", "/usr/bin/storescp"

AE_TITLE = "BENCHMARK"
MODULE = "ansible_collections.cellcs.orthweb.plugins.modules.dicom_store"
RUN_MODULE = f"""
import json, sys
from ansible.module_utils.testing import patch_module_args
from {MODULE} import main
with patch_module_args(json.load(sys.stdin)):
    main()
"""


@dataclass(frozen=True)
class Peer:
    """A storescp that runs, the folder it writes to, and the files for TLS, if it speaks that."""

    port: int
    folder: Path
    certificate: Path | None
    key: Path | None


@dataclass(frozen=True)
class Round:
    """One study sent in one way; for storescu both times are the same."""

    whole_seconds: float
    sending_seconds: float


def free_port() -> int:
    """Return a TCP port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@contextmanager
def storescp(scratch: Path, tls: bool) -> Iterator[Peer]:
    """Start a storescp that takes one association for each fork, and writes bit by bit."""
    folder, certificate, key = scratch / "stored", scratch / "peer.crt", scratch / "peer.key"
    folder.mkdir()
    options: list[str | Path] = []
    if tls:
        subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
        curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
        run(["openssl", "req", "-x509", *curve, *subject, "-keyout", key, "-out", certificate])
        options = ["+tls", key, certificate, "--ignore-peer-cert"]
    port = free_port()
    command = [STORESCP, "--fork", "-aet", AE_TITLE, "-od", folder, "+xa", "+B", *options, port]
    # DCMTK leaves Nagle on: without this, small answers wait for a delayed acknowledgement.
    environment = {**os.environ, "TCP_NODELAY": "1"}
    process = subprocess.Popen(
        [str(part) for part in command], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        until = time.monotonic() + 30
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            if process.poll() is not None or time.monotonic() > until:
                raise BenchmarkError(f"storescp does not listen on port {port}: {' '.join(map(str, command))}")
            time.sleep(0.05)
        yield Peer(port, folder, *((certificate, key) if tls else (None, None)))
    finally:
        process.kill()
        process.wait()


def send_with_storescu(peer: Peer, study: Study, associations: int) -> Round:
    """Send with as many storescu."""
    command = [STORESCU, "--required", "-aec", AE_TITLE]
    if peer.certificate:
        command += ["--anonymous-tls", "+cf", str(peer.certificate)]
    environment = {**os.environ, "TCP_NODELAY": "1"}
    start = time.perf_counter()
    senders = [
        subprocess.Popen(
            [*command, "localhost", str(peer.port), *map(str, study.paths[number::associations])],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for number in range(associations)
    ]
    said = [sender.communicate()[0] for sender in senders]
    seconds = time.perf_counter() - start
    for sender, output in zip(senders, said, strict=True):
        if sender.returncode:
            raise BenchmarkError(f"storescu to port {peer.port} ended with {sender.returncode}: {output.strip()}")
    return Round(seconds, seconds)


def send_with_module(peer: Peer, study: Study, associations: int) -> Round:
    """Send with the module, in a process of its own."""
    options = {
        "host": "localhost",
        "port": peer.port,
        "called_aet": AE_TITLE,
        "paths": [str(study.paths[0].parent)],
        "associations": associations,
        "dimse_timeout_seconds": 120,
        **({"tls": True, "ca_file": str(peer.certificate)} if peer.certificate else {}),
    }
    collections = str(REPOSITORY / ".venv" / "collections")
    start = time.perf_counter()
    answer = run([sys.executable, "-c", RUN_MODULE], env={"PYTHONPATH": collections}, stdin=json.dumps(options))
    seconds = time.perf_counter() - start
    summary = json.loads(answer)["summary"]
    if summary["associations"] != associations:
        raise BenchmarkError(f"Of {associations} associations {summary['associations']} came about.")
    return Round(seconds, float(summary["seconds"]))


WAYS = {"dicom_store": send_with_module, "storescu": send_with_storescu}


def play(peer: Peer, way: str, associations: int, instances: int, scratch: Path) -> Round:
    """Make a study, send it, count what has come, and remove it."""
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        study = write_study(Path(folder) / "study", instances)
        os.sync()  # what was written for one round must not be a burden on the next
        played = WAYS[way](peer, study, associations)
    stored = list(peer.folder.iterdir())
    for path in stored:
        path.unlink()
    if len(stored) != instances:
        raise BenchmarkError(f"{way} sent {instances} instances, and {len(stored)} were stored.")
    return played


def compare(peer: Peer, chosen: argparse.Namespace, associations: int, scratch: Path) -> list[dict[str, Round]]:
    """Send both ways in turn, and return the pairs without the first, which warms up."""
    pairs = []
    for number in range(chosen.rounds + 1):
        order = list(WAYS) if number % 2 else list(WAYS)[::-1]
        pair = {way: play(peer, way, associations, chosen.instances, scratch) for way in order}
        ours, theirs = pair["dicom_store"], pair["storescu"]
        say(
            f"{associations} association(s), pair {number}: dicom_store {ours.whole_seconds:.2f} s, of which sending "
            f"{ours.sending_seconds:.2f} s; storescu {theirs.whole_seconds:.2f} s{'' if number else ', does not count'}"
        )
        if number:
            pairs.append(pair)
    return pairs


def rows(associations: int, pairs: Sequence[dict[str, Round]], instances: int) -> list[list[str]]:
    """Return the lines of the table for one number of associations."""
    ratios = {
        "whole process": [pair["storescu"].whole_seconds / pair["dicom_store"].whole_seconds for pair in pairs],
        "sending alone": [pair["storescu"].whole_seconds / pair["dicom_store"].sending_seconds for pair in pairs],
    }
    ours = {
        "whole process": [pair["dicom_store"].whole_seconds for pair in pairs],
        "sending alone": [pair["dicom_store"].sending_seconds for pair in pairs],
    }
    theirs = median(pair["storescu"].whole_seconds for pair in pairs)
    return [
        [
            what,
            str(associations),
            f"{instances / median(ours[what]):.1f}",
            f"{instances / theirs:.1f}",
            f"{median(of_pairs):.2f}",
            f"{min(of_pairs):.2f}-{max(of_pairs):.2f}",
        ]
        for what, of_pairs in ratios.items()
    ]


def arguments() -> argparse.Namespace:
    """Return the command line's arguments."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--instances", type=int, default=200, help="instances a round (200)")
    parser.add_argument("--rounds", type=int, default=5, help="pairs of rounds that count, after one that does not (5)")
    parser.add_argument("--associations", type=int, nargs="+", default=[1, 2, 4], help="side by side (1 2 4)")
    parser.add_argument("--tls", action="store_true", help="over TLS")
    return parser.parse_args()


def main() -> int:
    """Measure and print."""
    chosen = arguments()
    for program in (STORESCU, STORESCP):
        if not shutil.which(program):
            raise BenchmarkError(f"There is no {program} here: apt-get install dcmtk.")
    over = "TLS" if chosen.tls else "plain TCP"
    print(f"C-STORE of {chosen.instances} CT instances of 512 KB a round over {over}; {machine()}")
    lines = []
    with tempfile.TemporaryDirectory(prefix="orthweb-benchmark-") as folder:
        scratch = Path(folder)
        with storescp(scratch, chosen.tls) as peer:
            for associations in chosen.associations:
                lines += rows(associations, compare(peer, chosen, associations, scratch), chosen.instances)
    print(table(["dicom_store's", "associations", "instances/s", "storescu's", "ratio", "range"], lines))
    print(f"Medians of {chosen.rounds} alternating pairs; a ratio above 1 says that dicom_store is the faster one.")
    return 0


if __name__ == "__main__":
    exit_with(main)
