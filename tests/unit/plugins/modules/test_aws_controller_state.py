# SPDX-License-Identifier: GPL-3.0-or-later
"""Two controllers and one account."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.cellcs.orthweb.plugins.module_utils.aws import controller_copy
from ansible_collections.cellcs.orthweb.plugins.module_utils.controller_state import archive, folder
from ansible_collections.cellcs.orthweb.plugins.modules import aws_controller_state as module
from botocore.exceptions import ClientError

pytestmark = pytest.mark.slow  # moto is a server of its own

NAME = "orthweb/controller"
TAGS = {"orthweb:stack": "orthweb"}
SECRET = "only the controller knows"


class World:
    """``first`` has a folder, ``second`` is another controller."""

    def __init__(self, path: Path, account: Callable[[str], Any], run: Callable[..., dict[str, Any]]) -> None:
        self.first, self.second, self._run = path / "first" / "orthweb", path / "second" / "orthweb", run
        self.secrets, self.kms, self.said = account("secretsmanager"), account("kms"), ""
        self.key = self.kms.create_key()["KeyMetadata"]["Arn"]
        self.write("secrets.json", SECRET)
        self.write("pki/ca.key", "BEGIN PRIVATE KEY")
        (self.first / "pki").chmod(0o700)

    def write(self, name: str, text: str, where: Path | None = None) -> None:
        path = (where or self.first) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o600)

    def run(self, path: Path | None = None, **options: Any) -> dict[str, Any]:
        wanted = {"path": str(path or self.first), "name": NAME, "tags": TAGS, "kms_key_id": self.key, **options}
        answer = self._run(module, **wanted)
        assert SECRET not in json.dumps(answer)
        return answer

    def adopt(self, path: Path | None = None, **options: Any) -> dict[str, Any]:
        return self.run(path or self.second, state="adopted", **options)

    def names(self) -> list[str]:
        listed = self.secrets.list_secrets(IncludePlannedDeletion=True)["SecretList"]
        return sorted(each["Name"] for each in listed)

    def version(self) -> str:
        return self.secrets.get_secret_value(SecretId=NAME, VersionStage="AWSCURRENT")["VersionId"]


@pytest.fixture
def world(tmp_path: Path, account: Callable[[str], Any], run: Callable[..., dict[str, Any]]) -> World:
    return World(tmp_path, account, run)


def test_it_is_made_once_and_brought_to_another_controller(world: World) -> None:
    planned = world.run(check_mode=True)
    assert (planned["changed"], world.names()) == (True, [])
    made = world.run()
    assert (made["action"], made["changed"]) == ("make", True)
    assert made["files"] == ["pki", "pki/ca.key", "secrets.json"]
    version = world.version()
    again = world.run()
    assert (again["action"], again["changed"], world.version()) == ("keep", False, version)
    assert world.adopt(check_mode=True)["changed"]
    assert not world.second.exists()
    adopted = world.adopt()
    assert (adopted["action"], adopted["changed"], adopted["sha256"]) == ("adopt", True, made["sha256"])
    assert folder.read(world.second) == folder.read(world.first)
    assert world.adopt()["changed"] is False
    assert world.run(world.second)["changed"] is False


def test_it_is_encrypted_and_tagged(world: World) -> None:
    world.run()
    described = world.secrets.describe_secret(SecretId=NAME)
    assert described["KmsKeyId"] == world.key
    assert described["Tags"] == [{"Key": "orthweb:stack", "Value": "orthweb"}]
    stored = world.secrets.get_secret_value(SecretId=NAME)["SecretBinary"]
    assert SECRET.encode() not in stored


def test_key_and_tags_follow(world: World) -> None:
    world.run()
    other = world.kms.create_key()["KeyMetadata"]["Arn"]
    wanted = {"kms_key_id": other, "tags": {**TAGS, "team": "imaging"}}
    assert world.run(**wanted, check_mode=True)["changed"]
    assert world.secrets.describe_secret(SecretId=NAME)["KmsKeyId"] == world.key
    assert world.run(**wanted)["changed"]
    assert world.secrets.describe_secret(SecretId=NAME)["KmsKeyId"] == other
    assert world.run(**wanted)["changed"] is False
    assert world.run(**{**wanted, "kms_key_id": "alias/orthweb"})["changed"] is False


def test_a_newer_copy_is_not_overwritten(world: World) -> None:
    world.run()
    world.adopt()
    world.write("pki/client-ct.key", "of the second", world.second)
    changed = world.run(world.second)
    assert (changed["action"], changed["files"]) == ("update", ["pki/client-ct.key"])
    version = world.version()
    world.write("pki/client-mr.key", "of the first")
    for check_mode in (True, False):
        refused = world.run(check_mode=check_mode)
        assert refused["failed"]
        assert "Another controller has written the copy" in refused["msg"]
        assert "they differ in pki/client-ct.key, pki/client-mr.key" in refused["msg"]
        assert "Run make adopt" in refused["msg"]
    assert world.version() == version
    for check_mode in (True, False):
        refused = world.adopt(world.first, check_mode=check_mode)
        assert refused["failed"]
        assert "does not have, or has otherwise: pki/client-mr.key" in refused["msg"]
        assert "orthweb_adopt_replace=true" in refused["msg"]
    assert (world.first / "pki/client-mr.key").exists()
    adopted = world.adopt(world.first, replace=True)
    kept = world.first.with_name(Path(adopted["kept_as"]).name)
    assert kept.name.startswith("orthweb.before-")
    assert (kept / "pki/client-mr.key").read_text() == "of the first"
    assert folder.read(world.first) == folder.read(world.second)
    assert world.run()["changed"] is False


def test_a_folder_that_has_not_changed_since_just_follows(world: World) -> None:
    world.run()
    world.adopt()
    world.write("secrets.json", "of the second", world.second)
    world.run(world.second)
    assert world.run()["failed"], "it is older"
    adopted = world.adopt(world.first)
    assert (adopted["changed"], adopted["kept_as"], adopted["files"]) == (True, "", ["secrets.json"])
    assert [each.name for each in world.first.parent.iterdir()] == ["orthweb"]
    assert world.run()["changed"] is False


def test_what_is_missing_of_a_folder_is_brought_back(world: World) -> None:
    world.run()
    shutil.rmtree(world.first / "pki")
    (world.first / folder.SEEN).unlink()
    assert world.adopt(world.first)["files"] == ["pki", "pki/ca.key"]


def test_a_lost_folder_is_refused_and_not_made_anew(world: World) -> None:
    world.run()
    shutil.rmtree(world.first)
    for check_mode in (True, False):
        refused = world.run(check_mode=check_mode)
        assert refused["failed"]
        assert "is not on this controller" in refused["msg"]
        assert "Run make adopt INVENTORY=inventory/aws" in refused["msg"]


def test_before_the_first_deployment_there_is_nothing(world: World) -> None:
    assert world.run(world.second)["action"] == "none"
    assert world.run(world.second, check_mode=True)["changed"]
    missing = world.adopt()
    assert missing["failed"]
    assert "There is no copy" in missing["msg"]
    assert not world.second.exists()


@pytest.mark.parametrize("state", ["present", "adopted", "absent"])
def test_somebody_elses_is_left_alone(world: World, state: str) -> None:
    world.secrets.create_secret(Name=NAME, SecretString="theirs")
    refused = world.run(state=state)
    assert refused["failed"]
    assert "does not have the tag orthweb:stack=orthweb" in refused["msg"]
    assert world.secrets.get_secret_value(SecretId=NAME)["SecretString"] == "theirs"


@pytest.mark.parametrize("state", ["present", "adopted"])
@pytest.mark.parametrize("spoilt", ["only by hand", '{"format": 1, "sha256": "0", "bytes": 3, "parts": 1}\nx'])
def test_what_was_changed_by_hand_is_named_and_not_shown(world: World, state: str, spoilt: str) -> None:
    world.run()
    world.secrets.put_secret_value(SecretId=NAME, SecretString=spoilt)
    refused = world.run(state=state, **({"path": str(world.second)} if state == "adopted" else {}))
    assert refused["failed"]
    if state == "present" and spoilt.startswith("{"):
        assert "Another controller has written" in refused["msg"]
    else:
        assert "was changed by hand" in refused["msg"]
        assert "delete-secret" in refused["msg"]
    assert "only by hand" not in refused["msg"]
    assert not world.second.exists()


def test_a_scheduled_deletion_is_taken_back(world: World) -> None:
    world.run()
    world.secrets.delete_secret(SecretId=NAME, RecoveryWindowInDays=7)
    assert world.adopt(check_mode=True)["changed"]
    assert world.run(check_mode=True)["changed"]
    assert "DeletedDate" in world.secrets.describe_secret(SecretId=NAME)
    assert world.adopt()["changed"]
    assert folder.read(world.second) == folder.read(world.first)
    world.secrets.delete_secret(SecretId=NAME, RecoveryWindowInDays=7)
    assert world.run()["changed"]
    assert world.run()["changed"] is False


def test_what_is_too_large_for_one_is_in_several(world: World) -> None:
    (world.first / "pki" / "issued").mkdir()
    for number in range(30):
        (world.first / "pki" / "issued" / f"{number}.crt").write_bytes(os.urandom(4000))
    world.run()
    assert world.names() == [NAME, f"{NAME}-2", f"{NAME}-3"]
    assert world.run()["changed"] is False
    world.adopt()
    assert folder.read(world.second) == folder.read(world.first)
    for name in world.names():
        assert len(world.secrets.get_secret_value(SecretId=name)["SecretBinary"]) <= 48000
    # A part that goes is made again by whoever has the folder, and missed by whoever has not.
    world.secrets.delete_secret(SecretId=f"{NAME}-3", ForceDeleteWithoutRecovery=True)
    shutil.rmtree(world.second)
    assert f"its part {NAME}-3 is not there" in world.adopt()["msg"]
    assert not world.second.exists()
    assert world.run()["changed"]
    assert world.adopt()["changed"]
    # It shrinks, and all of it goes.
    shutil.rmtree(world.first / "pki" / "issued")
    assert world.run()["changed"]
    assert world.adopt()["changed"]
    assert folder.read(world.second) == folder.read(world.first)
    assert world.run(state="absent", check_mode=True)["changed"]
    assert world.names()
    assert world.run(state="absent")["changed"]
    assert world.names() == []
    assert world.run(state="absent")["changed"] is False


def test_a_half_written_state_is_not_adopted(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    (world.first / "pki" / "large").write_bytes(os.urandom(60_000))
    world.run()
    before = folder.read(world.first)
    (world.first / "pki" / "large").write_bytes(os.urandom(60_000))
    put = controller_copy.AccountCopy._put

    def killed(self: Any, number: int, *more: Any) -> None:
        if number == 1:
            raise OSError(5, "the power went off")
        put(self, number, *more)

    monkeypatch.setattr(controller_copy.AccountCopy, "_put", killed)
    assert world.run()["failed"]
    world.adopt()
    assert folder.read(world.second) == before
    monkeypatch.undo()


def test_of_two_at_the_same_time_one_is_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.run()
    world.adopt()
    world.write("secrets.json", "of the first")
    world.write("secrets.json", "of the second", world.second)
    put = controller_copy.AccountCopy._put

    def second_comes_first(self: Any, *arguments: Any) -> None:
        put(self, *arguments)
        monkeypatch.setattr(controller_copy.AccountCopy, "_put", put)
        module_answer = controller_copy.AccountCopy(self.client, NAME, None, {})
        module_answer.write(archive.pack(folder.read(world.second)), module_answer.current().version)

    monkeypatch.setattr(controller_copy.AccountCopy, "_put", second_comes_first)
    refused = world.run()
    assert refused["failed"]
    assert "at the same time" in refused["msg"]
    third = world.second.parent / "third"
    world.adopt(third)
    assert (third / "secrets.json").read_text() == "of the second"


def test_a_link_in_the_folder_is_refused(world: World) -> None:
    (world.first / "pki" / "x").symlink_to("/etc/passwd")
    assert "symbolic link" in world.run()["msg"]
    assert world.names() == []


def client_error(code: str, message: str = "") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "Call")


def test_an_answer_that_was_lost_is_no_conflict(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """boto3 sends the call again, and AWS says that the label is where it was to go."""
    world.run()
    monkeypatch.setattr(world.secrets, "update_secret_version_stage", twice(world.secrets.update_secret_version_stage))
    copy = controller_copy.AccountCopy(world.secrets, NAME, None, TAGS)
    version = copy.write(archive.pack({"x": archive.Entry(0o600, b"x")}), copy.current().version)
    assert copy.current().version == version


def twice(call: Callable[..., Any]) -> Callable[..., Any]:
    def called(**options: Any) -> Any:
        call(**options)
        return call(**options)

    return called


def test_a_name_that_is_not_free_yet_is_waited_for(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    create, waited = world.secrets.create_secret, []

    def not_yet(**options: Any) -> Any:
        if len(waited) < 3:
            raise client_error("InvalidRequestException", "a secret with this name is already scheduled for deletion")
        return create(**options)

    monkeypatch.setattr(world.secrets, "create_secret", not_yet)
    controller_copy.AccountCopy(world.secrets, NAME, None, TAGS, waited.append).write(archive.pack({}), "")
    assert (waited, world.names()) == ([5, 5, 5], [NAME])


@pytest.mark.parametrize("code", ["InvalidRequestException", "AccessDeniedException"])
def test_nothing_else_is_waited_for(world: World, monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    def refused(**_options: Any) -> Any:
        raise client_error(code, "no")

    monkeypatch.setattr(world.secrets, "create_secret", refused)
    with pytest.raises(ClientError, match="no"):
        controller_copy.AccountCopy(world.secrets, NAME, None, TAGS, pytest.fail).write(archive.pack({}), "")
