# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups by AWS Backup, from the plan to a database that is made from one, and what a teardown leaves of them."""

from __future__ import annotations

from typing import Any

import pytest

from support.aws import given
from support.aws.account import REGION, Account, Run, role
from support.aws.given import OURS
from support.aws.life import RANGES

ACCOUNT, OTHER = "123456789012", "210987654321"
pytestmark = pytest.mark.long

TASKS = [
    role("aws_database", "needs"),
    role("aws_backup", "needs"),
    role("aws_survey"),
    role("aws_encryption"),
    role("aws_backup"),
]
PLAN = {
    "aws_backup_plan": True,
    "aws_backup_copy_to": f"arn:aws:backup:{REGION}:{OTHER}:backup-vault:copies",
    "aws_backup_copy_days": 90,
}
NAME, ROLE = "orthweb-backup", f"orthweb_{REGION}-backup"
DATABASE = f"arn:aws:rds:{REGION}:{ACCOUNT}:db:orthweb"


def kept(account: Account, *arguments: str, **variables: Any) -> Run:
    return account.play_tasks(TASKS, *arguments, **{**RANGES, **PLAN, **variables}).ok()


def key(account: Account) -> dict[str, Any]:
    found: dict[str, Any] = account.client("kms").describe_key(KeyId="alias/orthweb")["KeyMetadata"]
    return found


def rule(account: Account) -> dict[str, Any]:
    backup = account.client("backup")
    (plan,) = backup.list_backup_plans()["BackupPlansList"]
    (found,) = backup.get_backup_plan(BackupPlanId=plan["BackupPlanId"])["BackupPlan"]["Rules"]
    return dict(found)


@pytest.fixture(scope="module")
def planned(account: Account) -> Run:
    return kept(account)


def test_check_of_an_empty_account_writes_nothing_and_names_all(account: Account) -> None:
    run = kept(account, "--check", "--diff")
    assert run.writes == []
    assert {
        "plan | Make the role of AWS Backup",
        "plan | Make the vault",
        "plan | Make the plan",
        "plan | Announce what the plan backs up",
    } <= set(run.changes)


def test_the_plan_backs_up_the_database_and_nothing_else(account: Account, planned: Run) -> None:
    backup = account.client("backup")
    (plan,) = backup.list_backup_plans()["BackupPlansList"]
    assert backup.list_tags(ResourceArn=plan["BackupPlanArn"])["Tags"] == {"orthweb:stack": "orthweb"}
    found = rule(account)
    wanted = {"TargetBackupVaultName": NAME, "ScheduleExpression": "cron(0 6 ? * * *)"}
    assert {name: found[name] for name in wanted} == wanted
    assert found["Lifecycle"] == {"DeleteAfterDays": 35}
    copy = {"DestinationBackupVaultArn": PLAN["aws_backup_copy_to"], "Lifecycle": {"DeleteAfterDays": 90}}
    assert found["CopyActions"] == [copy]
    assert not found["EnableContinuousBackup"], "or AWS Backup would take RDS's own backups over"
    (listed,) = backup.list_backup_selections(BackupPlanId=plan["BackupPlanId"])["BackupSelectionsList"]
    which = {name: listed[name] for name in ("BackupPlanId", "SelectionId")}
    selection = backup.get_backup_selection(**which)["BackupSelection"]
    assert (selection["Resources"], selection["ListOfTags"]) == ([DATABASE], [])
    assert selection["IamRoleArn"] == f"arn:aws:iam::{ACCOUNT}:role/{ROLE}"
    vault = backup.describe_backup_vault(BackupVaultName=NAME)
    assert vault["EncryptionKeyArn"] == key(account)["Arn"]


def test_its_role_can_back_up_and_not_restore(account: Account, planned: Run) -> None:
    iam = account.client("iam")
    attached = iam.list_attached_role_policies(RoleName=ROLE)["AttachedPolicies"]
    assert [each["PolicyName"] for each in attached] == ["AWSBackupServiceRolePolicyForBackup"]
    (trust,) = iam.get_role(RoleName=ROLE)["Role"]["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": "backup.amazonaws.com"}


def test_a_new_key_lets_the_account_of_the_copies_read_them(account: Account, planned: Run) -> None:
    policy = account.client("kms").get_key_policy(KeyId=key(account)["KeyId"], PolicyName="default")["Policy"]
    assert f"arn:aws:iam::{OTHER}:root" in policy


def test_a_further_run_writes_nothing(account: Account, planned: Run) -> None:
    assert kept(account).writes == []


def test_an_account_that_an_older_key_does_not_know_is_refused(account: Account, planned: Run) -> None:
    to = f"arn:aws:backup:{REGION}:333333333333:backup-vault:copies"
    run = account.play_tasks(TASKS, **{**RANGES, **PLAN, "aws_backup_copy_to": to}).failed()
    assert "does not let that account use it" in run.message
    assert run.writes == []


@pytest.fixture(scope="module")
def backed_up(account: Account, planned: Run) -> str:
    """The name of a backup, as the plan would make it."""
    given.database(account, StorageEncrypted=True, KmsKeyId=key(account)["Arn"])
    who = f"arn:aws:iam::{ACCOUNT}:role/{ROLE}"
    job = account.client("backup").start_backup_job(BackupVaultName=NAME, ResourceArn=DATABASE, IamRoleArn=who)
    return str(job["RecoveryPointArn"]).partition(":snapshot:")[2]


def test_a_database_is_made_from_a_backup(account: Account, backed_up: str) -> None:
    assert backed_up.startswith("awsbackup:job-")
    wanted = {
        "db_instance_identifier": "clinic-2",
        "db_snapshot_identifier": backed_up,
        "engine_version": "17",
        "master_username": "somebody",
    }
    account.play_tasks([{"cellcs.orthweb.rds_instance_restore": wanted}], orthweb_stack="clinic-2").ok()
    (made,) = account.client("rds").describe_db_instances(DBInstanceIdentifier="clinic-2")["DBInstances"]
    assert made["KmsKeyId"] == key(account)["Arn"]
    assert made["DeletionProtection"]
    account.client("rds").modify_db_instance(DBInstanceIdentifier="clinic-2", DeletionProtection=False)
    account.client("rds").delete_db_instance(DBInstanceIdentifier="clinic-2", SkipFinalSnapshot=True)


class TestTeardown:
    @pytest.fixture(scope="class")
    @classmethod
    def run(cls, account: Account, backed_up: str) -> Run:
        folder = account.state / "orthweb"
        folder.mkdir(parents=True, exist_ok=True)
        return account.teardown(orthweb_rds_final_snapshot=False, **PLAN).ok()

    def test_leaves_the_backups_with_their_vault_key_and_folder(
        self, account: Account, run: Run, backed_up: str
    ) -> None:
        assert f"The backup vault {NAME} is kept, with the backups of the database in it (1)." in run.message
        assert f"without it, {backed_up} could no longer be read" in run.message
        assert key(account)["KeyState"] == "Enabled"
        assert (account.state / "orthweb").exists()

    def test_takes_plan_and_role(self, account: Account, run: Run) -> None:
        assert account.client("backup").list_backup_plans()["BackupPlansList"] == []
        roles = account.every("iam", "list_roles", "Roles")
        assert ROLE not in {each["RoleName"] for each in roles}
        assert OURS not in [account.client("iam").list_role_tags(RoleName=each["RoleName"])["Tags"] for each in roles]

    def test_takes_the_vault_and_the_key_when_it_is_empty(self, account: Account, run: Run, backed_up: str) -> None:
        arn = f"arn:aws:rds:{REGION}:{ACCOUNT}:snapshot:{backed_up}"
        account.client("backup").delete_recovery_point(BackupVaultName=NAME, RecoveryPointArn=arn)
        account.teardown(**PLAN).ok()
        assert account.client("backup").list_backup_vaults()["BackupVaultList"] == []
        assert key(account)["KeyState"] == "PendingDeletion"
