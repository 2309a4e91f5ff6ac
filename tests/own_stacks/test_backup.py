# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups of the embedded database, into a folder and to an SFTP server. Only the database runs."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from support.process import run
from support.sftp_server import SftpServer
from support.stack import Stack, docker

UID = 5432
# Sends what it is given to the socket at which PostgreSQL asks, and prints the answer.
ASK = """
use IO::Socket::UNIX;
my $peer = IO::Socket::UNIX->new(Peer => "/run/postgresql/backup.sock") or die "$!";
print {$peer} "$ARGV[0]\\n"; $peer->flush; print <$peer>;
"""
# What of Orthanc's index the list is made of: a patient, a study, a series and an instance.
INDEX = (
    "CREATE TABLE resources (internalid bigint, resourcetype int)",
    "CREATE TABLE attachedfiles (id bigint, filetype int, compressedsize bigint, compressedhash text)",
    "CREATE TABLE dicomidentifiers (id bigint, taggroup int, tagelement int, value text)",
    "INSERT INTO resources SELECT level, level FROM generate_series(0, 3) level",
    "INSERT INTO attachedfiles VALUES (3, 1, 1, md5('a')), (3, 3, 9, md5('b'))",
    "INSERT INTO dicomidentifiers VALUES (3, 8, 24, '1.2.3'), (2, 32, 14, '1.2')",
)


@pytest.fixture(scope="module")
def sftp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SftpServer]:
    server = SftpServer("orthweb-sftp-of-tests", tmp_path_factory.mktemp("sftp"), 27222)
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("nas")
    os.chown(folder, UID, UID)
    return folder


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, sftp: SftpServer, folder: Path) -> Iterator[Stack]:
    stack = Stack("orthweb-backup", tmp_path_factory.mktemp("state"), 27112, 27443, 27042)
    stack.variables["orthweb_backup_repositories"] = [
        {"name": "nas", "type": "folder", "path": str(folder)},
        sftp.given(),
    ]
    try:
        stack.configure("--tags", "postgresql").ok()
        yield stack
    finally:
        stack.teardown(orthweb_confirm_teardown=stack.name).ok()
        assert not any(stack.left.values()), stack.left


def within(seconds: float, condition: Callable[[], Any]) -> Any:
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "It did not come to that."
        time.sleep(1)
    return found


def status(stack: Stack) -> dict[str, Any]:
    return json.loads(Path("/etc/orthweb", stack.name, "backup-status", "status.json").read_text())


def pgbackrest(stack: Stack, *arguments: str) -> str:
    return docker("exec", stack.container("backup"), "pgbackrest", f"--stanza={stack.name}", *arguments)


def labels(stack: Stack, number: int) -> list[str]:
    [info] = json.loads(pgbackrest(stack, "--output=json", f"--repo={number}", "info"))
    return [backup["label"] for backup in info["backup"]]


def sql(stack: Stack, *statements: str, database: str = "postgres") -> list[str]:
    commands = [f"--command={statement}" for statement in statements]
    psql = ["psql", "--username=postgres", f"--dbname={database}", "--no-align", "--tuples-only", "--quiet"]
    return docker("exec", stack.container("postgresql"), *psql, *commands).splitlines()


def ask(stack: Stack, question: str) -> str:
    return docker("exec", stack.container("postgresql"), "perl", "-e", ASK, question)


def new_wal(stack: Stack) -> str:
    """The name of a segment that is full now."""
    return sql(stack, "SELECT pg_logical_emit_message(false, 't', 'x')", "SELECT pg_walfile_name(pg_switch_wal())")[-1]


def waits(stack: Stack) -> int:
    return int(sql(stack, "SELECT count(*) FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready'")[0])


def test_both_repositories_have_a_full_backup_at_once(stack: Stack) -> None:
    made = within(60, lambda: all(each["last"] for each in status(stack)["repositories"].values()) and status(stack))
    assert [list(each["last"]) for each in made["repositories"].values()] == [["full"], ["full"]]
    within(60, lambda: status(stack)["restorable"])
    assert status(stack)["alarms"] == []
    pgbackrest(stack, "check")
    for number in (1, 2):
        assert "status: error" not in pgbackrest(stack, f"--repo={number}", "--output=text", "--verbose", "verify")


def test_a_person_has_one_made(stack: Stack) -> None:
    said = stack.play("backup", "--extra-vars", "backup_type=incr").ok().output
    for number, name in ((1, "nas"), (2, "away")):
        assert f"Incremental backup {labels(stack, number)[-1]} in {name}" in " ".join(said.split())
    assert "Newest restorable moment" in said


def test_a_list_of_instances_is_beside_each_backup(stack: Stack, folder: Path) -> None:
    """Of an index as Orthanc makes it. It is encrypted, and goes when its backup goes."""
    sql(stack, *INDEX, database="orthanc")
    stack.play("backup").ok()
    for number, name in ((1, "nas"), (2, "away")):
        read = docker("exec", stack.container("backup"), "backup", "manifest", name)
        about, *instances = [json.loads(line) for line in read.splitlines()]
        assert about["backup"] == labels(stack, number)[-1] and about["instances"] == about["series"] == 1
        assert instances == [{"sop": "1.2.3", "md5": "0cc175b9c0f1b6a831c399e269772661", "size": 1}]
        there = pgbackrest(stack, f"--repo={number}", "repo-ls", f"manifest/{stack.name}").split()
        assert there == [f"{label}.jsonl.gz" for label in sorted(labels(stack, number))]
    for file in (folder / "manifest" / stack.name).iterdir():
        assert file.read_bytes().startswith(b"Salted__")


def test_a_second_run_changes_nothing(stack: Stack) -> None:
    assert stack.configure("--tags", "postgresql").ok().changes == []


def test_the_database_s_container_can_ask_for_nothing_else(stack: Stack, folder: Path, sftp: SftpServer) -> None:
    had = labels(stack, 1), labels(stack, 2)
    questions = ["expire", "push --repo1-retention-full=1", "push ../PG_VERSION", "push ../../../etc/passwd", "stop"]
    for question in [*questions, "get 000000010000000000000001", "push 0000000100000000000000FF\npush expire"]:
        assert ask(stack, question).startswith("failed"), question
    for outside in ("/repositories", "/etc/pgbackrest", str(folder), "/usr/bin/pgbackrest"):
        assert run("docker", "exec", stack.container("postgresql"), "test", "-e", outside).returncode == 1
    reach = f"exec 3<>/dev/tcp/{sftp.given()['host']}/{sftp.port}"
    assert run("docker", "exec", stack.container("backup"), "bash", "-c", reach).returncode == 0
    assert run("docker", "exec", stack.container("postgresql"), "bash", "-c", reach).returncode != 0
    assert (labels(stack, 1), labels(stack, 2)) == had


def test_the_backups_container_cannot_write_to_the_data(stack: Stack) -> None:
    done = run("docker", "exec", stack.container("backup"), "touch", "/var/lib/postgresql/data/17/mine")
    assert "Read-only file system" in done.stderr


def test_secrets_are_where_nobody_sees_them(stack: Stack) -> None:
    passphrase = json.loads((stack.folder / "secrets.json").read_text())["backup_passphrase"]
    kept = Path("/etc/orthweb", stack.name, "backup")
    assert f"cipher-pass={passphrase}" in (kept / "pgbackrest.conf").read_text()
    assert {path.stat().st_mode & 0o777 for path in (kept / "pgbackrest.conf", kept / "away.key")} == {0o400}
    seen = docker("inspect", stack.container("backup"), stack.container("postgresql"))
    seen += docker("logs", stack.container("backup")) + docker("top", stack.container("backup"))
    assert passphrase not in seen and "PRIVATE KEY" not in seen


def test_wal_waits_while_the_container_is_away(stack: Stack) -> None:
    docker("stop", stack.container("backup"))
    names = [new_wal(stack) for _time in range(3)]
    within(30, lambda: sql(stack, "SELECT last_failed_wal IS NOT NULL FROM pg_stat_archiver") == ["t"])
    assert waits(stack) >= 3
    docker("start", stack.container("backup"))
    within(90, lambda: waits(stack) == 0)
    for number in (1, 2):
        there = pgbackrest(stack, f"--repo={number}", "--recurse", "repo-ls", f"archive/{stack.name}")
        assert all(name in there for name in names)


def test_a_gap_in_the_wal_has_another_backup_made(stack: Stack) -> None:
    """pgBackRest's own check, verify and info do not see it."""
    sql(stack, "ALTER SYSTEM SET archive_command = '/bin/true'", "SELECT pg_reload_conf()")
    time.sleep(1)
    lost = [new_wal(stack) for _time in range(2)]
    within(90, lambda: waits(stack) == 0)
    sql(stack, "ALTER SYSTEM RESET archive_command", "SELECT pg_reload_conf()")
    time.sleep(1)
    new_wal(stack)
    within(90, lambda: waits(stack) == 0)
    before = {number: labels(stack, number) for number in (1, 2)}
    docker("restart", stack.container("backup"))
    for number in (1, 2):
        new = within(90, lambda number=number: sorted(set(labels(stack, number)) - set(before[number])))
        assert [label[-1] for label in new] == ["D"], lost
    within(60, lambda: not any(each["absent_wal"] for each in status(stack)["repositories"].values()))


def test_too_old_is_an_alarm(stack: Stack) -> None:
    settings = Path("/etc/orthweb", stack.name, "backup", "settings.json")
    kept = settings.read_text()
    try:
        settings.write_text(json.dumps({**json.loads(kept), "limits": {"max_age_hours": 0, "wal_minutes": 15}}))
        done = stack.play("backup_status")
        said = " ".join(done.output.split())
        assert done.code != 0 and "ALARM: Repository nas: the newest backup is" in said
        health = "{{.State.Health.Status}}"
        within(120, lambda: docker("inspect", "--format", health, stack.container("backup")) == "unhealthy")
    finally:
        settings.write_text(kept)
    stack.play("backup_status").ok()


@pytest.mark.long
def test_the_repositories_stay_and_refuse_another_database(stack: Stack, folder: Path) -> None:
    had = labels(stack, 1)
    passphrase = json.loads((stack.folder / "secrets.json").read_text())["backup_passphrase"]
    stack.teardown(orthweb_confirm_teardown=stack.name).ok()
    assert {path.name for path in (folder / "backup" / stack.name).iterdir()} >= set(had)
    for entry in stack.variables["orthweb_backup_repositories"]:  # type: ignore[attr-defined]
        entry["passphrase"] = passphrase
    done = stack.configure("--tags", "postgresql")
    said = " ".join(done.output.split())
    assert done.code != 0 and "cannot use the repositories nas, away" in said and "do not match the database" in said
    assert {path.name for path in (folder / "backup" / stack.name).iterdir()} >= set(had)
