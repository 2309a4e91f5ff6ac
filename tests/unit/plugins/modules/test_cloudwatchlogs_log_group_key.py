# SPDX-License-Identifier: GPL-3.0-or-later
"""What the module would do. moto takes no key for a log group that is there: tests/aws/test_logs.py sees it done."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.cellcs.orthweb.plugins.modules import cloudwatchlogs_log_group_key as module

pytestmark = pytest.mark.slow  # moto is a server of its own

KEY = "arn:aws:kms:eu-central-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"


@pytest.mark.parametrize(
    ("names", "changed"),
    [(["/a"], ["/a"]), (["/a", "/other", "/none"], ["/a"]), (["/other"], []), (["/a/b", "/a"], ["/a/b", "/a"])],
)
def test_those_that_have_no_key(
    account: Callable[[str], Any], run: Callable[..., dict[str, Any]], names: list[str], changed: list[str]
) -> None:
    logs = account("logs")
    for name, key in (("/a", {}), ("/a/b", {}), ("/other", {"kmsKeyId": "somebody's"})):
        logs.create_log_group(logGroupName=name, **key)
    said = run(module, check_mode=True, log_group_names=names, kms_key_id=KEY)
    assert (said["changed"], said["log_groups"]) == (bool(changed), changed)
    assert said["diff"]["after"] == dict.fromkeys(changed, KEY)


def test_what_fails_names_the_log_group(account: Callable[[str], Any], run: Callable[..., dict[str, Any]]) -> None:
    account("logs").create_log_group(logGroupName="/a")
    failed = run(module, log_group_names=["/a"], kms_key_id=KEY)
    assert failed["failed"]
    assert f"Encrypting the log group /a with the KMS key {KEY}" in failed["msg"]
