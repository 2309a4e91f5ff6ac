# SPDX-License-Identifier: GPL-3.0-or-later
"""The three containers of a stack started by hand: `docker create` and `docker start`, each until it is healthy.

It is a scratch copy beside the running stack: the same images, configuration folders and options, under other names,
in networks, volumes and on ports of its own. The names by which the containers know each other stay, as aliases.
"""

from __future__ import annotations

import json
import shlex
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import unquote, urlsplit

from .common import BenchmarkError, Stack, docker_inspect, run

HEALTHY_WITHIN_SECONDS = 180
# In the order in which they need each other.
SERVICES = ("postgresql", "orthanc", "nginx")


class ScratchCopy:
    """A scratch copy of a stack. As a context manager it makes the folders and takes everything away at the end."""

    def __init__(self, stack: Stack, name: str) -> None:
        """Look at the containers of the running stack; make nothing yet."""
        self.stack = stack
        self.name = name
        self._originals = {service: docker_inspect("container", stack.container(service)) for service in SERVICES}
        self._images = {service: docker_inspect("image", it["Image"]) for service, it in self._originals.items()}

    def __enter__(self) -> Self:
        """Copy the configuration folders, with owners and modes, as they are bind-mounted into the containers."""
        self._temporary = tempfile.TemporaryDirectory(prefix=f"{self.name}-")
        self._folder = Path(self._temporary.name)
        self._folder.chmod(0o711)  # the containers' users reach their own folders in it, nobody reads the list
        for service in SERVICES:
            for source, _unused in self._binds(service):
                if source.startswith("/"):
                    run(["cp", "--archive", source, self._copy_of(source)])
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take everything away."""
        self.remove_data()
        self._temporary.cleanup()

    def edit(self, service: str, file: str, change: Callable[[str], str]) -> None:
        """Change a file of the copied configuration. Raises ``BenchmarkError`` if that leaves it as it is."""
        folders = [source for source, _unused in self._binds(service) if source.startswith("/")]
        [path] = [path for folder in folders if (path := Path(self._copy_of(folder)) / file).exists()]
        before = path.read_text(encoding="utf-8")
        if (after := change(before)) == before:
            raise BenchmarkError(f"{service}/{file} should have been changed and is the same.")
        path.write_text(after, encoding="utf-8")

    def as_stack(self) -> Stack:
        """Return the running copy as a stack that is asked at the port that nginx is published at."""
        url = urlsplit(self.stack.outputs["rest_url"])
        [published] = docker_inspect("container", f"{self.name}-nginx")["NetworkSettings"]["Ports"][
            f"{url.port or 443}/tcp"
        ]
        rest_url = url._replace(netloc=f"{url.hostname}:{published['HostPort']}").geturl()
        return replace(self.stack, name=self.name, outputs={**self.stack.outputs, "rest_url": rest_url})

    def start(self, *, make_database: bool) -> dict[str, float]:
        """Start all three; return the seconds that each took until it was healthy.

        ``make_database`` also makes Orthanc's user and database, which volumes that were just made lack.
        """
        seconds = {}
        start = time.perf_counter()
        for network in self._networks():
            original = docker_inspect("network", network)
            options = [f"--opt={name}={value}" for name, value in original["Options"].items()]
            options += ["--internal"] if original["Internal"] else []
            run(["docker", "network", "create", *options, self._renamed(network)])
        for service in SERVICES:
            self._run_container(service)
            if service == "postgresql" and make_database:
                self._make_database()
            seconds[service] = time.perf_counter() - start
            start = time.perf_counter()
        return seconds

    def stop(self) -> None:
        """Take containers and networks away; the data stays."""
        names = [self._renamed(self.stack.container(service)) for service in reversed(SERVICES)]
        for name in self._existing("container", names):
            run(["docker", "stop", name])
            run(["docker", "rm", "--volumes", name])
        for network in self._existing("network", [self._renamed(network) for network in self._networks()]):
            run(["docker", "network", "rm", network])

    def remove_data(self) -> None:
        """Take everything in Docker away, volumes too."""
        self.stop()
        sources = {
            source for service in SERVICES for source, _unused in self._binds(service) if not source.startswith("/")
        }
        for volume in self._existing("volume", sorted(map(self._renamed, sources))):
            run(["docker", "volume", "rm", volume])

    def _run_container(self, service: str) -> None:
        name = self._renamed(self.stack.container(service))
        alias = self.stack.container(service)
        first, *others = self._originals[service]["NetworkSettings"]["Networks"]
        network = ["--network", self._renamed(first), "--network-alias", alias]
        run(["docker", "create", "--name", name, *network, *self._options(service), *self._command(service)])
        for other in others:  # `docker run` of older engines knows one network only
            run(["docker", "network", "connect", "--alias", alias, self._renamed(other), name])
        run(["docker", "start", name])
        self._wait_until_healthy(name)

    def _options(self, service: str) -> list[str]:
        """Return the options of `docker create` that make a container like the original."""
        original, image = self._originals[service], self._images[service]
        host, config = original["HostConfig"], original["Config"]
        options = ["--user", config["User"], "--shm-size", str(host["ShmSize"])]
        options += ["--read-only"] if host["ReadonlyRootfs"] else []
        options += [f"--cap-drop={capability}" for capability in host["CapDrop"] or []]
        options += [f"--security-opt={option}" for option in host["SecurityOpt"] or []]
        options += [f"--tmpfs={path}:{flags}" for path, flags in (host.get("Tmpfs") or {}).items()]
        options += [f"--env={entry}" for entry in config["Env"] if entry not in image["Config"]["Env"]]
        options += [f"--volume={self._copy_of(source)}:{rest}" for source, rest in self._binds(service)]
        options += [f"--publish=127.0.0.1::{port.partition('/')[0]}" for port in host["PortBindings"] or {}]
        health = config["Healthcheck"]
        kind, *test = health["Test"]
        if kind == "CMD":  # the command line knows the shell form only
            test = [shlex.join(test)]
        options += [f"--health-cmd={test[0]}", f"--health-retries={health['Retries']}"]
        options += [f"--health-{name.lower()}={health[name]}ns" for name in ("Interval", "Timeout")]
        return options

    def _command(self, service: str) -> list[str]:
        config = self._originals[service]["Config"]
        return [config["Image"], *(config["Cmd"] or [])]

    def _wait_until_healthy(self, name: str) -> None:
        until = time.monotonic() + HEALTHY_WITHIN_SECONDS
        while (state := docker_inspect("container", name)["State"])["Health"]["Status"] != "healthy":
            if time.monotonic() > until or not state["Running"]:
                said = run(["docker", "logs", "--tail", "20", name])
                raise BenchmarkError(f"{name} is not healthy: {json.dumps(state['Health'])[-1000:]} {said}")
            time.sleep(0.1)

    def _make_database(self) -> None:
        """Make the user and the database that the copied configuration of Orthanc names."""
        user, password, database = self._login()
        literal = password.replace("'", "''")
        statements = (
            f"CREATE ROLE {user} LOGIN PASSWORD '{literal}'; CREATE DATABASE {database} OWNER {user};\n"
            f"\\connect {database}\nCREATE EXTENSION IF NOT EXISTS pg_trgm;\n"
        )
        name = self._renamed(self.stack.container("postgresql"))
        psql = ["psql", "--quiet", "--no-psqlrc", "--set=ON_ERROR_STOP=1", "--username=postgres", "--file=-"]
        run(["docker", "exec", "--interactive", name, *psql], stdin=statements)

    def _login(self) -> tuple[str, str, str]:
        """Return user, password and database from Orthanc's configuration."""
        for source, _unused in self._binds("orthanc"):
            for path in sorted(Path(self._copy_of(source)).glob("*.json")) if source.startswith("/") else ():
                section: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")).get("PostgreSQL", {})
                if "ConnectionUri" in section:
                    uri = urlsplit(section["ConnectionUri"])
                    return unquote(uri.username or ""), unquote(uri.password or ""), uri.path.lstrip("/")
        raise BenchmarkError(f"No PostgreSQL.ConnectionUri in the configuration of {self.stack.container('orthanc')}.")

    def _binds(self, service: str) -> list[tuple[str, str]]:
        """Return (volume or folder, the rest of the bind) for all that is mounted into a container."""
        binds = self._originals[service]["HostConfig"]["Binds"] or []
        return [(source, rest) for source, _unused, rest in (bind.partition(":") for bind in binds)]

    def _networks(self) -> list[str]:
        originals = self._originals.values()
        return sorted({network for original in originals for network in original["NetworkSettings"]["Networks"]})

    def _copy_of(self, source: str) -> str:
        """Return the copy of a folder, or the volume that stands for a volume."""
        if not source.startswith("/"):
            return self._renamed(source)
        return str(self._folder / source.strip("/").replace("/", "-"))

    def _renamed(self, original: str) -> str:
        """Return a name that begins with the copy's name instead of the stack's."""
        return self.name + original.removeprefix(self.stack.name)

    @staticmethod
    def _existing(kind: str, names: list[str]) -> list[str]:
        field = "{{.Names}}" if kind == "container" else "{{.Name}}"
        listed = run(["docker", kind, "ls", *(["--all"] if kind == "container" else []), "--format", field]).split()
        return [name for name in names if name in listed]
