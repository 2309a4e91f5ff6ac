# SPDX-License-Identifier: GPL-3.0-or-later
"""files/iam-policy.json has what was really called, in the life of a stack, and nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from support.aws.life import Lifecycle, Step
from support.checkout import ROOT
from tools import iam_policy


@pytest.fixture(scope="module")
def calls(lifecycle: Lifecycle) -> list[dict[str, Any]]:
    """Of the playbooks alone: what the tests themselves ask for is in the server's log too, and no part of it."""
    assert lifecycle.emptied
    runs = [step.run for step in lifecycle.done.values() if isinstance(step, Step)]
    return [call for run in runs for call in run.calls]


@pytest.fixture(scope="module")
def policy() -> dict[str, Any]:
    return json.loads(iam_policy.POLICY.read_text())


def test_whatever_is_called_is_allowed(calls: list[dict[str, Any]], policy: dict[str, Any]) -> None:
    missing = iam_policy.actions_of(calls) - iam_policy.actions_in(policy)
    assert not missing, f"files/iam-policy.json does not allow {sorted(missing)}"


def test_nothing_is_allowed_that_is_not_called(calls: list[dict[str, Any]], policy: dict[str, Any]) -> None:
    needless = iam_policy.actions_in(policy) - iam_policy.actions_of(calls)
    assert not needless, f"files/iam-policy.json allows, and nothing needs, {sorted(needless)}"


def test_it_is_what_the_script_writes(calls: list[dict[str, Any]], tmp_path: Path) -> None:
    log = tmp_path / "calls.jsonl"
    log.write_text("".join(json.dumps(call) + "\n" for call in calls))
    assert script(log) == iam_policy.POLICY.read_text()


def test_it_can_be_written_again_without_a_log() -> None:
    assert script() == iam_policy.POLICY.read_text()


def test_it_fits_into_a_managed_policy() -> None:
    assert len("".join(iam_policy.POLICY.read_text().split())) <= 6144


def test_it_can_be_made_for_one_stack(policy: dict[str, Any]) -> None:
    """Names and tags that were any are that stack's then; the rest stays."""
    narrow = json.loads(script("--stack", "clinic"))
    assert iam_policy.actions_in(narrow) == iam_policy.actions_in(policy)
    for wide, one in zip(policy["Statement"], narrow["Statement"], strict=True):
        assert one["Resource"] == [
            each.replace("role/*", "role/clinic")
            .replace("instance-profile/*", "instance-profile/clinic")
            .replace("/orthweb/*/", "/orthweb/clinic/")
            .replace("secret:*", "secret:clinic")
            .replace("db:*", "db:clinic")
            .replace("subgrp:*", "subgrp:clinic")
            .replace("pg:*", "pg:clinic")
            .replace("snapshot:*", "snapshot:clinic")
            for each in wide["Resource"]
        ]
        if "Null" in wide.get("Condition", {}):
            assert one["Condition"] == {"StringEquals": {"aws:ResourceTag/orthweb:stack": "clinic"}}


@pytest.mark.parametrize(
    ("action", "limit"),
    [
        ("ec2:TerminateInstances", "aws:ResourceTag/orthweb:stack"),
        ("rds:DeleteDBInstance", "aws:ResourceTag/orthweb:stack"),
        ("kms:ScheduleKeyDeletion", "aws:ResourceTag/orthweb:stack"),
        ("iam:PassRole", "iam:PassedToService"),
        ("iam:AttachRolePolicy", "iam:PolicyARN"),
        ("kms:CreateGrant", "kms:GrantIsForAWSResource"),
        ("kms:Decrypt", "kms:ViaService"),
    ],
)
def test_what_is_dangerous_is_limited(policy: dict[str, Any], action: str, limit: str) -> None:
    statements = [each for each in policy["Statement"] if action in each["Action"]]
    assert statements
    assert all(limit in json.dumps(each.get("Condition", {})) for each in statements)


@pytest.mark.parametrize("service", ["iam", "secretsmanager", "rds", "logs"])
def test_writing_is_limited_by_name(policy: dict[str, Any], service: str) -> None:
    for statement in policy["Statement"]:
        for action in statement["Action"]:
            if action.startswith(f"{service}:") and not iam_policy.re.match(iam_policy.READS, action):
                assert statement["Resource"] != ["*"] or "Condition" in statement, action


def test_a_call_that_no_table_has_is_an_error() -> None:
    with pytest.raises(ValueError, match="no rule says on what dynamodb:PutItem"):
        iam_policy.policy(iam_policy.actions_of([{"service": "dynamodb", "action": "PutItem"}]))
    with pytest.raises(ValueError, match="the table S3 does not have 'PUT /bucket/key'"):
        iam_policy.actions_of([{"service": "s3", "action": "PUT /bucket/key"}])


def script(*arguments: str | Path) -> str:
    command = [sys.executable, str(ROOT / "tools/iam_policy.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
