# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups by AWS Backup: what is refused before anything is made."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.cellcs.orthweb.plugins.module_utils.aws import key_policy
from ansible_collections.cellcs.orthweb.plugins.plugin_utils.aws_checks.backup import backup_problems, key_statements

ACCOUNT, OTHER, REGION = "123456789012", "210987654321", "eu-central-1"
RIGHT = {
    "plan": True,
    "database": True,
    "schedule": "cron(0 6 ? * * *)",
    "days": 35,
    "copy_to": "",
    "copy_days": 35,
}
LOCKED = {"name": "clinic-backup", "locked": True, "min_days": 7, "max_days": 30}
KEY = {"arn": "arn:aws:kms:eu-central-1:123456789012:key/1", "accounts": [ACCOUNT]}


def vault(account: str = OTHER, region: str = REGION, name: str = "copies") -> str:
    return f"arn:aws:backup:{region}:{account}:backup-vault:{name}"


def problems(vaults: Any = (), keys: Any = (), **wanted: Any) -> list[str]:
    return list(backup_problems({**RIGHT, **wanted}, ACCOUNT, REGION, keys, vaults))


@pytest.mark.parametrize(
    "wanted",
    [
        {},
        {"plan": False, "schedule": "never", "days": "none"},
        {"plan": "yes", "days": "36500", "schedule": "cron(15 3,15 ? * MON-FRI *)"},
        {"copy_to": vault()},
        {"copy_to": vault(ACCOUNT, "eu-west-1"), "copy_days": 1},
    ],
)
def test_what_is_right_is_silent(wanted: dict[str, Any]) -> None:
    assert problems(**wanted) == []
    assert list(backup_problems({})) == []


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"plan": False, "copy_to": vault()}, "aws_backup_copy_to is set, but aws_backup_plan is false"),
        ({"database": False}, "aws_backup_plan is true, but orthweb_rds is false"),
        ({"schedule": "0 6 * * *"}, 'aws_backup_schedule is "0 6 * * *": use an expression of AWS with six fields'),
        ({"schedule": "rate(1 day)"}, 'aws_backup_schedule is "rate(1 day)"'),
        ({"days": 0}, "aws_backup_days is 0: use a number of days from 1 to 36500."),
        ({"days": -1}, "aws_backup_days is -1"),
        ({"days": "a year"}, "aws_backup_days is a year"),
        ({"copy_to": vault(), "copy_days": 36501}, "aws_backup_copy_days is 36501"),
        ({"copy_to": OTHER}, f'aws_backup_copy_to is "{OTHER}": use the ARN of a vault of AWS Backup'),
        ({"copy_to": vault(name="x")}, "use the ARN of a vault"),
        ({"copy_to": vault(name="Default")}, "aws_backup_copy_to is the vault Default"),
        ({"copy_to": vault(ACCOUNT)}, "in the account and region of the database: a copy there is lost with it."),
        ({"copy_to": vault(OTHER, "eu-west-1")}, f"to one or the other: choose a vault of {OTHER} in {REGION}."),
    ],
)
def test_what_is_wrong_is_said(wanted: dict[str, Any], said: str) -> None:
    (problem,) = problems(**wanted)
    assert said in problem


def test_what_needs_no_account_is_said_without_one() -> None:
    wanted = {**RIGHT, "days": 0, "copy_to": vault(ACCOUNT)}
    assert list(backup_problems(wanted)) == ["aws_backup_days is 0: use a number of days from 1 to 36500."]


@pytest.mark.parametrize(("days", "refused"), [(6, True), (7, False), (30, False), (31, True)])
def test_the_lock_of_the_vault_limits_the_days(days: int, refused: bool) -> None:
    said = [
        f"aws_backup_days is {days}, but the lock of the backup vault clinic-backup allows 7 to 30 days: AWS Backup "
        "would refuse each backup."
    ]
    assert problems([LOCKED], days=days) == (said if refused else [])
    assert problems([{**LOCKED, "locked": False}], days=days) == []


class TestKey:
    def test_that_the_other_account_must_not_use_is_refused_with_what_to_add(self) -> None:
        (problem,) = problems(keys=[KEY], copy_to=vault())
        assert f"the policy of the KMS key {KEY['arn']} does not let that account use it" in problem
        assert json.loads(problem.partition("put-key-policy): ")[2]) == key_statements([OTHER], "aws")

    def test_with_these_statements_is_accepted(self) -> None:
        accounts = key_policy.accounts({"Statement": key_statements([OTHER], "aws")})
        assert accounts == [OTHER]
        assert problems(keys=[{**KEY, "accounts": accounts}], copy_to=vault()) == []

    def test_is_no_matter_in_the_same_account(self) -> None:
        assert problems(keys=[{**KEY, "accounts": []}], copy_to=vault(ACCOUNT, "eu-west-1")) == []


@pytest.mark.parametrize(
    ("statement", "accounts"),
    [
        ({"Principal": {"AWS": f"arn:aws:iam::{OTHER}:root"}, "Action": "kms:*"}, [OTHER]),
        ({"Principal": {"AWS": [OTHER, ACCOUNT]}, "Action": ["kms:Decrypt"]}, [ACCOUNT, OTHER]),
        ({"Principal": {"AWS": f"arn:aws:iam::{OTHER}:role/one"}, "Action": "kms:*"}, []),
        ({"Principal": {"AWS": OTHER}, "Action": "kms:Encrypt"}, []),
        ({"Principal": {"AWS": OTHER}, "Action": "kms:*", "Effect": "Deny"}, []),
        ({"Principal": "*", "Action": "kms:*"}, []),
    ],
)
def test_whole_accounts_that_a_policy_lets_decrypt(statement: dict[str, Any], accounts: list[str]) -> None:
    assert key_policy.accounts({"Statement": [{"Effect": "Allow", "Resource": "*", **statement}]}) == accounts


def test_no_account_needs_no_statement() -> None:
    assert key_statements([], "aws") == []
