# SPDX-License-Identifier: GPL-3.0-or-later
"""A PostgreSQL that is not part of any stack: with a CA of its own, and an admin who is no superuser."""

from __future__ import annotations

import ipaddress
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from .authority import Authority
from .process import output_of
from .stack import docker, wait_until_healthy

CONFIG = """
listen_addresses = '*'
unix_socket_directories = '/run/postgresql'
hba_file = '/etc/postgresql/orthweb/pg_hba.conf'
ssl = on
ssl_cert_file = '/etc/postgresql/orthweb/server.crt'
ssl_key_file = '/etc/postgresql/orthweb/server.key'
log_statement = 'all'
"""
ACCESS = "local all postgres peer\nhostssl all all all scram-sha-256\n"
UID = 5432


@dataclass
class ExternalDatabase:
    name: str
    folder: Path
    admin: str = "dba"
    admin_password: str = "the admin's: own\\password-hT4wZs9c"

    def start(self) -> None:
        docker("network", "create", self.name)
        subnet = docker("network", "inspect", self.name, "--format", "{{(index .IPAM.Config 0).Subnet}}")
        self.host = str(ipaddress.ip_network(subnet)[2])  # the first address after the bridge's own
        self.authority = Authority(self.folder / "pki", "The hospital's CA")
        self.show(self.authority)
        (self.folder / "config" / "postgresql.conf").write_text(CONFIG)
        (self.folder / "config" / "pg_hba.conf").write_text(ACCESS)
        image = docker("image", "ls", "--format", "{{.Repository}}:{{.Tag}}", "orthweb/postgresql").splitlines()[0]
        health = ["--health-cmd", "pg_isready --quiet --host=/run/postgresql", "--health-interval", "1s"]
        volume = ["--volume", f"{self.folder / 'config'}:/etc/postgresql/orthweb:ro"]
        tmpfs = ["--tmpfs", f"/run/postgresql:uid={UID},gid={UID}"]
        docker("run", "--detach", "--name", self.name, "--network", self.name, *tmpfs, *volume, *health, image)
        wait_until_healthy(self.name)
        address = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
        assert docker("inspect", "--format", address, self.name) == self.host
        password = self.admin_password.replace("'", "''")
        # What we say ourselves is not to be found in the log, where the tests look for what the role has said.
        create = f"CREATE ROLE {self.admin} LOGIN CREATEDB CREATEROLE PASSWORD '{password}'"
        docker("exec", self.name, "psql", "--username=postgres", "-c", "SET log_statement = none", "-c", create)

    def show(self, authority: Authority, *names: str) -> None:
        """Write a certificate of ``authority``; a running server shows it after `reload`."""
        (self.folder / "config").mkdir(exist_ok=True, mode=0o755)
        for source in authority.issue(*(names or (self.host,))):
            target = self.folder / "config" / source.name
            shutil.copy(source, target)
            os.chown(target, UID, UID)
            target.chmod(0o600)

    def reload(self) -> None:
        self.sql("SELECT pg_reload_conf()")

    def sql(self, statement: str, database: str = "postgres") -> str:
        """As the superuser, whom nobody but the server's owner can be."""
        return docker("exec", self.name, "psql", "--username=postgres", f"--dbname={database}", "-Atc", statement)

    def log(self) -> str:
        return output_of("docker", "logs", self.name, merged=True)

    def given(self, **changes: object) -> dict[str, object]:
        """``orthweb_database`` as a person writes it."""
        return {
            "host": self.host,
            "port": 5432,
            "name": "archive",
            "user": "orthanc-user",
            "password": "Orthanc's/own: p@ss%word-kQ7mVx2r",
            "ca_certificate": str(self.authority.file),
            "admin_user": self.admin,
            "admin_password": self.admin_password,
            **changes,
        }

    def stop(self) -> None:
        docker("rm", "--force", "--volumes", self.name, check=False)
        docker("network", "rm", self.name, check=False)
