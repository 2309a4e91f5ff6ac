# SPDX-License-Identifier: GPL-3.0-or-later
"""Log groups in a stack's life: encrypted with its key, kept for a time, and those of RDS among them."""

from __future__ import annotations

import pytest

from support.aws.life import Lifecycle, Step

OF_RDS = "/aws/rds/instance/orthweb"
DAYS = {
    "/orthweb/orthweb/flow-logs": 90,
    "/orthweb/orthweb/audit": 3653,
    f"{OF_RDS}/postgresql": 90,
    f"{OF_RDS}/upgrade": 90,
}


def as_made(step: Step) -> None:
    step.run.ok()
    groups = {each["logGroupName"]: each for each in step.raw["log_groups"]}
    assert {name: each["retentionInDays"] for name, each in groups.items()} == DAYS
    assert {each["kmsKeyId"] for each in groups.values()} == {step.more["key"]["Arn"]}
    (database,) = step.raw["db_instances"]
    assert sorted(database["EnabledCloudwatchLogsExports"]) == ["postgresql", "upgrade"]


def test_they_are_encrypted_and_not_kept_for_ever(lifecycle: Lifecycle) -> None:
    as_made(lifecycle.created)


def test_they_are_there_before_rds_would_make_them(lifecycle: Lifecycle) -> None:
    """Without tag, key and end."""
    changes = lifecycle.created.run.ok().changes
    made = changes.index("log_groups | Make the log groups of the database")
    assert made < changes.index("instance | Request RDS PostgreSQL")


def test_what_somebody_changed_is_put_right(lifecycle: Lifecycle) -> None:
    as_made(lifecycle.fixed)


def test_one_with_a_key_of_its_own_keeps_it(lifecycle: Lifecycle) -> None:
    """The task names those that have none."""
    lifecycle.again.run.ok()
    kms, logs = (lifecycle.account.client(each) for each in ("kms", "logs"))
    arn = lifecycle.created.more["key"]["Arn"]
    theirs = kms.create_key(Policy=kms.get_key_policy(KeyId=arn, PolicyName="default")["Policy"])["KeyMetadata"]["Arn"]
    for name, key in (("/orthweb/own/key", {"kmsKeyId": theirs}), ("/orthweb/own/bare", {})):
        logs.create_log_group(logGroupName=name, **key)
    names = ["/orthweb/own/key", "/orthweb/own/bare", "/orthweb/own/none"]
    give = {"cellcs.orthweb.cloudwatchlogs_log_group_key": {"log_group_names": names, "kms_key_id": arn}}
    lifecycle.account.play_tasks([give, {**give, "failed_when": "given is changed", "register": "given"}]).ok()
    there = logs.describe_log_groups(logGroupNamePrefix="/orthweb/own/")["logGroups"]
    for name in (each["logGroupName"] for each in there):
        logs.delete_log_group(logGroupName=name)
    kms.schedule_key_deletion(KeyId=theirs)
    assert {each["logGroupName"]: each["kmsKeyId"] for each in there} == {names[0]: theirs, names[1]: arn}


def test_those_of_rds_go_with_the_stack(lifecycle: Lifecycle) -> None:
    lifecycle.gone.run.ok()
    assert [each["logGroupName"] for each in lifecycle.gone.raw["log_groups"]] == ["/orthweb/orthweb/audit"]


def test_the_simulation_refuses_a_key_that_is_not_for_logs(lifecycle: Lifecycle) -> None:
    lifecycle.created.run.ok()
    kms, logs = (lifecycle.account.client(each) for each in ("kms", "logs"))
    key = kms.create_key()["KeyMetadata"]["Arn"]
    with pytest.raises(logs.exceptions.InvalidParameterException):
        logs.create_log_group(logGroupName="unreadable", kmsKeyId=key)
    logs.create_log_group(logGroupName="readable")
    with pytest.raises(logs.exceptions.InvalidParameterException):
        logs.associate_kms_key(logGroupName="readable", kmsKeyId=key)
    logs.delete_log_group(logGroupName="readable")
    with pytest.raises(logs.exceptions.ResourceNotFoundException):
        logs.associate_kms_key(logGroupName="nowhere", kmsKeyId=key)
    kms.schedule_key_deletion(KeyId=key)
