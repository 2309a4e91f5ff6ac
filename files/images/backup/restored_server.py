# SPDX-License-Identifier: GPL-3.0-or-later
"""A server of our own on files of a backup: no port, no archive of its own, and a socket for this program only."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import recovery
import server
from repository import FailedError
from wal import Segment, position

POSTGRESQL = Path("/usr/lib/postgresql/17/bin")
SURE = 3  # how often the server asks in vain for a file until that is taken for the end; it waits a second in between
SILENT_SECONDS = 600  # without any progress
STOP_SECONDS = 600
# What a standby may have no less of than the server whose WAL it reads.
NO_LESS = {
    "max_connections": "max_connections",
    "max_worker_processes": "max_worker_processes",
    "max_wal_senders": "max_wal_senders",
    "max_prepared_xacts": "max_prepared_transactions",
    "max_locks_per_xact": "max_locks_per_transaction",
}
# Set by a restore, of no use afterwards.
SETTINGS = (
    "restore_command",
    "recovery_target_action",
    "recovery_target_lsn",
    "recovery_target_time",
    "recovery_target_timeline",
)
POSITION = """
SELECT pg_is_in_recovery(), pg_last_wal_replay_lsn()::text, pg_last_xact_replay_timestamp()::text,
       CASE WHEN pg_is_in_recovery() THEN pg_get_wal_replay_pause_state() = 'paused' ELSE false END
"""


@dataclass(frozen=True)
class Position:
    recovering: bool
    lsn: str
    time: str | None  # of the last transaction
    paused: bool  # where it was told to


class Server:
    """:ivar data: the cluster's folder, as `restore_command` left it
    :ivar run: a folder in memory
    :ivar archives: whether WAL waits for the server that will come after this one to archive it
    """

    def __init__(self, data: Path, run: Path, *, archives: bool) -> None:
        self.data, self.run, self.archives = data, run, archives
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def noted(self) -> Path:
        return self.run / "asked.json"

    @contextmanager
    def running(self) -> Iterator[Server]:
        """It is stopped in the end, with all that it has written on disk."""
        self.noted.unlink(missing_ok=True)
        (self.run / "hba.conf").write_text("local all postgres peer\n")
        (self.run / "postgresql.conf").write_text(
            "".join(f"{name} = '{text}'\n" for name, text in self.settings().items())
        )
        command = [POSTGRESQL / "postgres", "-D", self.data, "-c", f"config_file={self.run}/postgresql.conf"]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        try:
            yield self
        finally:
            self.process.send_signal(2)  # SIGINT: a fast shutdown
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def settings(self) -> dict[str, object]:
        archive = {"archive_mode": "on", "archive_command": "/bin/false"} if self.archives else {"archive_mode": "off"}
        return {
            "listen_addresses": "",
            "unix_socket_directories": self.run,
            "hba_file": self.run / "hba.conf",
            "shared_buffers": "64MB",
            "max_wal_size": "1GB",
            "wal_retrieve_retry_interval": "1s",
            # Statements and details of errors have patients' names.
            "log_min_error_statement": "panic",
            "log_error_verbosity": "terse",
            **archive,
            **self.no_less(),
        }

    def no_less(self) -> dict[str, str]:
        said = subprocess.run([POSTGRESQL / "pg_controldata", self.data], capture_output=True, text=True, check=False)
        found = dict(re.findall(r"^(\w+) setting: +(\d+)$", said.stdout, re.MULTILINE))
        return {name: found[label] for label, name in NO_LESS.items() if label in found}

    def connection(self, database: str = "postgres") -> Any:
        return server.connection(database, self.run)

    def position(self) -> Position | None:
        """How far it is; None while it cannot be asked."""
        import psycopg

        try:
            with self.connection() as opened:
                return Position(*opened.execute(POSITION).fetchone())
        except psycopg.Error:
            return None

    def recovered(self, missing: Callable[[], list[str]]) -> Position:
        """Wait until it is where it was told to go, or at the end of the WAL. Nothing says that it has come to an end,
        so that it is taken for it when the server asks again and again for the same file.

        :param missing: segments that are not in the repository, although later ones are
        """
        seen: tuple[Any, ...] = ()
        since = time.monotonic()
        while True:
            if self.process and (code := self.process.poll()) is not None:
                raise FailedError(f"The server ended with {code}. Its log says why.")
            asked, position = recovery.asked(self.noted), self.position()
            if asked.failed and asked.times >= SURE:
                raise FailedError(f"{asked.name} could not be brought: {asked.answer}")
            if position and (position.paused or not position.recovering):
                return position
            if asked.times >= SURE and position and seen and seen[1] == position:
                complete(missing(), position.lsn)
                return position
            if asked.times > 4 * SURE and not position:
                raise FailedError(f"{asked.name} is in no repository, and the backup cannot be used without it.")
            if (asked, position) != seen:
                since = time.monotonic()
            elif time.monotonic() - since > SILENT_SECONDS:
                raise FailedError(f"The server does nothing. It asked for {asked.name or 'nothing'} last.")
            seen = (asked, position)
            time.sleep(1)

    def promote(self) -> None:
        with self.connection() as opened:
            opened.autocommit = True
            in_recovery = opened.execute("SELECT pg_is_in_recovery()").fetchone()[0]
            if in_recovery and not opened.execute("SELECT pg_promote(true, 600)").fetchone()[0]:
                raise FailedError("The server did not begin to take writes within 600 seconds.")
            for name in SETTINGS:
                opened.execute(f"ALTER SYSTEM RESET {name}")


def complete(missing: list[str], lsn: str) -> None:
    """Fail if the repository has later WAL than the server has come to."""
    number = Segment.at(position(lsn)).number
    later = [name for name in missing if Segment.named(name).number >= number]
    if later:
        raise FailedError(f"The recovery ended at {lsn}: {later[0]} is missing, although later WAL is there.")
