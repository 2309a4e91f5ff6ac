# SPDX-License-Identifier: GPL-3.0-or-later
"""Starts a rehearsal's API and what stands behind it; ends, and takes all of it away, on SIGTERM or Ctrl-C.

python -m rehearsal.serve --port 5566 --folder DIR [--log FILE] [--registry] [--no-stand-ins] ...
"""

from __future__ import annotations

import argparse
import functools
import os
import signal
import sys
import threading
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import NoReturn

from .api import server
from .api.elb import healths
from .api.rds_life import answers
from .api.rds_snapshots import keepers
from .settings import settings
from .stand_ins import balancers, databases, hosts
from .stand_ins.authority import Authority
from .stand_ins.backups import Backups
from .stand_ins.docker import DockerError, Site, docker, image, newest
from .stand_ins.reconciler import Reconciler
from .stand_ins.registry import Registry


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m rehearsal.serve",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--port", type=int, default=5566, help="of the API, on 127.0.0.1; the registry takes the next one"
    )
    parser.add_argument(
        "--folder", type=Path, required=True, help="for certificates, the pid file, the registry's images"
    )
    parser.add_argument("--log", type=Path, help="JSON lines, one a call")
    parser.add_argument("--stand-ins", action=argparse.BooleanOptionalAction, default=True, help="hosts and databases")
    parser.add_argument("--registry", action="store_true", help="start a registry, push images, write registry.json")
    parser.add_argument(
        "--push", action="append", default=[], metavar="NAME=REFERENCE", help="default: the newest of each"
    )
    parser.add_argument("--base-image", help="what the stand-ins are built on; default: the newest orthweb/base")
    parser.add_argument("--database-image", help="default: the newest orthweb/postgresql")
    for name in ("database", "instance", "deletion", "storage"):
        parser.add_argument(f"--{name}-seconds", type=float, default=0.0, metavar="N")
    parser.add_argument(
        "--database-ends-in", default="available", metavar="STATUS", help="e.g. incompatible-parameters"
    )
    parser.add_argument("--instance-fails", action="store_true", help="pending -> terminated")
    return parser.parse_args()


def stop(number: int, frame: FrameType | None) -> NoReturn:
    """The first signal ends us; what comes while we clean up is not to cut that off."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    raise SystemExit(0)


def claim(path: Path) -> None:
    """Writes the pid file. Two rehearsals in one folder would take each other's containers away."""
    with suppress(OSError, ValueError):
        other = int(path.read_text())
        if other != os.getpid() and Path(f"/proc/{other}").exists():
            raise SystemExit(f"A rehearsal with this folder runs already, process {other}: {path}")
    path.write_text(f"{os.getpid()}\n")


def start_registry(arguments: argparse.Namespace, site: Site, base: str) -> None:
    authority = Authority.at(arguments.folder / "registry-ca.pem", "Rehearsal registry CA")
    registry = Registry(site, image("registry", base), arguments.folder, authority)
    registry.start()
    chosen = dict(pair.split("=", 1) for pair in arguments.push)
    ours = {name: newest(f"orthweb/{name}") for name in ("nginx", "identity", "audit")}
    registry.push(chosen or {"orthanc": newest("orthweb/orthanc", "forky"), **ours})


def run(arguments: argparse.Namespace, site: Site) -> None:
    settings.update({name: value for name, value in vars(arguments).items() if name in vars(settings)})
    sources: list[databases.Any] = []
    reconciler = Reconciler(sources, server.advance)
    http = server.make(arguments.port, arguments.log, reconciler.describe)
    with_docker = arguments.stand_ins or arguments.registry
    try:
        if with_docker:
            docker("version")
            base = arguments.base_image or newest("orthweb/base")
            site.close()
            site.open()
            # For the hosts, whose calls are in no log: what is there are the deployer's.
            for_hosts = server.make(arguments.port, None, reconciler.describe, site.gateway)
            threading.Thread(target=for_hosts.serve_forever, name="api for hosts", daemon=True).start()
        if arguments.registry:
            start_registry(arguments, site, base)
        if arguments.stand_ins:
            host = image("host", base)
            database = arguments.database_image or newest("orthweb/postgresql")
            authority = Authority.at(arguments.folder / "rds-ca.pem", "Rehearsal RDS CA")
            backups = Backups(site)
            backups.open(database)
            keepers.append(backups)
            sources.append(lambda current: hosts.wanted(site, host, current))
            sources.append(lambda current: databases.wanted(site, database, authority, current))
            # Few rehearsals have a balancer: its image is built when there is one.
            balancer = functools.cache(lambda: image("balancer", base))
            sources.append(lambda current: balancers.wanted(site, balancer, current))
            answers.append(reconciler.answers)
            healths.append(balancers.Health(reconciler.current))
            reconciler.start()
        threading.Thread(target=http.serve_forever, name="api", daemon=True).start()
        print(f"ready http://127.0.0.1:{arguments.port}", flush=True)
        threading.Event().wait()
    finally:
        if with_docker:
            reconciler.stop()
            # Twice: what is still being made fails soon once its container is gone, instead of being waited for.
            with suppress(DockerError):
                site.close()
            reconciler.finish()
            site.close()


def main() -> None:
    arguments = options()
    arguments.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    pid_file = arguments.folder / "rehearsal.pid"
    claim(pid_file)
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    try:
        run(arguments, Site(arguments.port))
    except DockerError as error:
        sys.exit(f"rehearsal: {error}")
    finally:
        pid_file.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
