# SPDX-License-Identifier: GPL-3.0-or-later
"""An ACME CA on a Docker network: pebble, as Debian packages it, in a container that has nothing else."""

from __future__ import annotations

import json
import ssl
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from .authority import Authority
from .stack import docker

PROGRAM = "/usr/bin/pebble"


@dataclass
class Pebble:
    """It asks names that Docker's name server knows: those of containers. With ``dns``, it asks that server."""

    name: str
    network: str
    folder: Path
    http_port: int
    dns: str = ""
    valid_days: int = 90

    def start(self) -> None:
        self.folder.mkdir(parents=True)
        Authority(self.folder / "pki", "Whoever signed pebble").issue(self.name)
        (self.folder / "ca.crt").write_bytes((self.folder / "pki" / "ca.crt").read_bytes())
        settings = {
            "listenAddress": "0.0.0.0:14000",
            "managementListenAddress": "0.0.0.0:15000",
            "certificate": "/pebble/pki/server.crt",
            "privateKey": "/pebble/pki/server.key",
            "httpPort": self.http_port,
            "tlsPort": 443,
            "certificateValidityPeriod": self.valid_days * 86400,
        }
        (self.folder / "pebble.json").write_text(json.dumps({"pebble": settings}))
        image = docker("image", "ls", "--format", "{{.Repository}}:{{.Tag}}", "orthweb/acme").splitlines()[0]
        mounts = [f"--volume={PROGRAM}:{PROGRAM}:ro", f"--volume={self.folder}:/pebble:ro"]
        # Neither nonces that are refused nor waits on purpose: certbot has its own tests.
        environment = ["--env=PEBBLE_VA_NOSLEEP=1", "--env=PEBBLE_WFE_NONCEREJECT=0"]
        options = [
            "--detach",
            f"--name={self.name}",
            f"--network={self.network}",
            "--user=0",
            f"--entrypoint={PROGRAM}",
        ]
        asked = ["-dnsserver", self.dns] if self.dns else []
        docker("run", *options, *mounts, *environment, image, "-config", "/pebble/pebble.json", *asked)
        self._write_roots()

    def _write_roots(self) -> None:
        """What issues: new at each start."""
        address = docker(
            "inspect", "--format", f'{{{{(index .NetworkSettings.Networks "{self.network}").IPAddress}}}}', self.name
        )
        context = ssl.create_default_context(cafile=str(self.folder / "ca.crt"))
        context.check_hostname = False
        end = time.monotonic() + 20
        while True:
            try:
                with urllib.request.urlopen(f"https://{address}:15000/roots/0", context=context, timeout=5) as answer:
                    root = answer.read().decode()
                break
            except urllib.error.URLError:
                assert time.monotonic() < end, docker("logs", self.name)
                time.sleep(0.1)
        self.root = self.folder / "root.crt"
        self.root.write_text(root)
        (self.folder / "both.crt").write_text(root + (self.folder / "ca.crt").read_text())

    def given(self, **changes: object) -> dict[str, object]:
        """``orthweb_acme`` as a person writes it."""
        return {
            "email": "it@clinic.example",
            "agree_to_terms": True,
            "challenge": "http-01",
            "directory": f"https://{self.name}:14000/dir",
            "ca_certificate": str(self.folder / "both.crt"),
            **changes,
        }

    def stop(self) -> None:
        docker("rm", "--force", self.name, check=False)
