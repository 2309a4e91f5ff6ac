# SPDX-License-Identifier: GPL-3.0-or-later
"""A cold `make deploy`: in a fresh copy of this checkout, with a new virtual environment and all images built again.

The engine, and whatever Debian packages the host has already, stay as they are.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from .ansible_log import ALL_TASKS
from .common import REPOSITORY, BenchmarkError, docker_inspect, run, say


@dataclass(frozen=True)
class FreshCopy:
    """A copy of the checkout that deploys a stack of its own."""

    folder: Path
    stack: str = field(default_factory=lambda: f"bench{os.getpid()}")
    refresh: str = field(default_factory=lambda: time.strftime("bench-%Y%m%dT%H%M%S"))

    def deploy(self, log: Path) -> None:
        """Run `make deploy` and write its output to ``log``, with the time it took as the shell would say it."""
        dicom_port, portal_port, orthanc_port = free_ports(3)
        ports = {"dicom": dicom_port, "portal": portal_port, "orthanc": orthanc_port}
        arguments = " ".join(f"-e orthweb_{name}_port={port}" for name, port in ports.items())
        start = time.perf_counter()
        with log.open("w", encoding="utf-8") as output:
            code = self._make("deploy", arguments, output.fileno())
            minutes, seconds = divmod(time.perf_counter() - start, 60)
            output.write(f"\nreal\t{minutes:.0f}m{seconds:.3f}s\n")
        if code:
            raise BenchmarkError(f"`make deploy` in {self.folder} ended with {code}; its output is in {log}.")

    def teardown(self) -> None:
        """Take the stack away, with its data, the images and what building them left behind."""
        images = _images_on_the_bases_of(f"{self.stack}-nginx", f"{self.stack}-orthanc")
        with tempfile.TemporaryFile("w+") as output:
            if self._make("teardown", f"-e orthweb_confirm_teardown={self.stack}", output.fileno()):
                output.seek(0)
                raise BenchmarkError(f"`make teardown` of {self.stack} failed: ...{output.read()[-2000:]}")
        for image in images:
            run(["docker", "image", "rm", image])

    def _make(self, target: str, arguments: str, output: int) -> int:
        environment = {
            **os.environ,
            **ALL_TASKS,
            "PIP_NO_CACHE_DIR": "1",
            "ORTHWEB_STACK": self.stack,
            "ORTHWEB_STATE_ROOT": str(self.folder / "state"),
        }
        argv = ["make", target, f"ARGS={arguments} -e container_images_refresh={self.refresh}"]
        return subprocess.run(
            argv, cwd=self.folder / "checkout", env=environment, stdout=output, stderr=subprocess.STDOUT, check=False
        ).returncode


@contextmanager
def fresh_copy() -> Iterator[FreshCopy]:
    """Copy what git knows or would add, and take copy and stack away at the end, whatever happens."""
    folder = Path(tempfile.mkdtemp(prefix="orthweb-cold-"))
    names = run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]).split("\0")
    for name in filter(None, names):
        if (REPOSITORY / name).exists():
            target = folder / "checkout" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(REPOSITORY / name, target, follow_symlinks=False)
    copy = FreshCopy(folder)
    try:
        yield copy
    finally:
        say("taking the cold stack away")
        copy.teardown()
        shutil.rmtree(folder)


def free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on."""
    sockets = [socket.socket() for _unused in range(count)]
    try:
        for one in sockets:
            one.bind(("", 0))
        return [int(one.getsockname()[1]) for one in sockets]
    finally:
        for one in sockets:
            one.close()


def _images_on_the_bases_of(*containers: str) -> list[str]:
    """Return the images that share their lowest layer with a container's, build stages too, the bases themselves last.

    The bases were made for this run alone, so nobody else's images are among them.
    """
    there = run(["docker", "container", "ls", "--all", "--format", "{{.Names}}"]).split()
    bases = {
        docker_inspect("image", docker_inspect("container", container)["Image"])["RootFS"]["Layers"][0]
        for container in containers
        if container in there
    }
    layers = {
        image: docker_inspect("image", image)["RootFS"]["Layers"]
        for image in run(["docker", "image", "ls", "--quiet", "--no-trunc"]).split()
    }
    found = [image for image, of_image in layers.items() if bases.intersection(of_image[:1])]
    return sorted(found, key=lambda image: -len(layers[image]))
