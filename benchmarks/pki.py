# SPDX-License-Identifier: GPL-3.0-or-later
"""How long one task of the module pki takes for a CA and its certificates, and what else makes the same.

In turn, in folders of their own, a first run and a second that changes nothing:

pki               one task of the module
community.crypto  the same as tasks: openssl_privatekey, openssl_csr_pipe, x509_certificate, x509_crl, in loops
openssl           the same as a shell script
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any

import yaml

from .common import REPOSITORY, BenchmarkError, machine, run, say, table, verdict

PYTHON = REPOSITORY / ".venv" / "bin" / "python"
PLAYBOOK = REPOSITORY / ".venv" / "bin" / "ansible-playbook"
SETTINGS = f"""[defaults]
collections_path = {REPOSITORY}/.venv/collections
stdout_callback = ansible.posix.json
[connection]
pipelining = true
"""
KEY_TYPES = {
    "ecdsa-p256": {"type": "ECC", "curve": "secp256r1"},
    "rsa-3072": {"type": "RSA", "size": 3072},
}
OPENSSL_KEYS = {
    "ecdsa-p256": "-algorithm EC -pkeyopt ec_paramgen_curve:P-256",
    "rsa-3072": "-algorithm RSA -pkeyopt rsa_keygen_bits:3072",
}


@dataclass(frozen=True)
class Timing:
    """One run: what the whole command took, and its tasks alone where it is a playbook."""

    whole: float
    tasks: float
    changed: bool


Way = Callable[[Path], Timing]


# --- the module


def names(count: int) -> list[str]:
    return [f"node-{number:02}" for number in range(count)]


def pki_arguments(folder: Path, key_type: str, count: int) -> dict[str, Any]:
    return {
        "path": str(folder / "pki"),
        "ca": {"common_name": "Benchmark CA", "key_type": key_type},
        "certificates": [
            {"name": name, "subject_alt_names": [f"{name}.example.org"], "key_type": key_type} for name in names(count)
        ],
    }


def pki_play(folder: Path, key_type: str, count: int) -> list[dict[str, Any]]:
    return [{"name": "Make the PKI", "cellcs.orthweb.pki": pki_arguments(folder, key_type, count)}]


def module_alone(key_type: str, count: int) -> Way:
    """The module as a process of its own, without ansible-playbook around it."""

    def play(folder: Path) -> Timing:
        arguments = folder / "arguments.json"
        arguments.write_text(json.dumps({"ANSIBLE_MODULE_ARGS": pki_arguments(folder, key_type, count)}))
        where = {"PYTHONPATH": str(REPOSITORY / ".venv" / "collections")}
        start = time.perf_counter()
        said = run([PYTHON, "-m", "ansible_collections.cellcs.orthweb.plugins.modules.pki", arguments], env=where)
        seconds = time.perf_counter() - start
        return Timing(seconds, seconds, json.loads(said)["changed"])

    return play


# --- community.crypto


def crypto_play(folder: Path, key_type: str, count: int) -> list[dict[str, Any]]:
    """The same files but the chains (copies of the certificates), with the same extensions and lives."""
    pki = folder / "crypto"
    ca_key, ca = str(pki / "ca.key"), str(pki / "ca.crt")
    leaf_usage = ["digitalSignature"] + (["keyEncipherment"] if key_type.startswith("rsa") else [])
    request = {
        "use_common_name_for_san": False,
        "basic_constraints_critical": True,
        "key_usage_critical": True,
        "create_subject_key_identifier": True,
    }
    return [
        {"name": "Make the folder", "ansible.builtin.file": {"path": str(pki), "state": "directory", "mode": "0700"}},
        {"name": "Make the CA's key", "community.crypto.openssl_privatekey": {"path": ca_key, **KEY_TYPES[key_type]}},
        {
            "name": "Ask for the CA's certificate",
            "community.crypto.openssl_csr_pipe": {
                "privatekey_path": ca_key,
                "common_name": "Benchmark CA",
                "basic_constraints": ["CA:TRUE", "pathlen:0"],
                "key_usage": ["keyCertSign", "cRLSign"],
                **request,
            },
            "changed_when": False,
            "register": "ca_request",
        },
        {
            "name": "Make the CA's certificate",
            "community.crypto.x509_certificate": {
                "path": ca,
                "privatekey_path": ca_key,
                "csr_content": "{{ ca_request.csr }}",
                "provider": "selfsigned",
                "selfsigned_not_after": "+3650d",
            },
        },
        {
            "name": "Make the keys",
            "community.crypto.openssl_privatekey": {"path": f"{pki}/{{{{ item }}}}.key", **KEY_TYPES[key_type]},
            "loop": names(count),
        },
        {
            "name": "Ask for the certificates",
            "community.crypto.openssl_csr_pipe": {
                "privatekey_path": f"{pki}/{{{{ item }}}}.key",
                "common_name": "{{ item }}.example.org",
                "subject_alt_name": ["DNS:{{ item }}.example.org"],
                "basic_constraints": ["CA:FALSE"],
                "key_usage": leaf_usage,
                "extended_key_usage": ["serverAuth"],
                **request,
            },
            "changed_when": False,
            "loop": names(count),
            "register": "requests",
        },
        {
            "name": "Make the certificates",
            "community.crypto.x509_certificate": {
                "path": f"{pki}/{{{{ item.item }}}}.crt",
                "csr_content": "{{ item.csr }}",
                "provider": "ownca",
                "ownca_path": ca,
                "ownca_privatekey_path": ca_key,
                "ownca_not_after": "+397d",
            },
            "loop": "{{ requests.results }}",
            "loop_control": {"label": "{{ item.item }}"},
        },
        {
            "name": "Make the revocation list",
            "community.crypto.x509_crl": {
                "path": str(pki / "crl.pem"),
                "privatekey_path": ca_key,
                "issuer_ordered": [{"CN": "Benchmark CA"}],
                "last_update": "+0s",
                "next_update": "+30d",
                "ignore_timestamps": True,
                "revoked_certificates": [],
            },
        },
    ]


def playbook(make: Callable[[Path, str, int], list[dict[str, Any]]], key_type: str, count: int) -> Way:
    """A playbook of these tasks on this machine, over a local connection with pipelining."""

    def play(folder: Path) -> Timing:
        book = folder / "playbook.yml"
        tasks = make(folder, key_type, count)
        book.write_text(yaml.safe_dump([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]))
        settings = folder / "ansible.cfg"
        settings.write_text(SETTINGS)
        command = [PLAYBOOK, "-i", "localhost,", "-c", "local", "-e", f"ansible_python_interpreter={PYTHON}", book]
        start = time.perf_counter()
        said = run(command, env={"ANSIBLE_CONFIG": str(settings)})
        whole = time.perf_counter() - start
        result = json.loads(said[said.index("{") :])
        spans = [task["task"]["duration"] for part in result["plays"] for task in part["tasks"]]
        return Timing(whole, sum(map(seconds_of, spans)), bool(result["stats"]["localhost"]["changed"]))

    return play


def seconds_of(span: dict[str, str]) -> float:
    return (datetime.fromisoformat(span["end"]) - datetime.fromisoformat(span["start"])).total_seconds()


# --- openssl

SHELL_SCRIPT = r"""#!/bin/bash
# A CA, COUNT certificates with their chains, and an empty revocation list; nothing again that is there and good.
set -euo pipefail
umask 077
mkdir -p "$1"
cd "$1"

key() { [ -s "$1" ] || openssl genpkey KEY -out "$1" 2>/dev/null; }

good() { # a certificate that is there, does not end within 30 days, and is of this key and this CA
    [ -s "$1.crt" ] && openssl x509 -in "$1.crt" -noout -checkend 2592000 >/dev/null &&
        [ "$(openssl x509 -in "$1.crt" -noout -pubkey)" = "$(openssl pkey -in "$1.key" -pubout)" ] &&
        openssl verify -CAfile ca.crt "$1.crt" >/dev/null
}

key ca.key
if ! good ca 2>/dev/null; then
    openssl req -x509 -new -key ca.key -subj "/CN=Benchmark CA" -days 3650 -out ca.crt \
        -addext basicConstraints=critical,CA:TRUE,pathlen:0 -addext keyUsage=critical,keyCertSign,cRLSign
    cp ca.crt ca-bundle.crt
    echo changed
fi
for name in NAMES; do
    key "$name.key"
    good "$name" 2>/dev/null && continue
    openssl req -new -key "$name.key" -subj "/CN=$name.example.org" -out "$name.csr"
    printf '%s\n' basicConstraints=critical,CA:FALSE keyUsage=critical,USAGE extendedKeyUsage=serverAuth \
        subjectKeyIdentifier=hash authorityKeyIdentifier=keyid "subjectAltName=DNS:$name.example.org" >"$name.ext"
    openssl x509 -req -in "$name.csr" -CA ca.crt -CAkey ca.key -set_serial "0x$(openssl rand -hex 16)" \
        -days 397 -extfile "$name.ext" -out "$name.crt" 2>/dev/null
    cp "$name.crt" "$name.chain.crt"
    rm "$name.csr" "$name.ext"
    echo changed
done
if ! openssl crl -in crl.pem -CAfile ca.crt -noout 2>/dev/null; then
    touch index.txt
    echo 01 >crlnumber
    printf '[ca]\ndefault_ca=own\n[own]\ndatabase=index.txt\ncrlnumber=crlnumber\ndefault_md=sha256\n' >openssl.cnf
    openssl ca -config openssl.cnf -gencrl -keyfile ca.key -cert ca.crt -crldays 30 -out crl.pem 2>/dev/null
    echo changed
fi
"""


def openssl_script(key_type: str, count: int) -> Way:
    usage = "digitalSignature,keyEncipherment" if key_type.startswith("rsa") else "digitalSignature"
    text = SHELL_SCRIPT.replace("KEY", OPENSSL_KEYS[key_type]).replace("NAMES", " ".join(names(count)))
    text = text.replace("USAGE", usage)

    def play(folder: Path) -> Timing:
        script = folder / "pki.sh"
        script.write_text(text)
        start = time.perf_counter()
        said = run(["bash", script, folder / "openssl"])
        seconds = time.perf_counter() - start
        return Timing(seconds, seconds, "changed" in said)

    return play


# --- side by side


CRYPTO, SCRIPT = "community.crypto", "openssl"
# The other side: its name in the table, that of the module beside it, and by how much it is to be slower.
SIDES = {
    CRYPTO: ("community.crypto, playbook", "pki, playbook", 20.0),
    SCRIPT: ("openssl script", "pki, module alone", 1.0),
}


def ways(key_type: str, count: int, against: Sequence[str]) -> dict[str, Way]:
    every = {
        CRYPTO: (playbook(crypto_play, key_type, count), playbook(pki_play, key_type, count)),
        SCRIPT: (openssl_script(key_type, count), module_alone(key_type, count)),
    }
    return {name: way for side in against for name, way in zip(SIDES[side], every[side], strict=False)}


@dataclass(frozen=True)
class Pair:
    """A first run in an empty folder, and a second."""

    first: Timing
    second: Timing


def play_pair(name: str, way: Way) -> Pair:
    """Run one way twice in a folder of its own. Raises ``BenchmarkError`` if it did not do what is measured."""
    with tempfile.TemporaryDirectory(prefix="orthweb-pki-") as folder:
        pair = Pair(way(Path(folder)), way(Path(folder)))
    if not pair.first.changed or pair.second.changed:
        raise BenchmarkError(f"{name}: the first run is to change something and the second nothing, but {pair}")
    return pair


def measure(key_type: str, count: int, rounds: int, against: Sequence[str]) -> dict[str, list[Pair]]:
    """Run all ways in turn, each round beginning with another one."""
    for name, way in ways(key_type, 1, against).items():
        play_pair(name, way)  # warms up
    every = list(ways(key_type, count, against).items())
    played: dict[str, list[Pair]] = {name: [] for name, _way in every}
    for number in range(rounds):
        start = number % len(every)
        for name, way in every[start:] + every[:start]:
            pair = play_pair(name, way)
            say(f"{key_type}, round {number + 1}, {name}: {pair.first.whole:.2f} s, again {pair.second.whole:.2f} s")
            played[name].append(pair)
    return played


def spread(values: Sequence[float], digits: int = 2) -> list[str]:
    return [f"{median(values):.{digits}f}", f"{min(values):.{digits}f} to {max(values):.{digits}f}"]


def print_figures(key_type: str, count: int, played: dict[str, list[Pair]], against: Sequence[str]) -> bool:
    """Print one key type's figures; return whether the aims are met."""
    rounds = len(next(iter(played.values())))
    print(f"\nCA and {count} certificates, {key_type}; medians of {rounds} rounds, in seconds")
    rows = []
    for name, pairs in played.items():
        for title, timings in (("first", [pair.first for pair in pairs]), ("second", [pair.second for pair in pairs])):
            whole, tasks = [one.whole for one in timings], [one.tasks for one in timings]
            rows.append([f"{name}, {title} run", *spread(whole), *spread(tasks)])
    print(table(["", "whole", "range", "tasks", "range"], rows))
    met = [print_ratios(side, played) for side in against]
    return all(met)


def print_ratios(side: str, played: dict[str, list[Pair]]) -> bool:
    """Print how many times longer the other side takes, round by round; return whether that is enough."""
    theirs, ours, aim = SIDES[side]
    both = list(zip(played[theirs], played[ours], strict=True))
    ratios = {
        "first run, whole": [their.first.whole / our.first.whole for their, our in both],
        "second run, whole": [their.second.whole / our.second.whole for their, our in both],
    }
    if side == CRYPTO:  # the script is one process: there the whole is the task
        ratios["first run, tasks"] = [their.first.tasks / our.first.tasks for their, our in both]
        ratios["second run, tasks"] = [their.second.tasks / our.second.tasks for their, our in both]
    for title, values in ratios.items():
        middle, scatter = spread(values, 1)
        print(f"{theirs} / {ours}, {title}: {middle} ({scatter}), aim >= {aim:g}: {verdict(median(values) >= aim)}")
    return all(median(values) >= aim for values in ratios.values())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="rounds that count (default %(default)s)")
    parser.add_argument("--certificates", type=int, default=20, help="beside the CA (default %(default)s)")
    parser.add_argument("--key-type", choices=KEY_TYPES, help="only this one (default: each)")
    parser.add_argument("--against", choices=SIDES, help="only this one (default: both)")
    chosen = parser.parse_args()
    against = [chosen.against] if chosen.against else list(SIDES)
    print(f"The module pki side by side; {machine()}")
    met = []
    try:
        for key_type in [chosen.key_type] if chosen.key_type else KEY_TYPES:
            played = measure(key_type, chosen.certificates, chosen.rounds, against)
            met.append(print_figures(key_type, chosen.certificates, played, against))
    except BenchmarkError as error:
        print(error, file=sys.stderr)
        return 2
    return int(not all(met))


if __name__ == "__main__":
    sys.exit(main())
