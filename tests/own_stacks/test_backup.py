# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups of the embedded database, into a folder, to an SFTP server and into a bucket. Only the database runs."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.database_alone import INDEX, new_wal, sql, status, within
from support.process import run
from support.s3_server import SECRET, S3Server
from support.sftp_server import SftpServer
from support.stack import Stack, docker

NAME = "orthweb-backup"
# Sends what it is given to the socket at which PostgreSQL asks, and prints the answer.
ASK = """
use IO::Socket::UNIX;
my $peer = IO::Socket::UNIX->new(Peer => "/run/postgresql/backup.sock") or die "$!";
print {$peer} "$ARGV[0]\\n"; $peer->flush; print <$peer>;
"""


@pytest.fixture(scope="module")
def sftp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SftpServer]:
    server = SftpServer("orthweb-sftp-of-tests", tmp_path_factory.mktemp("sftp"), 27222)
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    server = S3Server("orthweb-s3-of-tests", tmp_path_factory.mktemp("s3"), 27223, f"{NAME}-backup-outside")
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def stack(
    tmp_path_factory: pytest.TempPathFactory, sftp: SftpServer, bucket: S3Server, folder: Path
) -> Iterator[Stack]:
    stack = Stack(NAME, tmp_path_factory.mktemp("state"), 27112, 27443, 27042)
    stack.variables["orthweb_backup_repositories"] = [
        {"name": "nas", "type": "folder", "path": str(folder)},
        sftp.given(),
        bucket.given(),
    ]
    try:
        stack.configure("--tags", "postgresql").ok()
        yield stack
    finally:
        bucket.stop()  # it is in the stack's network
        stack.teardown(orthweb_confirm_teardown=stack.name).ok()
        assert not any(stack.left.values()), stack.left


def pgbackrest(stack: Stack, *arguments: str) -> str:
    return docker("exec", stack.container("backup"), "pgbackrest", f"--stanza={stack.name}", *arguments)


def labels(stack: Stack, number: int) -> list[str]:
    [info] = json.loads(pgbackrest(stack, "--output=json", f"--repo={number}", "info"))
    return [backup["label"] for backup in info["backup"]]


def ask(stack: Stack, question: str) -> str:
    return docker("exec", stack.container("postgresql"), "perl", "-e", ASK, question)


def waits(stack: Stack) -> int:
    return int(sql(stack, "SELECT count(*) FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready'")[0])


def test_all_repositories_have_a_full_backup_at_once(stack: Stack) -> None:
    made = within(60, lambda: all(each["last"] for each in status(stack)["repositories"].values()) and status(stack))
    assert [list(each["last"]) for each in made["repositories"].values()] == [["full"], ["full"], ["full"]]
    within(60, lambda: status(stack)["restorable"])
    assert status(stack)["alarms"] == []
    pgbackrest(stack, "check")
    for number in (1, 2, 3):
        assert "status: error" not in pgbackrest(stack, f"--repo={number}", "--output=text", "--verbose", "verify")


def test_a_person_has_one_made(stack: Stack) -> None:
    said = stack.play("backup", "--extra-vars", "backup_type=incr").ok().output
    for number, name in ((1, "nas"), (2, "away"), (3, "bucket")):
        assert f"Incremental backup {labels(stack, number)[-1]} in {name}" in " ".join(said.split())
    assert "Newest restorable moment" in said


def test_a_list_of_instances_is_beside_each_backup(stack: Stack, folder: Path) -> None:
    """Of an index as Orthanc makes it. It is encrypted, and goes when its backup goes."""
    sql(stack, *INDEX, database="orthanc")
    stack.play("backup").ok()
    for number, name in ((1, "nas"), (2, "away"), (3, "bucket")):
        read = docker("exec", stack.container("backup"), "backup", "manifest", name)
        about, *instances = [json.loads(line) for line in read.splitlines()]
        assert about["backup"] == labels(stack, number)[-1] and (about["instances"], about["series"]) == (2, 1)
        assert instances[0] == {"sop": "1.2.3", "md5": "0cc175b9c0f1b6a831c399e269772661", "size": 1}
        assert [each["sop"] for each in instances] == ["1.2.3", "1.2.4"]
        there = pgbackrest(stack, f"--repo={number}", "repo-ls", f"manifest/{stack.name}").split()
        assert there == [f"{label}.jsonl.gz" for label in sorted(labels(stack, number))]
    for file in (folder / "manifest" / stack.name).iterdir():
        assert file.read_bytes().startswith(b"Salted__")


def test_a_second_run_changes_nothing(stack: Stack) -> None:
    assert stack.configure("--tags", "postgresql").ok().changes == []


def test_the_controllers_folder_is_beside_the_backups(stack: Stack, folder: Path) -> None:
    for number in (1, 2, 3):
        assert len(pgbackrest(stack, f"--repo={number}", "repo-ls", f"controller/{stack.name}").split()) == 1
    [kept] = (folder / "controller" / stack.name).iterdir()
    assert kept.read_bytes().startswith(b"Salted__")


def test_the_database_s_container_can_ask_for_nothing_else(stack: Stack, folder: Path, sftp: SftpServer) -> None:
    had = [labels(stack, number) for number in (1, 2, 3)]
    questions = ["expire", "push --repo1-retention-full=1", "push ../PG_VERSION", "push ../../../etc/passwd", "stop"]
    for question in [*questions, "get 000000010000000000000001", "push 0000000100000000000000FF\npush expire"]:
        assert ask(stack, question).startswith("failed"), question
    for outside in ("/repositories", "/etc/pgbackrest", str(folder), "/usr/bin/pgbackrest"):
        assert run("docker", "exec", stack.container("postgresql"), "test", "-e", outside).returncode == 1
    reach = f"exec 3<>/dev/tcp/{sftp.given()['host']}/{sftp.port}"
    assert run("docker", "exec", stack.container("backup"), "bash", "-c", reach).returncode == 0
    assert run("docker", "exec", stack.container("postgresql"), "bash", "-c", reach).returncode != 0
    assert [labels(stack, number) for number in (1, 2, 3)] == had


def test_the_backups_container_cannot_write_to_the_data(stack: Stack) -> None:
    done = run("docker", "exec", stack.container("backup"), "touch", "/var/lib/postgresql/data/17/mine")
    assert "Read-only file system" in done.stderr


def test_secrets_are_where_nobody_sees_them(stack: Stack) -> None:
    passphrase = json.loads((stack.folder / "secrets.json").read_text())["backup_passphrase"]
    kept = Path("/etc/orthweb", stack.name, "backup")
    assert f"cipher-pass={passphrase}" in (kept / "pgbackrest.conf").read_text()
    for name in ("pgbackrest.conf", "away.key", "bucket.ca"):
        assert (kept / name).stat().st_mode & 0o777 == 0o400
    seen = docker("inspect", stack.container("backup"), stack.container("postgresql"))
    seen += docker("logs", stack.container("backup")) + docker("top", stack.container("backup"))
    assert passphrase not in seen and "PRIVATE KEY" not in seen and SECRET not in seen


def test_wal_waits_while_the_container_is_away(stack: Stack) -> None:
    docker("stop", stack.container("backup"))
    names = [new_wal(stack) for _time in range(3)]
    within(30, lambda: sql(stack, "SELECT last_failed_wal IS NOT NULL FROM pg_stat_archiver") == ["t"])
    assert waits(stack) >= 3
    docker("start", stack.container("backup"))
    within(90, lambda: waits(stack) == 0)
    for number in (1, 2, 3):
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
    before = {number: labels(stack, number) for number in (1, 2, 3)}
    docker("restart", stack.container("backup"))
    for number in (1, 2, 3):
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
def test_the_repositories_stay_and_refuse_another_database(stack: Stack, bucket: S3Server, folder: Path) -> None:
    bucket.stop()
    stack.variables["orthweb_backup_repositories"].pop()  # type: ignore[attr-defined]
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
