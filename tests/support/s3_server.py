# SPDX-License-Identifier: GPL-3.0-or-later
"""A bucket behind TLS with a private CA, as a hospital has one on its premises: moto, and nginx in front of it.

moto's own TLS ends a connection without saying so, which pgBackRest takes for an error.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3

from .authority import Authority
from .stack import docker

NAME, KEY, SECRET, BUCKET = "s3.clinic.example", "backups", "the-secret-key-of-the-bucket", "clinic-backups"
CONFIGURATION = """
worker_processes 1; pid /tmp/pid; error_log stderr;
events {{}}
http {{
  access_log off; client_max_body_size 0;
  client_body_temp_path /tmp/a; proxy_temp_path /tmp/b;
  fastcgi_temp_path /tmp/c; uwsgi_temp_path /tmp/d; scgi_temp_path /tmp/e;
  server {{
    listen 443 ssl; ssl_certificate /tls/server.crt; ssl_certificate_key /tls/server.key;
    # With its own address as the host: moto takes the beginning of a name for that of a bucket.
    location / {{ proxy_pass {address}; proxy_http_version 1.1; }}
  }}
}}
"""


@dataclass
class S3Server:
    """:ivar network: in which it is known by its name; it is made"""

    name: str
    folder: Path
    port: int
    network: str
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self) -> None:
        bridge = json.loads(docker("network", "inspect", "bridge"))[0]["IPAM"]["Config"][0]["Gateway"]
        moto = [str(Path(sys.executable).with_name("moto_server")), "--host", bridge, "--port", str(self.port)]
        self.processes.append(subprocess.Popen(moto, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        address = f"http://{bridge}:{self.port}"
        self._make_bucket(address)
        Authority(self.folder).issue(NAME)
        (self.folder / "nginx.conf").write_text(CONFIGURATION.format(address=address))
        images = docker("image", "ls", "--format", "{{.Repository}}:{{.Tag}}", "orthweb/nginx").split()
        docker("network", "create", self.network)
        place = ["--network", self.network, "--network-alias", NAME, "--volume", f"{self.folder}:/tls:ro", "--user=0"]
        nginx = ["--entrypoint=nginx", images[0], "-c", "/tls/nginx.conf", "-g", "daemon off;"]
        docker("run", "--detach", "--name", self.name, *place, *nginx)

    def _make_bucket(self, address: str) -> None:
        login = {"aws_access_key_id": KEY, "aws_secret_access_key": SECRET, "region_name": "us-east-1"}
        client = boto3.client("s3", endpoint_url=address, **login)
        end = time.monotonic() + 30
        while True:
            try:
                client.create_bucket(Bucket=BUCKET)
                return
            except Exception:
                if time.monotonic() > end:
                    raise
                time.sleep(0.5)

    def stop(self) -> None:
        docker("rm", "--force", self.name, check=False)
        while self.processes:
            self.processes[0].terminate()
            self.processes.pop(0).wait()

    def given(self) -> dict[str, Any]:
        """The entry of ``orthweb_backup_repositories`` as a person writes it."""
        place = {"endpoint": NAME, "region": "us-east-1", "bucket": BUCKET, "path": "/orthweb", "uri_style": "path"}
        login = {"access_key": KEY, "secret_key": SECRET, "ca": str(self.folder / "ca.crt")}
        return {"name": "bucket", "type": "s3", **place, **login}
