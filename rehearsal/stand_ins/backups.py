# SPDX-License-Identifier: GPL-3.0-or-later
"""What RDS keeps of a database: its snapshots, and for any moment a copy of the beginning and all WAL since."""

from __future__ import annotations

import time
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from ..api.rds_snapshots import Origin
from .docker import DockerError, File, Site, docker, put

FOLDER = "/backups"
DATA = "/var/lib/postgresql/data/17"

COPY = "pg_basebackup --username=rdsadmin --port={port} --checkpoint=fast --pgdata="
SWITCH = "SELECT pg_walfile_name(pg_switch_wal() - 1)"
ARCHIVED = "SELECT coalesce(max(last_archived_wal), '') FROM pg_stat_archiver"
# As far as the WAL goes, unless there is a moment. The copy of a restored database has its settings of then.
RECOVERY = """
restore_command = 'cp {archive}/%f %p'
recovery_target_time = '{moment}'
recovery_target_action = promote
"""


def container_of(site: Site, address: str) -> str:
    """The container behind an endpoint."""
    name, _account, region = address.split(".")[:3]
    return f"{site.name}-{region}-{name}"


@dataclass(frozen=True)
class Backups:
    """In a volume of the rehearsal, which all of its databases have."""

    site: Site

    @property
    def volume(self) -> str:
        return f"{self.site.name}-backups"

    def open(self, image: str) -> None:
        docker("volume", "create", "--label", self.site.label, self.volume)
        mounted = ("--volume", f"{self.volume}:{FOLDER}")
        docker("run", "--rm", "--pull=never", "--user=0", "--entrypoint=chown", *mounted, image, "postgres:", FOLDER)

    @staticmethod
    def configuration(container: str) -> str:
        """Of a database whose WAL is kept."""
        archive = f"{FOLDER}/{container}/wal"
        return f"""
archive_mode = on
archive_command = 'install -D %p {archive}/%f.partial && mv {archive}/%f.partial {archive}/%f'
"""

    def forget(self, container: str) -> None:
        """What there is of an earlier database of that name. Nothing writes to it yet."""
        removing = ["--entrypoint=rm", docker("inspect", "--format", "{{.Image}}", container)]
        docker("run", "--rm", "--pull=never", "--volumes-from", container, *removing, "-rf", f"{FOLDER}/{container}")

    def begin(self, container: str, port: int) -> None:
        """Keep the first copy of a database, to which its WAL is added."""
        self.copy(container, port, f"{FOLDER}/{container}/base")

    def keep(self, model: Any, origin: Origin) -> None:
        """Keep a copy of a database, for a snapshot."""
        self.copy(container_of(self.site, model.address), int(model.port), self.snapshot(origin))

    def fill(self, container: str, origin: Origin, port: int) -> None:
        """Put the data of a snapshot or of a moment into a database that was not started yet."""
        if origin.snapshot:
            self.put(container, self.snapshot(origin))
            return
        source = container_of(self.site, origin.address)
        if docker("ps", "--quiet", "--filter", f"name=^{source}$"):  # it may be gone
            self.archive_all(source, port)
        self.put(container, f"{FOLDER}/{source}/base")
        moment = origin.moment.isoformat(sep=" ") if origin.moment else ""
        recovery = RECOVERY.format(archive=f"{FOLDER}/{source}/wal", moment=moment)
        owned = {"mode": 0o600, "uid": 5432, "gid": 5432}
        put(
            container,
            {
                f"{DATA}/recovery.signal": File("", **owned),
                f"{DATA}/postgresql.auto.conf": File(recovery, **owned),
            },
        )

    @staticmethod
    def snapshot(origin: Origin) -> str:
        return f"{FOLDER}/snapshots/{sha256(origin.snapshot.encode()).hexdigest()[:16]}"

    @staticmethod
    def copy(container: str, port: int, target: str) -> None:
        docker("exec", container, "bash", "-c", COPY.format(port=port) + target)

    @staticmethod
    def put(container: str, folder: str) -> None:
        image = docker("inspect", "--format", "{{.Image}}", container)
        copying = ["--entrypoint=cp", image, "--archive", "--no-target-directory", folder, DATA]
        docker("run", "--rm", "--pull=never", "--volumes-from", container, *copying)

    @staticmethod
    def archive_all(container: str, port: int, seconds: float = 30) -> None:
        """Wait until all WAL of now is in the archive. It has a transaction that is later than any moment before."""

        def ask(statement: str) -> str:
            psql = ("psql", "--no-psqlrc", "--no-align", "--tuples-only", f"--port={port}", "--username=rdsadmin")
            return docker("exec", container, *psql, "--dbname=postgres", f"--command={statement}")

        ask("SELECT pg_current_xact_id()")
        last, end = ask(SWITCH), time.monotonic() + seconds
        while ask(ARCHIVED) < last:
            if time.monotonic() > end:
                raise DockerError(f"{container} has not archived {last} within {seconds:.0f} seconds")
            time.sleep(0.2)
