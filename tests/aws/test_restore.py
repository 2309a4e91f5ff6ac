# SPDX-License-Identifier: GPL-3.0-or-later
"""A database from a snapshot, or from a moment of another one. What is in it is compared in the rehearsal."""

from __future__ import annotations

from typing import Any

import pytest

from support.aws import given
from support.aws.account import REGION, Account, Run, role
from support.aws.life import RANGES

SNAPSHOT = {"aws_database_snapshot": "before", "aws_database_master_user": "somebody"}


@pytest.fixture(scope="module")
def key(account: Account) -> str:
    """Of another stack's database and its snapshot."""
    key = account.client("kms").create_key()["KeyMetadata"]["Arn"]
    tags = [{"Key": "orthweb:stack", "Value": "other"}]
    given.database(account, tags, "other", StorageEncrypted=True, KmsKeyId=key, BackupRetentionPeriod=3)
    account.client("rds").describe_db_instances()
    account.client("rds").create_db_snapshot(DBInstanceIdentifier="other", DBSnapshotIdentifier="before")
    return key


def tags(database: dict[str, Any]) -> dict[str, str]:
    return {each["Key"]: each["Value"] for each in database["TagList"]}


class TestRefused:
    """Before anything is made. What else there is to refuse: tests/unit/plugins/module_utils/aws/test_restore.py."""

    def test_what_can_be_wrong_with_a_snapshot(self, account: Account, key: str) -> None:
        run = account.play(
            "provision", **RANGES, aws_database_snapshot="before", orthweb_rds_engine_version="16"
        ).failed()
        assert 'The database "orthweb" cannot be restored.' in run.message
        assert "set orthweb_rds_engine_version: 17" in run.message
        assert "set aws_database_master_user: somebody" in run.message
        assert run.writes == []

    def test_a_moment_of_nothing(self, account: Account, key: str) -> None:
        run = account.play("provision", **RANGES, aws_database_restore_time="latest").failed()
        assert "Give either aws_database_snapshot, or both aws_database_restore_from" in run.message
        assert run.writes == []


class TestFromASnapshot:
    @pytest.fixture(scope="class")
    @classmethod
    def run(cls, account: Account, key: str) -> Run:
        return account.play("provision", **RANGES, **SNAPSHOT).ok()

    @pytest.fixture(scope="class")
    @classmethod
    def database(cls, account: Account, run: Run) -> dict[str, Any]:
        """As it was requested."""
        return account.client("rds").describe_db_instances(DBInstanceIdentifier="orthweb")["DBInstances"][0]

    def test_it_is_as_safe_as_a_new_one_from_the_beginning(self, database: dict[str, Any], key: str) -> None:
        assert database["DeletionProtection"]
        assert database["PubliclyAccessible"] is False
        assert database["KmsKeyId"] == key, "that of the snapshot"
        assert [each["DBParameterGroupName"] for each in database["DBParameterGroups"]] == ["orthweb-postgres17"]
        assert database["DBSubnetGroup"]["DBSubnetGroupName"] == "orthweb"
        assert tags(database)["orthweb:stack"] == "orthweb"
        assert tags(database)["orthweb:restoring"] == "snapshot before"

    def test_nothing_is_restored_over_it(self, account: Account, run: Run) -> None:
        moment = {"aws_database_restore_from": "other", "aws_database_restore_time": "latest"}
        again = account.play("provision", **RANGES, **moment).failed()
        assert "The stack orthweb has a database already, restored from snapshot before." in again.message
        assert "To restore other@latest beside it, choose another stack" in again.message
        assert again.writes == []


COPY = [role("aws_database", "copies")]
COPIES = {"aws_database_copy_region": "eu-west-1", "aws_database_copy_days": 14}
CHECK = [role("aws_database", "check")]


def test_a_region_that_rds_does_not_copy_to_is_refused_before_anything_is_made(account: Account) -> None:
    survey = {
        "aws_survey_account": {"id": "123456789012", "partition": "aws", "region": REGION},
        "aws_survey_stack": {"resources": {"db_instances": []}},
    }
    run = account.play_tasks(CHECK, **survey, aws_database_copy_region="af-south-1").failed()
    assert "RDS does not copy automated backups from us-east-1 to af-south-1" in run.message
    assert "only from eu-central-1, eu-west-1, eu-west-2." in run.message
    account.play_tasks(CHECK, **survey, **COPIES).ok()


@pytest.fixture(scope="module")
def copies(account: Account) -> list[dict[str, Any]]:
    """In another region, of a database of its own."""
    account.reset()
    key = account.client("kms").create_key()["KeyMetadata"]["Arn"]
    given.database(account, StorageEncrypted=True, KmsKeyId=key, BackupRetentionPeriod=3)
    run = account.play_tasks(COPY, **COPIES).ok()
    assert "rds:StartDBInstanceAutomatedBackupsReplication" in run.writes
    return account.client("rds", "eu-west-1").describe_db_instance_automated_backups()["DBInstanceAutomatedBackups"]


def test_copies_in_another_region_have_a_key_of_their_own_there(copies: list[dict[str, Any]]) -> None:
    (one,) = copies
    assert one["KmsKeyId"].startswith("arn:aws:kms:eu-west-1:")
    assert one["BackupRetentionPeriod"] == 14
    assert {"Key": "orthweb:stack", "Value": "orthweb"} in one["TagList"]


def test_copies_are_asked_for_once(account: Account, copies: list[dict[str, Any]]) -> None:
    again = account.play_tasks(COPY, **COPIES).ok()
    assert again.writes == []


def test_a_database_is_made_from_them(account: Account, copies: list[dict[str, Any]]) -> None:
    (one,) = copies
    assert ":auto-backup:" in one["DBInstanceAutomatedBackupsArn"]
    wanted = {
        "region": "eu-west-1",
        "db_instance_identifier": "orthweb",
        "source_db_instance_identifier": one["DBInstanceAutomatedBackupsArn"],
        "restore_time": "latest",
        "engine_version": "17",
        "master_username": "somebody",
    }
    account.play_tasks([{"cellcs.orthweb.rds_instance_restore": wanted}]).ok()
    (made,) = account.client("rds", "eu-west-1").describe_db_instances()["DBInstances"]
    assert made["KmsKeyId"] == one["KmsKeyId"]
    assert made["DeletionProtection"]
