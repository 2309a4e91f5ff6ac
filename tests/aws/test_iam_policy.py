# SPDX-License-Identifier: GPL-3.0-or-later
"""The deployer's policy allows what was really called, on what it was called upon, and nothing that nobody calls.

What it refuses is in tests/unit/package/test_iam_policy.py. The accounts of other files are judged by their fixture.
"""

from __future__ import annotations

import re
from typing import Any

import pytest

from support.aws.life import BOUNDARY, VARIANT, Lifecycle, Step
from support.aws.permissions import BUCKET, asked, options_for, policies, refused
from support.aws.requests import requests
from tools import iam_policy


@pytest.fixture(scope="module")
def calls(lifecycle: Lifecycle) -> list[dict[str, Any]]:
    """Of the playbooks alone: what the tests themselves ask for is in the server's log too, and no part of it."""
    assert lifecycle.emptied
    runs = [step.run for step in lifecycle.done.values() if isinstance(step, Step)]
    return [call for run in runs for call in run.calls]


def test_whatever_is_called_is_allowed_with_what_was_chosen(lifecycle: Lifecycle) -> None:
    assert lifecycle.gone_again.run.calls
    assert lifecycle.account.refused == set()


@pytest.mark.long
def test_a_whole_life_is_allowed_where_a_boundary_is_asked_for(lifecycle: Lifecycle) -> None:
    assert lifecycle.emptied
    assert lifecycle.account.refused == set()
    options = [*options_for(VARIANT), "--buckets", BUCKET]
    assert options[options.index("--boundary") + 1] == BOUNDARY
    for step in (lifecycle.revived, lifecycle.changed, lifecycle.bucket_in_the_way, lifecycle.emptied):
        assert refused(step.run.calls, "orthweb", *options) == set()


@pytest.mark.long
def test_nothing_is_allowed_that_is_not_called(calls: list[dict[str, Any]]) -> None:
    """But for what cannot be called here, each with its reason."""
    documents = policies("orthweb", *options_for(VARIANT), "--buckets", BUCKET)
    there = {action for one in documents for statement in one["Statement"] for action in statement["Action"]}
    used = {request.action for request in asked(calls)}
    idle = {each for each in there if not any(re.fullmatch(each.replace("*", ".*"), action) for action in used)}
    assert idle == set(iam_policy.table()["unseen"])


@pytest.mark.long
def test_another_stack_is_not_allowed_any_of_its_changes(calls: list[dict[str, Any]]) -> None:
    """What is allowed to everybody is to look, and the little that docs/aws.md names."""
    changes = [call for call in calls if not re.match("Describe|List|Get|HEAD|GET", call["action"])]
    allowed = {call["action"] for call in changes if not refused([call], "ward")}
    assert allowed == {"EnableKeyRotation", "RevokeSecurityGroupEgress", "RevokeSecurityGroupIngress"}


def test_an_action_that_is_not_allowed_is_found() -> None:
    call = {"service": "kms", "action": "DisableKey", "region": "us-east-1", "names": {"KeyId": ["one"]}, "tags": {}}
    assert refused([call], "orthweb") == {"kms:DisableKey on * ()"}


def test_a_call_that_no_table_has_is_an_error() -> None:
    with pytest.raises(ValueError, match="IAM has no action dynamodb:PutEverything"):
        requests({"service": "dynamodb", "action": "PutEverything"})
    with pytest.raises(ValueError, match="IAM has no action nothing:Get"):
        requests({"service": "nothing", "action": "Get"})
    with pytest.raises(ValueError, match="the table S3 does not have 'PUT /bucket/key'"):
        requests({"service": "s3", "action": "PUT /bucket/key"})
