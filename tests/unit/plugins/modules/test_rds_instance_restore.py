# SPDX-License-Identifier: GPL-3.0-or-later
"""How RDS is asked for a snapshot. All else: tests/integration/targets/rds_instance_restore."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from ansible_collections.amazon.aws.plugins.module_utils.retries import AWSRetry, RetryingBotoClientWrapper
from ansible_collections.cellcs.orthweb.plugins.modules.rds_instance_restore import Database
from botocore.stub import Stubber

OWN = "arn:aws:rds:eu-central-1:111111111111:snapshot:"
THEIRS = "arn:aws:rds:eu-central-1:222222222222:snapshot:theirs"
FOUND = {"DBSnapshotIdentifier": "found"}


def looked_for(name: str, *talk: tuple[dict[str, Any], bool]) -> tuple[dict[str, Any] | None, bool]:
    """What comes of it if RDS is asked exactly this, and answers with a snapshot, or that there is none."""
    client = boto3.client("rds", region_name="eu-central-1", aws_access_key_id="a", aws_secret_access_key="b")
    with Stubber(client) as stub:
        for asked, is_there in talk:
            parameters = {"DBSnapshotIdentifier": name, **asked}
            if is_there:
                stub.add_response("describe_db_snapshots", {"DBSnapshots": [FOUND]}, parameters)
            else:
                code = "DBSnapshotNotFound"
                stub.add_client_error("describe_db_snapshots", code, http_status_code=404, expected_params=parameters)
        wrapped = RetryingBotoClientWrapper(client, AWSRetry.jittered_backoff(retries=1))
        options = {"db_snapshot_identifier": name, "engine_version": "17", "master_username": "somebody"}
        module: Any = SimpleNamespace(params=options, client=lambda *_args, **_options: wrapped)
        answer = Database(module).found_snapshot(name)
        stub.assert_no_pending_responses()
    return answer


@pytest.mark.parametrize("name", ["clinic-final", f"{OWN}clinic-final", "rds"])
def test_one_that_somebody_made(name: str) -> None:
    assert looked_for(name, ({}, True)) == (FOUND, False)


@pytest.mark.parametrize("prefix", ["", OWN])
def test_the_type_of_what_nobody_made_by_hand(prefix: str) -> None:
    """DescribeDBSnapshots: "If this identifier is for an automated snapshot, the SnapshotType ... must also be"."""
    assert looked_for(f"{prefix}rds:clinic-2026-11-28", ({"SnapshotType": "automated"}, True)) == (FOUND, False)
    assert looked_for(f"{prefix}awsbackup:job-1", ({"SnapshotType": "awsbackup"}, True)) == (FOUND, False)


def test_one_of_another_account() -> None:
    shared = {"IncludeShared": True, "IncludePublic": True}
    assert looked_for(THEIRS, ({}, False), (shared, True)) == (FOUND, True)
    assert looked_for(THEIRS, ({}, False), (shared, False))[0] is None


def test_a_name_is_of_this_account() -> None:
    assert looked_for("nothing", ({}, False))[0] is None
