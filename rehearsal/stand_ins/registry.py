# SPDX-License-Identifier: GPL-3.0-or-later
"""A real registry with TLS and a login, for the image source `registry`. Its images outlive it."""

from __future__ import annotations

import base64
import json
import os
import secrets
import ssl
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .authority import Authority, write
from .docker import DockerError, File, Site, docker, put

NAME = "registry.rehearsal.internal"
SERVER = f"{NAME}:5000"
USER = "orthweb"
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"

CONFIGURATION = """
version: 0.1
log: {level: warn, accesslog: {disabled: true}}
storage: {filesystem: {rootdirectory: /var/lib/registry}, delete: {enabled: true}}
http:
  addr: :5000
  tls: {certificate: /etc/registry/server.crt, key: /etc/registry/server.key}
auth:
  htpasswd: {realm: rehearsal, path: /etc/registry/htpasswd}
"""


@dataclass(frozen=True)
class Registry:
    site: Site
    image: str
    folder: Path
    authority: Authority

    @property
    def container(self) -> str:
        return f"{self.site.name}-registry"

    @property
    def here(self) -> str:
        """Where it is for this machine, to push to. Docker does not verify a registry on 127/8, whatever it shows."""
        return f"127.0.0.1:{self.site.port + 1}"

    def start(self) -> None:
        """Starts it and waits until it answers."""
        user, data = f"{os.getuid()}:{os.getgid()}", self.folder / "registry"
        data.mkdir(exist_ok=True)
        certificate, key = self.authority.issue(NAME, "127.0.0.1")
        # The password goes in by standard input; bcrypt is the one kind that the registry takes.
        line = docker(
            *("run", "--pull=never", "--rm", "--interactive", "--network=none", "--entrypoint=mkpasswd"),
            *(self.image, "--method=bcrypt", "--stdin"),
            stdin=self.password,
        )
        docker(
            *("create", "--pull=never", "--name", self.container, "--network", self.site.name, "--network-alias", NAME),
            *("--label", self.site.label, "--user", user, f"--volume={data.resolve()}:/var/lib/registry"),
            *(f"--publish={self.here}:5000", self.image),
        )
        private = {"mode": 0o400, "uid": os.getuid(), "gid": os.getgid()}
        put(
            self.container,
            {
                "/etc/registry/config.yml": File(CONFIGURATION),
                "/etc/registry/server.crt": File(certificate),
                "/etc/registry/server.key": File(key, **private),
                "/etc/registry/htpasswd": File(f"{USER}:{line}\n", **private),
            },
        )
        docker("start", self.container)
        until = time.monotonic() + 30
        while True:
            try:
                self.ask("/v2/")
                return
            except (OSError, urllib.error.URLError) as error:
                if time.monotonic() > until:
                    raise DockerError(f"{self.container} did not answer within 30 seconds: {error}") from error
            time.sleep(0.2)

    @property
    def password(self) -> str:
        """Made once, and kept where only its owner can read it."""
        path = self.folder / "registry.json"
        if path.exists():
            return str(json.loads(path.read_text())["password"])
        password = secrets.token_urlsafe(24)
        self.write({}, password)
        return password

    def write(self, references: dict[str, str], password: str) -> None:
        content = {
            "server": SERVER,
            "username": USER,
            "password": password,
            "ca": str(self.authority.path.resolve()),
            "references": references,
        }
        write(self.folder / "registry.json", json.dumps(content, indent=2).encode() + b"\n", 0o600)

    @property
    def login(self) -> str:
        return base64.b64encode(f"{USER}:{self.password}".encode()).decode()

    def ask(self, path: str) -> tuple[dict[str, Any], str]:
        """One request: the answer, and the digest of what it is about."""
        request = urllib.request.Request(
            f"https://{self.here}{path}", headers={"Authorization": f"Basic {self.login}", "Accept": MANIFEST}
        )
        context = ssl.create_default_context(cafile=str(self.authority.path))
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
        )
        with opener.open(request, timeout=10) as answer:
            return json.loads(answer.read() or b"{}"), answer.headers.get("Docker-Content-Digest", "")

    def digest(self, repository: str, tag: str, image_id: str) -> str:
        """The digest under which an image is there already, or nothing."""
        try:
            manifest, digest = self.ask(f"/v2/{repository}/manifests/{tag}")
        except urllib.error.HTTPError:
            return ""
        # Docker's containerd store calls an image by its manifest, the classic one by its configuration.
        return digest if image_id in (digest, manifest.get("config", {}).get("digest")) else ""

    def push(self, images: dict[str, str]) -> dict[str, str]:
        """Pushes what is not there yet and gives name -> reference pinned by digest."""
        references = {}
        for name, image in images.items():
            repository, _colon, tag = image.rpartition(":")
            image_id = docker("image", "inspect", "--format", "{{.Id}}", image)
            digest = self.digest(repository, tag, image_id)
            if not digest:
                print(f"Pushing {image} ...", flush=True)
                self.push_one(image, f"{self.here}/{repository}:{tag}")
                digest = self.digest(repository, tag, image_id)
            if not digest:
                raise DockerError(f"{image} was pushed, but the registry does not have it as it is here ({image_id})")
            references[name] = f"{SERVER}/{repository}@{digest}"
        self.write(references, self.password)
        return references

    def push_one(self, image: str, target: str) -> None:
        client = self.folder / "docker-client"
        client.mkdir(mode=0o700, exist_ok=True)
        try:
            write(client / "config.json", json.dumps({"auths": {self.here: {"auth": self.login}}}).encode(), 0o600)
            docker("tag", image, target)
            docker("--config", str(client), "push", "--quiet", target, seconds=600)
        finally:
            docker("image", "rm", "--no-prune", target)
            (client / "config.json").unlink(missing_ok=True)
            client.rmdir()
