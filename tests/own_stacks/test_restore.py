# SPDX-License-Identifier: GPL-3.0-or-later
"""Restores of the embedded database: over a damaged one, to a moment, into another stack. Only the database runs."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from support.database_alone import INDEX, new_wal, sql, status, within
from support.process import output_of, run
from support.stack import Run, Stack, docker

DATA = "/var/lib/postgresql/data/17"
TABLE = "CREATE TABLE kept (number int, at timestamptz DEFAULT clock_timestamp())"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, folder: Path) -> Iterator[Stack]:
    stack = Stack("orthweb-restore", tmp_path_factory.mktemp("state"), 27612, 27643, 27642)
    stack.variables["orthweb_backup_repositories"] = [{"name": "nas", "type": "folder", "path": str(folder)}]
    try:
        stack.configure("--tags", "postgresql").ok()
        within(60, lambda: status(stack)["repositories"]["nas"]["last"])
        yield stack
    finally:
        stack.teardown(orthweb_confirm_teardown=stack.name).ok()
        assert not any(stack.left.values()), stack.left


def restore(stack: Stack, *arguments: str, **variables: object) -> Run:
    return stack.play("restore", "--tags", "postgresql", *arguments, **variables)


def put(stack: Stack, *numbers: int) -> datetime:
    """Commit each; the moment after it."""
    for number in numbers:
        sql(stack, f"INSERT INTO kept VALUES ({number})", database="orthanc")
    time.sleep(1.1)
    return datetime.now(UTC)


def has(stack: Stack) -> list[int]:
    return [int(line) for line in sql(stack, "SELECT number FROM kept ORDER BY number", database="orthanc")]


def in_volume(stack: Stack, command: str) -> None:
    image = docker("inspect", "--format", "{{.Config.Image}}", stack.container("postgresql"))
    volume = f"{stack.container('postgresql')}:/var/lib/postgresql/data"
    docker("run", "--rm", "--network=none", "--user=0", "--volume", volume, "--entrypoint=bash", image, "-ec", command)


def archived(stack: Stack) -> list[str]:
    ls = ["pgbackrest", f"--stanza={stack.name}", "--recurse", "repo-ls", f"archive/{stack.name}"]
    return [name.rpartition("/")[2] for name in docker("exec", stack.container("backup"), *ls).split()]


def is_archived(stack: Stack, segment: str) -> None:
    """Wait until it is."""
    within(60, lambda: any(name.startswith(segment) for name in archived(stack)))


def test_nothing_is_replaced_without_the_typed_name(stack: Stack) -> None:
    sql(stack, TABLE, database="orthanc")
    put(stack, 1)
    sql(stack, *INDEX, database="orthanc")
    refused = restore(stack, backup_confirm_restore="another")
    assert refused.code != 0
    assert f"{stack.name} has 2 images, and its name was not confirmed" in " ".join(refused.output.split())
    assert has(stack) == [1]


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"backup_restore_to": "yesterday"}, "'yesterday' is no moment"),
        ({"backup_restore_to": "2999-01-01"}, "is in the future"),
        ({"backup_restore_to": "2020-01-01"}, "repository nas: the earliest moment is 20"),
    ],
)
def test_what_cannot_be_restored_touches_nothing(stack: Stack, variables: dict[str, str], said: str) -> None:
    refused = restore(stack, backup_confirm_restore=stack.name, **variables)
    assert refused.code != 0
    assert said in " ".join(refused.output.split()).replace("''", "'")
    assert has(stack) == [1]


def test_a_repository_that_is_not_declared_is_refused(stack: Stack) -> None:
    refused = restore(stack, backup_restore_from="tape")
    assert refused.code != 0
    assert "there is no repository tape. Declared are nas" in " ".join(refused.output.split())


def test_to_a_moment(stack: Stack) -> None:
    moment = put(stack, 2)
    before = put(stack, 3)
    put(stack, 8)
    # What is given up is in the repository, too: a newer backup, and segments with the numbers of those still to come.
    docker("exec", stack.container("backup"), "backup", "now", "incr")
    given_up = [new_wal(stack) for _number in range(20)]
    is_archived(stack, given_up[-1])
    done = restore(stack, backup_confirm_restore=stack.name, backup_restore_to=moment.isoformat()).ok()
    assert has(stack) == [1, 2]
    assert "1 series, 2 instances." in done.output
    assert sql(stack, "SELECT current_setting('restore_command') || current_setting('recovery_target_time') = ''") == [
        "t"
    ]
    put(stack, 9)
    is_archived(stack, new_wal(stack))
    # What was given up can be brought back, as it was before that.
    restore(stack, backup_confirm_restore=stack.name, backup_restore_to=before.isoformat()).ok()
    assert has(stack) == [1, 2, 3]
    put(stack, 4)
    segment = new_wal(stack)
    assert segment[8:] in {name[8:] for name in given_up}
    is_archived(stack, segment)


def test_a_damaged_one_loses_nothing_that_was_committed(stack: Stack) -> None:
    """Killed, with what it has committed since the last archived WAL, and files of its tables destroyed."""
    put(stack, 5)
    docker("stop", stack.container("backup"))
    filled = new_wal(stack)
    put(stack, 6)
    docker("kill", stack.container("postgresql"))
    in_volume(stack, f"rm -r {DATA}/base/* && echo damaged > {DATA}/global/pg_control")
    done = restore(stack, backup_confirm_restore=stack.name).ok()
    assert "PostgreSQL does not answer" not in done.output, "Nobody is asked"
    assert has(stack) == [1, 2, 3, 4, 5, 6]
    is_archived(stack, filled)  # else the next restore would end there


def test_one_that_was_interrupted_is_run_again(stack: Stack) -> None:
    """Between the files and the end; the entry point of the image does not take it for an empty volume."""
    docker("rm", "--force", stack.container("postgresql"), stack.container("backup"))
    stack.play("configure", "--tags", "postgresql").ok()
    in_volume(stack, f"rm {DATA}/global/pg_control")
    restore(stack, backup_confirm_restore=stack.name).ok()
    assert has(stack) == [1, 2, 3, 4, 5, 6]


def test_a_second_stack_gets_it_beside_the_first(stack: Stack, tmp_path: Path) -> None:
    second = Stack("orthweb-restored", stack.state_root, 27712, 27743, 27742)
    second.variables |= stack.variables
    try:
        restore(second, backup_restore_of=stack.name).ok()
        assert has(second) == has(stack) == [1, 2, 3, 4, 5, 6]
        within(60, lambda: status(second)["repositories"]["nas"]["last"])
        assert sql(second, "SELECT timeline_id FROM pg_control_checkpoint()") > sql(
            stack, "SELECT timeline_id FROM pg_control_checkpoint()"
        )
    finally:
        second.teardown(orthweb_confirm_teardown=second.name).ok()
        assert not any(second.left.values()), second.left


def drill(stack: Stack) -> tuple[int, str]:
    done = stack.play("drill")
    return done.code, " ".join(done.output.split())


def test_a_drill_finds_everything(stack: Stack) -> None:
    """Of an idle archive, whose WAL ends where the list was made. It leaves nothing behind, nor WAL of its own."""
    new_wal(stack)
    before = archived(stack)
    code, said = drill(stack)
    assert code == 0, said
    assert "2 equal, 0 missing, 0 damaged, 0 unverified" in said and "everything could be restored" in said
    assert docker("exec", stack.container("backup"), "ls", "-A", "/var/lib/drill") == ""
    assert {name[:8] for name in archived(stack)} == {name[:8] for name in before}, "another timeline"
    metrics = Path("/etc/orthweb", stack.name, "backup-status", "orthweb-backup.prom")
    within(30, lambda: f'orthweb_backup_drill_passed{{stack="{stack.name}"}} 1' in metrics.read_text())
    assert status(stack)["drill"]["equal"] == 2


@pytest.mark.parametrize(
    ("what", "said"),
    [("segment", "could not be brought: ERROR"), ("backup", "ERROR: ")],
)
def test_a_drill_finds_what_the_repository_has_lost(stack: Stack, folder: Path, what: str, said: str) -> None:
    """A file that is cut."""
    name = new_wal(stack)
    is_archived(stack, name)
    places = {
        "segment": (folder / "archive" / stack.name).glob(f"*/*/{name}-*"),
        "backup": (folder / "backup" / stack.name).glob("*F/bundle/*"),
    }
    file = max(places[what], key=lambda path: path.stat().st_size)
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])
    try:
        done = run("docker", "exec", stack.container("backup"), "backup", "drill")
        assert done.returncode == 1 and said in done.stdout, done.stdout
    finally:
        file.write_bytes(content)


def test_a_drill_without_the_repository_fails(stack: Stack, folder: Path) -> None:
    """Such as when it is not mounted after a reboot."""
    there, away = folder / "backup", folder / "away"
    there.rename(away)
    try:
        done = run("docker", "exec", stack.container("backup"), "backup", "drill")
        assert done.returncode == 1 and "NOT PASSED: No backup can be restored." in done.stdout, done.stdout
    finally:
        away.rename(there)


@pytest.mark.parametrize(
    ("loss", "said"),
    [
        ("SELECT lo_put((SELECT content FROM storagearea WHERE uuid = 'a'), 0, 'x')", "1 damaged; damaged: 1.2.3"),
        ("SELECT lo_unlink((SELECT content FROM storagearea WHERE uuid = 'b'))", "1 missing; 1 damaged"),
    ],
)
def test_a_drill_finds_what_the_archive_has_lost(stack: Stack, loss: str, said: str) -> None:
    sql(stack, loss, database="orthanc")
    code, found = drill(stack)
    assert code != 0 and said in found


def test_what_was_lost_is_brought_back(stack: Stack) -> None:
    command = ["docker", "exec", "--interactive", stack.container("backup"), "backup", "bring"]
    said = json.loads(output_of(*command, stdin=json.dumps(["a", "b", "no such thing"])))
    assert (set(said["brought"]), said["absent"]) == ({"a", "b"}, ["no such thing"]), said
    [where] = set(said["brought"].values())
    assert where.endswith(" in nas")
    assert sql(stack, "SELECT uuid, md5(lo_get(content)) = md5(uuid), type FROM storagearea", database="orthanc") == [
        "a|t|1",
        "b|t|1",
    ]
    assert drill(stack)[0] == 0


def test_a_gap_is_refused(stack: Stack, folder: Path) -> None:
    put(stack, 7)
    before = has(stack)
    lost = new_wal(stack)
    assert any(name[8:24] == lost[8:] for name in archived(stack)), "It was on the timeline that was given up, too."
    is_archived(stack, new_wal(stack))
    docker("stop", stack.container("backup"))  # it would make another backup
    [file] = (folder / "archive" / stack.name).glob(f"*/*/{lost}-*")
    aside = shutil.move(file, folder / file.name)
    try:
        refused = restore(stack, backup_confirm_restore=stack.name)
        assert refused.code != 0
        assert f"WAL is missing from {lost} on" in " ".join(refused.output.split())
        assert has(stack) == before
    finally:
        shutil.move(aside, file)
    restore(stack, backup_confirm_restore=stack.name).ok()
    assert has(stack) == before


def test_a_bare_machine_needs_the_repository_and_the_passphrase_alone(stack: Stack, tmp_path: Path) -> None:
    """Certificates and passwords are those of before, so that modalities do not need others."""
    kept = {
        path.relative_to(stack.folder): path.read_bytes()
        for path in stack.folder.rglob("*")
        if path.suffix in (".crt", ".key")
    }
    before, secrets = has(stack), json.loads((stack.folder / "secrets.json").read_text())
    stack.teardown(orthweb_confirm_teardown=stack.name).ok()
    assert not stack.folder.exists() and not any(stack.left.values())

    wrong = restore(stack, backup_restore_passphrase="not the passphrase of this stack")
    assert wrong.code != 0
    assert "No copy of the controller's folder was found. repository nas:" in " ".join(wrong.output.split())
    assert not stack.folder.exists()

    passphrase = tmp_path / "passphrase.yml"
    passphrase.write_text(json.dumps({"backup_restore_passphrase": secrets["backup_passphrase"]}))
    done = restore(stack, "--extra-vars", f"@{passphrase}").ok()
    assert secrets["backup_passphrase"] not in done.output
    assert has(stack) == before
    assert json.loads((stack.folder / "secrets.json").read_text()) == secrets
    assert {name: (stack.folder / name).read_bytes() for name in kept} == kept
