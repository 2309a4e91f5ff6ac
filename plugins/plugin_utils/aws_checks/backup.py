# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups by AWS Backup: when, how long, and whether they can be copied to where they are to be copied."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible.module_utils.parsing.convert_bool import boolean as is_true

# AWS's, not Unix's: minutes, hours, day of the month, month, day of the week, year.
SCHEDULE = re.compile(r"cron\(\S+( \S+){5}\)")
VAULT = re.compile(r"arn:(aws[a-z-]*):backup:([a-z0-9-]+):([0-9]{12}):backup-vault:([a-zA-Z0-9_-]{2,50})")
MOST_DAYS = 36500


def backup_problems(
    wanted: Mapping[str, Any],
    account: str = "",
    region: str = "",
    keys: Sequence[Mapping[str, Any]] = (),
    vaults: Sequence[Mapping[str, Any]] = (),
) -> Iterator[str]:
    """Of the settings of the role aws_backup; without an account, of those that need none to be judged.

    :param wanted: what the entry point C(needs) of that role published; empty if it was not asked
    :param keys: the stack's KMS keys, as the module aws_stack_info returns them; ``vaults`` likewise
    """
    if not wanted:
        return
    copy_to = str(wanted["copy_to"] or "")
    if not is_true(wanted["plan"]):
        if copy_to:
            yield (
                "aws_backup_copy_to is set, but aws_backup_plan is false, so that there is nothing to copy: set "
                "aws_backup_plan: true, or leave aws_backup_copy_to empty."
            )
        return
    if not is_true(wanted["database"]):
        yield "aws_backup_plan is true, but orthweb_rds is false: AWS Backup backs up a database in RDS only."
    if not SCHEDULE.fullmatch(str(wanted["schedule"])):
        yield (
            f'aws_backup_schedule is "{wanted["schedule"]}": use an expression of AWS with six fields, in UTC, such as '
            "cron(0 6 ? * * *) for every day at 06:00."
        )
    yield from _days_problems("aws_backup_days", wanted["days"], vaults)
    if copy_to:
        yield from _days_problems("aws_backup_copy_days", wanted["copy_days"], ())
        yield from _copy_problems(copy_to, account, region, keys)


def _days_problems(variable: str, days: object, vaults: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    if not str(days).isdecimal() or not 1 <= int(str(days)) <= MOST_DAYS:
        yield f"{variable} is {days}: use a number of days from 1 to {MOST_DAYS}."
        return
    for vault in vaults:
        least, most = vault["min_days"] or 1, vault["max_days"] or MOST_DAYS
        if vault["locked"] and not least <= int(str(days)) <= most:
            yield (
                f"{variable} is {days}, but the lock of the backup vault {vault['name']} allows {least} to {most} "
                "days: AWS Backup would refuse each backup."
            )


def _copy_problems(arn: str, account: str, region: str, keys: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    match = VAULT.fullmatch(arn)
    if not match:
        yield (
            f'aws_backup_copy_to is "{arn}": use the ARN of a vault of AWS Backup '
            "(arn:aws:backup:<region>:<account>:backup-vault:<name>), or leave it empty."
        )
        return
    partition, to_region, to_account, vault = match.groups()
    if vault == "Default":
        yield "aws_backup_copy_to is the vault Default, whose key cannot be used from outside. Make another vault."
    if not account:
        return
    if to_account == account and to_region == region:
        yield (
            f"aws_backup_copy_to is {arn}, in the account and region of the database: a copy there is lost with it. "
            "Choose a vault in another account, or in another region."
        )
    if to_account != account and to_region != region:
        yield (
            f"aws_backup_copy_to is {arn}, in another account and in another region. AWS Backup copies databases of "
            f"RDS to one or the other: choose a vault of {to_account} in {region}. For another region, there is "
            "aws_database_copy_region, too."
        )
    if to_account != account:
        for key in keys:
            if to_account not in key["accounts"]:
                yield (
                    f"aws_backup_copy_to is in the account {to_account}, and the policy of the KMS key {key['arn']} "
                    "does not let that account use it, so that it could not read the copies. The deployer must not "
                    "change a key's policy: have somebody who may add these statements to it (aws kms get-key-policy, "
                    f"put-key-policy): {json.dumps(key_statements([to_account], partition))}"
                )


def key_statements(accounts: Sequence[str], partition: str) -> list[dict[str, Any]]:
    """What the policy of a key needs for other accounts to copy and restore what it encrypts."""
    if not accounts:
        return []
    who = {"AWS": [f"arn:{partition}:iam::{account}:root" for account in accounts]}
    use = ["kms:DescribeKey", "kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*"]
    return [
        {"Sid": "Copies", "Effect": "Allow", "Principal": who, "Action": use, "Resource": "*"},
        {
            "Sid": "CopiesByServices",
            "Effect": "Allow",
            "Principal": who,
            "Action": "kms:CreateGrant",
            "Resource": "*",
            "Condition": {"Bool": {"kms:GrantIsForAWSResource": "true"}},
        },
    ]
