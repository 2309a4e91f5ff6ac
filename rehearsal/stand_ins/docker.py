# SPDX-License-Identifier: GPL-3.0-or-later
"""The docker command line. Secrets go in by standard input only, never by an argument or an environment variable."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

DEFINITIONS = Path(__file__).parents[1] / "images"


class DockerError(RuntimeError):
    """A docker command failed. The text says which and what it said."""


def docker(*arguments: str, stdin: bytes | str = b"", seconds: float = 120) -> str:
    """Runs one docker command and gives what it printed."""
    data = stdin.encode() if isinstance(stdin, str) else stdin
    # The classic builder: buildx is a package of its own. A session of its own, so that Ctrl-C reaches us alone.
    environment = {**os.environ, "DOCKER_BUILDKIT": "0"}
    try:
        done = subprocess.run(
            ["docker", *arguments],
            input=data,
            capture_output=True,
            timeout=seconds,
            check=False,
            env=environment,
            start_new_session=True,
        )
    except FileNotFoundError as error:
        raise DockerError("there is no docker command: the stand-ins need Docker, or use --no-stand-ins") from error
    except subprocess.TimeoutExpired as error:
        raise DockerError(f"docker {arguments[0]} was not done after {seconds} seconds") from error
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip()).decode(errors="replace")
        raise DockerError(f"docker {' '.join(arguments[:2])} ... {arguments[-1]}: {said}")
    return done.stdout.decode().strip()


@dataclass(frozen=True)
class File:
    content: bytes | str
    mode: int = 0o644
    uid: int = 0
    gid: int = 0


def put(container: str, files: dict[str, File]) -> None:
    """Writes files into a container, running or not. Their folders are made too."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for path, file in files.items():
            data = file.content.encode() if isinstance(file.content, str) else file.content
            entry = tarfile.TarInfo(path.lstrip("/"))
            entry.size, entry.mode, entry.uid, entry.gid = len(data), file.mode, file.uid, file.gid
            tar.addfile(entry, io.BytesIO(data))
    docker("cp", "-", f"{container}:/", stdin=archive.getvalue())


def newest(repository: str, suite: str = "trixie") -> str:
    """The newest image of a repository that the collection builds on a Debian release, as a reference."""
    wanted = f"{repository}:{suite}-*"
    found = docker("image", "ls", "--filter", f"reference={wanted}", "--format", "{{.Repository}}:{{.Tag}}")
    if not found:
        raise DockerError(
            f"there is no image {wanted} on this machine. The role container_images builds it "
            "(make deploy on this machine does, and so does playbooks/save_images.yml)."
        )
    return found.splitlines()[0]


def image(name: str, base: str) -> str:
    """The image of a stand-in, built unless it is there. Its tag says what it was made of."""
    folder = DEFINITIONS / name
    made_of = [docker("image", "inspect", "--format", "{{.Id}}", base).encode()]
    made_of += [file.read_bytes() for file in sorted(folder.iterdir())]
    reference = f"orthweb/rehearsal-{name}:trixie-{hashlib.sha256(b'|'.join(made_of)).hexdigest()[:12]}"
    if not docker("image", "ls", "--quiet", reference):
        print(f"Building {reference} (about a minute) ...", flush=True)
        docker("build", "--quiet", "--build-arg", f"BASE={base}", "--tag", reference, str(folder), seconds=900)
    return reference


@dataclass(frozen=True)
class Site:
    """Where the containers of one rehearsal are. Everything carries the label, so that it is found again."""

    port: int

    @property
    def name(self) -> str:
        return f"orthweb-rehearsal-{self.port}"

    @property
    def label(self) -> str:
        return f"orthweb.rehearsal={self.port}"

    @property
    def gateway(self) -> str:
        """The address at which the containers reach this machine."""
        return docker("network", "inspect", "--format", "{{(index .IPAM.Config 0).Gateway}}", self.name)

    def open(self) -> None:
        """Makes the network. Its range is one that neither the collection's engines nor its VPCs use.

        The upper half of it is for hosts, whose addresses stay (hosts.py).
        """
        refused: list[DockerError] = []
        for second in range(31, 17, -1):
            start = f"172.{second}.{self.port % 256}"
            where = ["--subnet", f"{start}.0/24", "--ip-range", f"{start}.0/25"]
            where += ["--gateway", f"{start}.1"]  # not told unless given
            try:
                docker("network", "create", "--label", self.label, *where, self.name)
            except DockerError as error:
                if "overlap" not in str(error):
                    raise
                refused.append(error)
            else:
                return
        raise refused[0]

    def close(self) -> None:
        """Takes away all that carries the label, also what an earlier rehearsal left that was killed."""
        by_label = ("--quiet", "--filter", f"label={self.label}")
        if containers := docker("ps", "--all", *by_label).split():
            docker("rm", "--force", "--volumes", *containers)
        if volumes := docker("volume", "ls", *by_label).split():
            docker("volume", "rm", "--force", *volumes)
        if networks := docker("network", "ls", *by_label).split():
            docker("network", "rm", *networks)
        if images := docker("image", "ls", *by_label).split():
            docker("image", "rm", "--force", *dict.fromkeys(images))
