# SPDX-License-Identifier: GPL-3.0-or-later
"""Of which region roles and instance profiles are: IAM belongs to the account, and the same stack may be in several.

Their names have the region. Those that earlier versions made have not: what tells it is the log group that the role
may write to, or else who uses it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from .resource import GONE, STACK_TAG

KINDS = ("iam_roles", "instance_profiles")
REGION = "{region}"
_LOG_GROUP = re.compile(r"arn:[^:]*:logs:([a-z0-9-]+):")

Names = Mapping[str, Sequence[str]]
Found = Mapping[str, Sequence[dict[str, Any]]]


def filled(names: Names, region: str) -> dict[str, list[str]]:
    """The names in one region."""
    return {kind: [name.replace(REGION, region) for name in given] for kind, given in names.items()}


def pattern(name: str) -> re.Pattern[str]:
    """What a name is in any region."""
    return re.compile(re.escape(name).replace(re.escape(REGION), "([a-z0-9-]+)"))


def elsewhere(stack: str, region: str, names: Names, found: Found) -> list[dict[str, str]]:
    """Those of the stack that are not of this region, with C(kind), C(id), C(name) and C(region), which may be empty.

    :param names: what the stack calls its resources, with C({region}) where they have it
    :param found: what there is, by kind
    """
    ours = {kind: [each for each in found[kind] if each["tags"].get(STACK_TAG) == stack] for kind in found}
    used = {each["instance_profile"] for each in ours["instances"] if each["state"] not in GONE}
    used |= {(each["role_arn"] or "").rpartition("/")[2] for each in ours["flow_logs"]}
    told: dict[str, str] = {}

    def region_of(kind: str, item: Mapping[str, Any]) -> str:
        for name in names.get(kind, ()):
            if match := pattern(name).fullmatch(item["name"]):
                return match[1] if match.groups() else region
        regions = set(_LOG_GROUP.findall(json.dumps(item.get("policies", {}))))
        # A profile is of its role's region.
        regions |= {told[role] for role in item.get("roles", []) if told.get(role)}
        if not regions and item["name"] in used:
            regions = {region}
        return region if region in regions else min(regions, default="")

    outside = []
    for kind in KINDS:
        for item in ours[kind]:
            of = region_of(kind, item)
            if kind == "iam_roles":
                told[item["name"]] = of
            if of != region:
                outside.append({"kind": kind, "id": item["id"], "name": item["name"], "region": of})
    return sorted(outside, key=lambda each: (each["kind"], each["name"]))
