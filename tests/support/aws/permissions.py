# SPDX-License-Identifier: GPL-3.0-or-later
"""What a deployer's policy says to calls that were really made."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tools import iam_policy

from .evaluator import Request, allowed
from .requests import Call, requests

BUCKET = "orthweb-made-by-hand"


def policies(stack: str, *options: str) -> list[dict[str, Any]]:
    """What ``make policy STACK=<stack>`` writes, with these options of tools/iam_policy.py."""
    return iam_policy.documents(iam_policy.values_of(iam_policy.asked(["--stack", stack, *options])))


def options_for(variables: dict[str, Any]) -> list[str]:
    """The choices that a deployment with these variables needs."""
    options = []
    if variables.get("orthweb_connect_by") == "systems_manager":
        options.append("--systems-manager")
    if variables.get("aws_network_interface_endpoints"):
        options.append("--interface-endpoints")
    if variables.get("aws_backup_plan"):
        options.append("--backup")
    if variables.get("orthweb_empty_buckets"):
        options += ["--buckets", BUCKET]
    if variables.get("orthweb_vpc_id"):
        options += ["--vpc", variables["orthweb_vpc_id"]]
    if variables.get("orthweb_permissions_boundary"):
        options += ["--boundary", variables["orthweb_permissions_boundary"]]
    return options


def asked(calls: Iterable[Call]) -> list[Request]:
    """Each request once."""
    return list({str(request): request for call in calls for request in requests(call)}.values())


def is_stack(name: str) -> bool:
    """Whether there can be a policy for it."""
    return iam_policy.STACK.fullmatch(name) is not None


def refused(calls: Iterable[Call], stack: str, *options: str) -> set[str]:
    """What the policy does not allow of these calls."""
    documents = policies(stack, *options)
    return {str(request) for request in asked(calls) if not allowed(documents, request)}
