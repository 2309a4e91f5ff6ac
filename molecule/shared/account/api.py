# SPDX-License-Identifier: GPL-3.0-or-later
"""For the scripts of the scenarios: the API with boto3, past Ansible and the roles."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import boto3

STACK = os.environ["ORTHWEB_STACK"]
WORLD = [{"CidrIp": "0.0.0.0/0"}]


@cache
def client(service: str) -> Any:
    """Where the API is, and who we are, stands in the environment."""
    return boto3.client(service)


def tags(raw: list[dict[str, str]]) -> dict[str, str]:
    return {each.get("Key", each.get("TagKey", "")): each.get("Value", each.get("TagValue", "")) for each in raw}


def named(kind: str, name: str) -> dict[str, Any]:
    """What the stack has of a kind of EC2 (security_groups, ...) under that name, as AWS describes it."""
    filters = [{"Name": "tag:Name", "Values": [name]}, {"Name": "tag:orthweb:stack", "Values": [STACK]}]
    answer = getattr(client("ec2"), f"describe_{kind}")(Filters=filters)
    (found,) = (each for key, each in answer.items() if key not in ("ResponseMetadata", "NextToken"))
    if len(found) != 1:
        sys.exit(f"There are {len(found)} {kind} with the name {name} and the tag of {STACK}, not one.")
    return found[0]


@contextmanager
def looking() -> Iterator[Callable[[str, Any, Any], None]]:
    """``with looking() as expect: expect(what, found, wanted)`` ends with all that is not as it should be."""
    differences = []

    def expect(what: str, found: Any, wanted: Any) -> None:
        if found != wanted:
            differences.append(f"{what}: {found!r} instead of {wanted!r}")

    try:
        yield expect
    except SystemExit as missing:
        differences.append(str(missing))
    if differences:
        sys.exit("\n".join(differences))
