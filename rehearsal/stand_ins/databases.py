# SPDX-License-Identifier: GPL-3.0-or-later
"""RDS stand-in: behind a DB instance stands a PostgreSQL that insists on TLS, as one with rds.force_ssl does."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import Any

from moto.rds.models import rds_backends

from plugins.filter.scram import scram_sha_256_verifier

from ..api.rds_snapshots import Origin
from .authority import Authority
from .backups import FOLDER as BACKUPS
from .backups import Backups, container_of
from .docker import DockerError, File, Site, docker, put

FOLDER = "/etc/postgresql/orthweb"  # where the image looks for its configuration

# Patients' names are in the statements: they never reach the log.
CONFIGURATION = f"""
listen_addresses = '*'
port = {{port}}
unix_socket_directories = '/run/postgresql'
hba_file = '{FOLDER}/pg_hba.conf'
ident_file = '{FOLDER}/pg_ident.conf'
ssl = on
ssl_cert_file = '{FOLDER}/server.crt'
ssl_key_file = '{FOLDER}/server.key'
ssl_min_protocol_version = 'TLSv1.2'
password_encryption = 'scram-sha-256'
log_destination = 'stderr'
log_statement = 'none'
log_min_error_statement = panic
log_error_verbosity = terse
log_min_duration_statement = -1
log_parameter_max_length = 0
log_parameter_max_length_on_error = 0
"""
# No line for a connection without TLS: RDS answers "no pg_hba.conf entry ... no encryption" too.
ACCESS = """
local   all,replication all peer map=rds
hostssl all rdsadmin all reject
hostssl all all all scram-sha-256
"""

# RDS has rdsadmin for itself. The first superuser can be renamed only by another one.
RENAME = (
    ("postgres", "CREATE ROLE rehearsal SUPERUSER LOGIN"),
    ("rehearsal", "ALTER ROLE postgres RENAME TO rdsadmin"),
    ("rdsadmin", "DROP ROLE rehearsal"),
)
MASTER = """
CREATE ROLE rds_superuser NOLOGIN;
GRANT pg_monitor, pg_signal_backend, pg_checkpoint TO rds_superuser WITH ADMIN OPTION;
CREATE ROLE {user} LOGIN CREATEDB CREATEROLE IN ROLE rds_superuser PASSWORD {password};
ALTER DATABASE postgres OWNER TO {user};
"""


def name(value: str) -> str:
    return '"' + value.replace('"', '""') + '"'


@dataclass(frozen=True)
class Database:
    site: Site
    image: str
    authority: Authority = field(compare=False, repr=False)
    id: str
    endpoint: str
    port: int
    user: str
    password: str = field(repr=False)
    database: str
    running: bool
    model: Any = field(compare=False, repr=False)
    origin: Origin | None = None

    kind = "rds"

    @property
    def key(self) -> str:
        return self.endpoint

    @property
    def container(self) -> str:
        return container_of(self.site, self.endpoint)

    @property
    def is_current(self) -> bool:
        return self.password == password_of(self.model)

    @property
    def backups(self) -> Backups:
        return Backups(self.site)

    def bring(self, before: Database | None) -> None:
        """Makes it so. `before` is what was asked for the last time."""
        if before is None:
            self.make()
        if before and before.running != self.running:
            docker("start" if self.running else "stop", self.container)
        if before and before.password != self.password and self.running:
            self.wait("rdsadmin")
            self.sql("rdsadmin", f"ALTER ROLE {name(self.user)} PASSWORD '{scram_sha_256_verifier(self.password)}'")

    def make(self) -> None:
        certificate, key = self.authority.issue(self.endpoint)
        docker(
            *(
                "create",
                "--pull=never",
                "--name",
                self.container,
                "--network",
                self.site.name,
                "--network-alias",
                self.endpoint,
            ),
            *("--label", self.site.label, "--label", f"orthweb.rehearsal.database={self.id}", "--shm-size=128m"),
            *("--volume", f"{self.backups.volume}:{BACKUPS}"),
            self.image,
        )
        put(
            self.container,
            {
                f"{FOLDER}/postgresql.conf": File(
                    CONFIGURATION.format(port=self.port) + self.backups.configuration(self.container)
                ),
                f"{FOLDER}/pg_hba.conf": File(ACCESS),
                f"{FOLDER}/pg_ident.conf": File("rds postgres all\n"),
                f"{FOLDER}/server.crt": File(certificate),
                f"{FOLDER}/server.key": File(key, 0o600, 5432, 5432),
            },
        )
        if self.origin:
            self.backups.fill(self.container, self.origin, self.port)
        self.backups.forget(self.container)
        docker("start", self.container)
        if self.origin:
            self.wait("rdsadmin", "SELECT 1 / (NOT pg_is_in_recovery())::int")
        else:
            self.make_users()
        self.backups.begin(self.container, self.port)

    def make_users(self) -> None:
        self.wait("postgres")
        for user, statement in RENAME:
            self.sql(user, statement)
        self.sql("rdsadmin", MASTER.format(user=name(self.user), password=f"'{scram_sha_256_verifier(self.password)}'"))
        if self.database and self.database != "postgres":
            self.sql("rdsadmin", f"CREATE DATABASE {name(self.database)} OWNER {name(self.user)}")

    def sql(self, user: str, statement: str) -> None:
        docker(
            *("exec", "--interactive", self.container, "psql", "--quiet", "--no-psqlrc", "--set=ON_ERROR_STOP=1"),
            *(f"--port={self.port}", f"--username={user}", "--dbname=postgres"),
            stdin=statement,
        )

    def wait(self, user: str, statement: str = "SELECT 1", seconds: float = 90) -> None:
        until = time.monotonic() + seconds
        while True:
            try:
                return self.sql(user, f"{statement} \\g /dev/null")
            except DockerError as error:
                if "No such container" in str(error):  # taken away meanwhile
                    raise
                if time.monotonic() > until:
                    text = f"{self.container} did not answer within {seconds:.0f} seconds: {error}"
                    raise DockerError(text) from error
            time.sleep(0.3)

    def remove(self) -> None:
        docker("rm", "--force", "--volumes", self.container)


def password_of(model: Any) -> str:
    if getattr(model, "manage_master_user_password", False):
        return str(json.loads(model.master_user_secret.secret.secret_string)["password"])
    return str(model._master_user_password)


def wanted(site: Site, image: str, authority: Authority, current: dict[str, Any]) -> dict[str, Database]:
    """The databases that should be there, from what the API has now."""
    databases: dict[str, Database] = {}
    for regions in list(rds_backends.values()):
        for rds in list(regions.values()):
            for model in list(rds.databases.values()):
                before = current.get(model.address)
                if model.engine != "postgres" or (before and before.model is not model):
                    continue
                databases[model.address] = Database(
                    site=site,
                    image=image,
                    authority=authority,
                    id=model.db_instance_identifier,
                    endpoint=model.address,
                    port=int(model.port),
                    user=model.master_username,
                    password=password_of(model),
                    database=model.db_name or "",
                    running=model.status not in ("stopped", "stopping"),
                    model=model,
                    origin=model.rehearsal_origin,
                )
    return databases
