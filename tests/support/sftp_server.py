# SPDX-License-Identifier: GPL-3.0-or-later
"""An SFTP server of OpenSSH, as a hospital has one for its backups: one account, which logs in with a key."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .process import output_of
from .stack import docker

IMAGE = "orthweb/test-sftp"
DEFINITION = """
FROM {base}
RUN apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq -y install openssh-server \\
 && useradd --create-home --uid 2222 --shell /usr/sbin/nologin backup1 && usermod -p '*' backup1 && mkdir -p /run/sshd
"""
OPTIONS = (
    "Subsystem sftp internal-sftp",
    "UsePAM no",
    "PasswordAuthentication no",
    "ForceCommand internal-sftp",
    "StrictModes no",
    "UseDNS no",
)


@dataclass
class SftpServer:
    name: str
    folder: Path
    port: int

    def start(self) -> None:
        base = docker("image", "ls", "--format", "{{.Repository}}:{{.Tag}}", "orthweb/base")
        trixie = next(line for line in base.splitlines() if ":trixie-" in line)
        output_of("docker", "build", "--quiet", "--tag", IMAGE, "-", stdin=DEFINITION.format(base=trixie), seconds=300)
        for name in ("host", "client"):
            output_of("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(self.folder / name))
        mount = ["--volume", f"{self.folder}:/keys:ro"]
        options = [word for option in OPTIONS for word in ("-o", option)]
        files = ["-o", "AuthorizedKeysFile /etc/ssh/client.pub", "-h", "/etc/ssh/host"]
        copied = "install -m 0600 /keys/host /etc/ssh/host; install /keys/client.pub /etc/ssh/"
        copied += "; install -d -o backup1 /srv/backups; exec /usr/sbin/sshd"
        command = f'{copied} -D -e -p {self.port} -f /dev/null "$@"'
        run = ["run", "--detach", "--name", self.name, "--network", "host", *mount, "--entrypoint", "sh", IMAGE]
        docker(*run, "-c", command, "sshd", *options, *files)

    def stop(self) -> None:
        docker("rm", "--force", self.name)

    @property
    def fingerprint(self) -> str:
        return output_of("ssh-keygen", "-l", "-f", str(self.folder / "host.pub")).split()[1]

    def given(self, **changes: object) -> dict[str, Any]:
        """The entry of ``orthweb_backup_repositories`` as a person writes it."""
        bridge = json.loads(docker("network", "inspect", "bridge"))[0]["IPAM"]["Config"][0]["Gateway"]
        place = {"host": bridge, "port": self.port, "path": "/srv/backups/orthweb"}
        login = {"user": "backup1", "private_key": str(self.folder / "client"), "fingerprint": self.fingerprint}
        return {"name": "away", "type": "sftp", **place, **login, **changes}
