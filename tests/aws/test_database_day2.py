# SPDX-License-Identifier: GPL-3.0-or-later
"""A database after its first day: storage that grows, parameters that wait for a restart, another major version."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from support.aws import given
from support.aws.account import Account, Run, role
from support.aws.given import OURS
from support.aws.life import RANGES

ROLE = "aws_database"
PARAMETERS = {"rds.force_ssl": "1", "log_statement": "none", "max_connections": "200"}


SURVEY, LOOK = role("aws_survey"), role("aws_survey", "look")
# As provision.yml and configure.yml have them, without hosts in between.
NEEDS = role(ROLE, "needs")
DEPLOY = [NEEDS, SURVEY, role(ROLE, "request"), role(ROLE, "wait")]


class Day2:
    """An account with a network and a key, in which each run goes on where the one before it ended."""

    def __init__(self, account: Account) -> None:
        self.account, self.rds = account, account.client("rds")
        network = given.network(account)
        group = account.client("ec2").create_security_group(
            GroupName="theirs", Description="theirs", VpcId=network["orthweb_vpc_id"]
        )
        self.variables = {
            **RANGES,
            **network,
            "aws_database_subnets": network["orthweb_private_subnet_ids"],
            "aws_database_security_group": group["GroupId"],
            "aws_database_kms_key": account.client("kms").create_key()["KeyMetadata"]["Arn"],
            "aws_database_parameters": PARAMETERS,
            "aws_database_poll_seconds": 0.2,
            "aws_database_wait_seconds": 4,
            "orthweb_rds_engine_version": "16",
        }

    def run(self, *tasks: dict[str, Any], arguments: tuple[str, ...] = (), **variables: Any) -> Run:
        return self.account.play_tasks(list(tasks) or DEPLOY, *arguments, **{**self.variables, **variables})

    @property
    def database(self) -> dict[str, Any]:
        (found,) = self.account.every("rds", "describe_db_instances", "DBInstances")
        return found

    @property
    def in_force(self) -> str:
        (group,) = self.database["DBParameterGroups"]
        return f"{group['DBParameterGroupName']} {group['ParameterApplyStatus']}"


@pytest.fixture(scope="module")
def day2(account: Account) -> Day2:
    account.reset()
    day2 = Day2(account)
    account.post("/rehearsal/settings", {"database_seconds": 0.5})
    day2.run().ok()
    assert day2.in_force == "orthweb-postgres16 in-sync"
    account.post("/rehearsal/settings", {"storage_seconds": 3600})
    return day2


@pytest.fixture(scope="module")
def grown(day2: Day2) -> Run:
    """Over 400 GiB, which RDS then works on for hours; after somebody has looked for a fault and left traces."""
    values = {"log_statement": ("all", "immediate"), "max_connections": ("100", "pending-reboot")}
    by_hand = [
        {"ParameterName": name, "ParameterValue": value, "ApplyMethod": method}
        for name, (value, method) in values.items()
    ]
    day2.rds.modify_db_parameter_group(DBParameterGroupName="orthweb-postgres16", Parameters=by_hand)
    return day2.run(aws_database_storage_gb=500, aws_database_storage_limit_gb=1000).ok()


def test_storage_has_what_belongs_to_its_size(grown: Run, day2: Day2) -> None:
    found = day2.database
    size = (found["AllocatedStorage"], found["Iops"], found["StorageThroughput"], found["MaxAllocatedStorage"])
    assert size == (500, 12000, 500, 1000)


def test_no_run_waits_for_what_takes_hours(grown: Run, day2: Day2) -> None:
    assert day2.database["DBInstanceStatus"] == "storage-optimization"


def test_what_was_changed_by_hand_is_in_force_again_at_once(grown: Run, day2: Day2) -> None:
    """max_connections has the value again that it never ceased to work with."""
    assert day2.in_force == "orthweb-postgres16 in-sync"
    assert "not in force" not in grown.message


STATIC = {
    "aws_database_parameters": {**PARAMETERS, "max_connections": "300"},
    "aws_database_storage_gb": 600,
    "aws_database_storage_limit_gb": 1000,
}


@pytest.fixture(scope="module")
def static(grown: Run, day2: Day2) -> Run:
    return day2.run(**STATIC).ok()


def test_a_static_parameter_waits_for_a_restart_and_that_is_said(static: Run, day2: Day2) -> None:
    assert day2.in_force == "orthweb-postgres16 pending-reboot"
    assert "The parameter group orthweb-postgres16 has values that are not in force" in static.output
    assert "-e aws_database_reboot=true" in static.output


def test_storage_is_let_alone_while_rds_is_busy_with_it(static: Run, day2: Day2) -> None:
    assert day2.database["AllocatedStorage"] == 500
    assert 'the database is "storage-optimization": RDS is busy' in static.message


def test_a_restart_that_a_person_asked_for_brings_it_into_force(static: Run, day2: Day2) -> None:
    rebooted = day2.run(**STATIC, aws_database_reboot=True).ok()
    # And nothing else is written in a second run.
    assert rebooted.writes == ["rds:RebootDBInstance"]
    assert day2.in_force == "orthweb-postgres16 in-sync"
    assert "not in force" not in rebooted.message


def passwords(day2: Day2) -> dict[str, str]:
    client = day2.account.client("secretsmanager")
    names = ("orthweb/database-master", "orthweb/database-orthanc")
    return {name: json.loads(client.get_secret_value(SecretId=name)["SecretString"])["password"] for name in names}


def test_new_passwords_are_in_secrets_manager_before_rds_has_them(static: Run, day2: Day2) -> None:
    before = passwords(day2)
    rotated = day2.run(**{**STATIC, "aws_database_storage_gb": 500}, orthweb_new_database_passwords=True).ok()
    assert rotated.writes == ["secretsmanager:UpdateSecret", "secretsmanager:UpdateSecret", "rds:ModifyDBInstance"]
    assert not set(before.values()) & set(passwords(day2).values())


def test_no_password_is_made_that_rds_would_not_take(static: Run, day2: Day2) -> None:
    before, busy = passwords(day2), {"id": "orthweb", "state": "backing-up", "tags": {}}
    check = [NEEDS, SURVEY, role(ROLE, "check"), role(ROLE, "request")]
    refused = day2.run(*check, **STATIC, orthweb_new_database_passwords=True, __aws_database_there=busy).failed()
    assert 'The database orthweb is "backing-up", and RDS sets no password now' in refused.message
    assert refused.writes == []
    assert passwords(day2) == before


def test_a_change_that_rds_refuses_for_six_hours_is_put_off(static: Run, account: Account, day2: Day2) -> None:
    """The database is "available" by now, so nothing but the refusal tells."""
    account.post("/rehearsal/settings", {"storage_again_seconds": 6 * 3600})
    day2.rds.reboot_db_instance(DBInstanceIdentifier="orthweb")
    assert day2.database["DBInstanceStatus"] == "available"
    run = day2.run(role(ROLE, "storage"), **STATIC).ok()
    assert "Try again after approximately 6 hours" in run.message
    assert "Run the playbook again then" in run.message
    assert (run.changes, day2.database["AllocatedStorage"]) == ([], 500)
    account.post("/rehearsal/settings", {"storage_again_seconds": 0})


def test_full_storage_is_enlarged_and_waited_for(static: Run, account: Account, day2: Day2) -> None:
    """Before anything else is changed, which RDS would refuse. It goes on saying "storage-full" until it has begun."""
    account.post("/rehearsal/settings", {"database_ends_in": "storage-full"})
    day2.rds.reboot_db_instance(DBInstanceIdentifier="orthweb")
    assert day2.database["DBInstanceStatus"] == "storage-full"
    account.post("/rehearsal/settings", {"database_ends_in": "available", "change_begins_seconds": 3})
    day2.run(LOOK, role(ROLE, "request"), role(ROLE, "wait"), **STATIC, aws_database_backup_days=9).ok()
    assert (day2.database["AllocatedStorage"], day2.database["DBInstanceStatus"]) == (600, "storage-optimization")
    assert day2.database["BackupRetentionPeriod"] == 9


UPGRADE = {
    "orthweb_rds_engine_version": "17",
    "aws_database_storage_gb": 500,
    "aws_database_storage_limit_gb": 1000,
}


@pytest.mark.long
def test_a_major_upgrade_takes_an_agreement(static: Run, account: Account, day2: Day2) -> None:
    account.post("/rehearsal/settings", {"storage_seconds": 0})
    day2.rds.reboot_db_instance(DBInstanceIdentifier="orthweb")
    refused = day2.run(NEEDS, SURVEY, **UPGRADE).failed()
    assert "the database orthweb runs PostgreSQL 16.10" in refused.message
    assert "add -e orthweb_rds_major_upgrade=17" in refused.message


@pytest.mark.long
def test_a_major_upgrade_can_be_planned(day2: Day2) -> None:
    planned = day2.run(arguments=("--check",), **UPGRADE, orthweb_rds_major_upgrade="17").ok()
    assert planned.writes == []
    assert "upgrade | Upgrade PostgreSQL to another major version" in planned.changes


@pytest.mark.long
def test_an_upgrade_that_rds_gives_up_ends_the_run(account: Account, day2: Day2) -> None:
    """RDS is "available" again as if nothing had been; and before that, for a moment, as if nothing were to come."""
    account.post("/rehearsal/settings", {"change_begins_seconds": 3, "upgrade_fails": True})
    group = {"DBParameterGroupName": "orthweb-postgres17"}
    day2.rds.create_db_parameter_group(**group, DBParameterGroupFamily="postgres17", Description="ours", Tags=OURS)
    run = day2.run(LOOK, role(ROLE, "upgrade"), role(ROLE, "wait"), **UPGRADE).failed()
    assert "RDS did not upgrade the database orthweb to PostgreSQL 17" in run.message
    assert 'it is "available" and runs 16.10 as before' in run.message
    assert "aws rds describe-events --source-type db-instance --source-identifier orthweb" in run.message
    (snapshot,) = day2.account.every("rds", "describe_db_snapshots", "DBSnapshots", SnapshotType="manual")
    day2.rds.delete_db_snapshot(DBSnapshotIdentifier=snapshot["DBSnapshotIdentifier"])
    day2.rds.delete_db_parameter_group(**group)
    account.post("/rehearsal/settings", {"upgrade_fails": False})


@pytest.mark.long
def test_a_major_upgrade_has_a_snapshot_first_and_the_parameters_of_its_version(day2: Day2) -> None:
    run = day2.run(**UPGRADE, orthweb_rds_major_upgrade="17").ok()
    (snapshot,) = day2.account.every("rds", "describe_db_snapshots", "DBSnapshots", SnapshotType="manual")
    assert re.fullmatch(r"orthweb-before-17-\d{14}", snapshot["DBSnapshotIdentifier"])
    assert (snapshot["Status"], snapshot["EngineVersion"]) == ("available", "16.10")
    assert OURS[0] in snapshot["TagList"]
    assert [each for each in run.writes if "Snapshot" in each or "DBInstance" in each] == [
        "rds:CreateDBSnapshot",
        "rds:ModifyDBInstance",
    ]
    assert (day2.database["EngineVersion"], day2.in_force) == ("17.6", "orthweb-postgres17 in-sync")
    assert f"The database as it was is in the snapshot {snapshot['DBSnapshotIdentifier']}" in run.message


SOON = {"aws_database_wait_seconds": 2, "aws_database_poll_seconds": 1}
ABSENT = role(ROLE, "absent")


@pytest.mark.long
def test_a_version_that_rds_has_withdrawn_can_be_upgraded(account: Account) -> None:
    account.reset()
    given.database(account, version="16.1")
    is_known = "aws_survey_stack.resources.db_instances[0].upgrades | selectattr('major') | length > 0"
    account.play_tasks([LOOK, {"ansible.builtin.assert": {"that": is_known}}]).ok()


def test_check_mode_waits_for_nothing(account: Account) -> None:
    """Not for a database that is being made, nor at a teardown for what RDS is busy with."""
    account.reset()
    account.play_tasks([LOOK, role(ROLE, "wait")], "--check", **SOON).ok()  # of an empty account
    account.post("/rehearsal/settings", {"database_seconds": 3600})
    given.database(account)
    run = account.play_tasks([LOOK, role(ROLE, "wait"), ABSENT], "--check", **SOON).ok()
    assert run.writes == []


def test_a_teardown_does_not_wait_for_what_takes_hours(account: Account) -> None:
    account.reset()
    account.post("/rehearsal/settings", {"storage_seconds": 3600})
    given.database(account, StorageType="gp3")
    rds = account.client("rds")
    rds.modify_db_instance(DBInstanceIdentifier="orthweb", AllocatedStorage=100, ApplyImmediately=True)
    (database,) = rds.describe_db_instances()["DBInstances"]
    assert database["DBInstanceStatus"] == "storage-optimization"
    run = account.play_tasks([LOOK, ABSENT], **SOON).ok()
    assert run.writes == ["rds:DeleteDBInstance"]
