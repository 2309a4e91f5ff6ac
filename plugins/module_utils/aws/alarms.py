# SPDX-License-Identifier: GPL-3.0-or-later
"""Which alarms a stack has, and which of them have to be put or deleted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .alarm_kinds import of_balancer, of_certificate, of_database, of_host
from .resource import STACK_TAG

# What an alarm is compared by. CloudWatch has more, such as its state.
COMPARED = (
    "AlarmDescription",
    "ActionsEnabled",
    "AlarmActions",
    "OKActions",
    "Namespace",
    "MetricName",
    "Dimensions",
    "Metrics",
    "Statistic",
    "Period",
    "EvaluationPeriods",
    "Threshold",
    "ComparisonOperator",
    "TreatMissingData",
)


def prefix(stack: str) -> str:
    """With what the names of a stack's alarms begin: no other stack's begin with that."""
    return f"{stack}/"


@dataclass(frozen=True)
class Watched:
    """What a stack has that is watched.

    :ivar hosts: id by name; empty where there is none yet
    :ivar database: its ``name`` and ``class``, and the ``storage_gb`` that it was made with
    :ivar balancer: ``LoadBalancer`` and ``TargetGroup`` as CloudWatch names them
    :ivar certificate: ``path`` and ``not_valid_after`` of the one that ends first, ``days`` that it must have left
    """

    hosts: Mapping[str, str]
    database: Mapping[str, Any] | None = None
    balancer: Mapping[str, str] | None = None
    certificate: Mapping[str, Any] | None = None


def wanted(stack: str, watched: Watched, topic: str, recover: str) -> list[dict[str, Any]]:
    """All alarms of a stack. The topic hears of each, when it begins and when it is over.

    :param recover: the ARN of the action that moves a host to other hardware
    """
    found = list(of_database(watched.database)) if watched.database else []
    hosts = sorted(watched.hosts.items())
    for name, instance in hosts:
        found += of_host(name, instance, recover)
    if watched.balancer:
        found += of_balancer(watched.balancer)
    if watched.certificate and hosts:
        found += of_certificate(**watched.certificate, clock=hosts[0][1])
    return [
        {
            **alarm,
            "AlarmName": prefix(stack) + alarm["AlarmName"],
            "ActionsEnabled": True,
            "AlarmActions": [*alarm.get("AlarmActions", []), topic],
            "OKActions": [topic],
        }
        for alarm in found
    ]


def same(alarm: Mapping[str, Any], there: Mapping[str, Any]) -> bool:
    return all(_plain(alarm.get(key)) == _plain(there.get(key)) for key in COMPARED)


def _plain(value: Any) -> Any:
    """Without order, and the same whether AWS omits something or says that there is none of it."""
    if isinstance(value, Mapping):
        return sorted((key, _plain(each)) for key, each in value.items() if each is not None)
    if isinstance(value, list):
        return sorted((_plain(each) for each in value), key=str) or None
    return None if value == "" else value


def stale(alarms: Sequence[Mapping[str, Any]], found: Mapping[str, Mapping[str, str]], stack: str) -> list[str]:
    """Names of what is ours and not wanted any more, such as the alarms of a host that is gone.

    :param found: tags by name of the alarm
    """
    names = {alarm["AlarmName"] for alarm in alarms}
    return sorted(name for name, tags in found.items() if tags.get(STACK_TAG) == stack and name not in names)


def rule(alarm: Mapping[str, Any]) -> str:
    """In a line, for a diff."""
    signs = {"LessThanThreshold": "<", "GreaterThanThreshold": ">", "GreaterThanOrEqualToThreshold": ">="}
    metrics = alarm.get("Metrics") or []
    measured = next((each["Expression"] for each in metrics if each.get("Expression")), alarm.get("MetricName"))
    period = next((each["MetricStat"]["Period"] for each in metrics if each.get("MetricStat")), alarm.get("Period"))
    return (
        f"{measured} {signs.get(alarm['ComparisonOperator'], alarm['ComparisonOperator'])} "
        f"{alarm['Threshold']:g}, {alarm['EvaluationPeriods']} x {period} s, "
        f"{len(alarm.get('AlarmActions', []))} actions"
    )
