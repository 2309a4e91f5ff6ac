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


def test_those_of_rds_go_with_the_stack(lifecycle: Lifecycle) -> None:
    lifecycle.gone.run.ok()
    assert [each["logGroupName"] for each in lifecycle.gone.raw["log_groups"]] == ["/orthweb/orthweb/audit"]


def test_the_simulation_refuses_a_key_that_is_not_for_logs(lifecycle: Lifecycle) -> None:
    lifecycle.created.run.ok()
    kms, logs = (lifecycle.account.client(each) for each in ("kms", "logs"))
    key = kms.create_key()["KeyMetadata"]["Arn"]
    with pytest.raises(logs.exceptions.InvalidParameterException):
        logs.create_log_group(logGroupName="unreadable", kmsKeyId=key)
    kms.schedule_key_deletion(KeyId=key)
