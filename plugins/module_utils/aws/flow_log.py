# SPDX-License-Identifier: GPL-3.0-or-later
"""Which flow log is ours, and what has to be done about it. A flow log cannot be changed, only made again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .resource import STACK_TAG, lacking_tags, tags_of

SETTINGS = {
    "log_group_name": "LogGroupName",
    "role_arn": "DeliverLogsPermissionArn",
    "traffic_type": "TrafficType",
    "max_aggregation_interval": "MaxAggregationInterval",
}


@dataclass(frozen=True)
class FlowLog:
    """One that exists."""

    id: str
    vpc_id: str
    settings: dict[str, Any]
    tags: dict[str, str]
    delivery_problem: str | None


@dataclass(frozen=True)
class Plan:
    """What has to be done.

    :ivar keep: the flow log that has the settings wanted; without one, it has to be made
    :ivar remove: IDs of flow logs of ours that go
    """

    keep: FlowLog | None
    remove: list[str]
    set_tags: dict[str, str]
    unset_tags: list[str]
    reasons: list[str]

    @property
    def changed(self) -> bool:
        return bool(self.reasons)


def identity(tags: Mapping[str, str]) -> dict[str, str]:
    """The tag by which a flow log of ours is known; empty if there is none."""
    for key in (STACK_TAG, "Name"):
        if tags.get(key):
            return {key: tags[key]}
    return {}


def read(item: Mapping[str, Any]) -> FlowLog:
    """A flow log as DescribeFlowLogs answers it."""
    return FlowLog(
        id=item["FlowLogId"],
        vpc_id=item["ResourceId"],
        settings={ours: item.get(theirs) for ours, theirs in SETTINGS.items()},
        tags=tags_of(item.get("Tags")),
        delivery_problem=item.get("DeliverLogsErrorMessage"),
    )


def plan_present(
    existing: Sequence[FlowLog], settings: Mapping[str, Any], tags: Mapping[str, str], purge_tags: bool
) -> Plan:
    """What to do so that exactly one flow log of ours is there, with these settings and tags."""
    keep = next((each for each in existing if each.settings == dict(settings)), None)
    remove = [each.id for each in existing if each is not keep]
    if keep is None:
        differing = {key for each in existing for key in SETTINGS if each.settings[key] != settings[key]}
        return Plan(None, remove, {}, [], [f"{key}_differs" for key in SETTINGS if key in differing] or ["missing"])
    set_tags = lacking_tags(tags, keep.tags)
    unset_tags = [key for key in keep.tags if purge_tags and key not in tags and not key.startswith("aws:")]
    reasons = ["tags_differ"] if set_tags or unset_tags else []
    return Plan(keep, remove, set_tags, unset_tags, reasons + (["surplus"] if remove else []))


def shown(settings: Mapping[str, Any] | None, tags: Mapping[str, str]) -> dict[str, Any]:
    """One side of a diff."""
    return {} if settings is None else {**settings, "tags": dict(sorted(tags.items()))}
