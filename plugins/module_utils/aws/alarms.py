# SPDX-License-Identifier: GPL-3.0-or-later
"""Which alarms a stack has, in the words of CloudWatch's PutMetricAlarm, and which of them have to be put or deleted.

Each description is read at night, in a mail, by somebody who has not looked at AWS for months.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .resource import STACK_TAG

MINUTE = 60
GIB = 2**30
# GiB of memory of the size `large`; each size above doubles it.
MEMORY_OF_LARGE = {"c": 4, "m": 8, "r": 16, "t": 8, "x": 32}
SMALLER = {"micro": 1, "small": 2, "medium": 4}
CLASS = re.compile(r"db[.]([a-z])[a-z0-9-]*[.](micro|small|medium|large|(\d*)xlarge)")
# RDS lets PostgreSQL take one connection for so many bytes of memory, and 5000 at most.
BYTES_A_CONNECTION = 9531392
MOST_CONNECTIONS = 5000
# What an alarm is compared by. CloudWatch has more, such as its state.
COMPARED = (
    "AlarmDescription",
    "ActionsEnabled",
    "AlarmActions",
    "OKActions",
    "Namespace",
    "MetricName",
    "Dimensions",
    "Statistic",
    "Period",
    "EvaluationPeriods",
    "Threshold",
    "ComparisonOperator",
    "TreatMissingData",
)


def memory_gib(class_: str) -> float | None:
    """Memory of a class of RDS, as far as its name says it; None for a class that is not known."""
    match = CLASS.fullmatch(class_)
    if not match or match[1] not in MEMORY_OF_LARGE:
        return None
    if match[2] in SMALLER:
        return SMALLER[match[2]]
    doubled = 0 if match[2] == "large" else int(match[3] or 1) * 2
    return MEMORY_OF_LARGE[match[1]] * (doubled or 1)


def prefix(stack: str) -> str:
    """With what the names of a stack's alarms begin: no other stack's begin with that."""
    return f"{stack}/"


def of_database(stack: str, database: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Of an RDS instance.

    :param database: its ``name`` and ``class``, and the ``storage_gb`` that it was made with
    """
    name, class_ = database["name"], database["class"]
    free = max(2, int(database["storage_gb"]) // 20)

    def alarm(what: str, metric: str, limit: float, description: str, **more: Any) -> dict[str, Any]:
        return {
            "AlarmName": f"{prefix(stack)}database-{what}",
            "AlarmDescription": description,
            "Namespace": "AWS/RDS",
            "MetricName": metric,
            "Dimensions": [{"Name": "DBInstanceIdentifier", "Value": name}],
            "Statistic": "Average",
            "Period": 5 * MINUTE,
            "EvaluationPeriods": 3,
            "Threshold": float(limit),
            "ComparisonOperator": "LessThanThreshold",
            "TreatMissingData": "missing",
            **more,
        }

    yield alarm(
        "storage",
        "FreeStorageSpace",
        free * GIB,
        f"The database {name} has less than {free} GiB of free storage, and RDS has not made it larger: the limit "
        "(aws_database_storage_limit_gb) is reached, or the last growth was less than six hours ago. When it is full, "
        "nothing can be stored. Raise aws_database_storage_gb and aws_database_storage_limit_gb and run make deploy.",
    )
    if class_.startswith("db.t"):
        yield alarm(
            "cpu-credits",
            "CPUCreditBalance",
            10,
            f"The database {name} ({class_}) has needed more processor time than its class earns for six hours. It "
            "goes on at full speed, and AWS charges for each hour of it. It can wait for the morning. If it comes "
            "again, choose a larger class (aws_database_class), or one that is not db.t.",
            Statistic="Maximum",
            Period=60 * MINUTE,
            EvaluationPeriods=6,
        )
    memory = memory_gib(class_)
    if memory:
        connections = int(min(memory * GIB / BYTES_A_CONNECTION, MOST_CONNECTIONS) * 0.7)
        yield alarm(
            "connections",
            "DatabaseConnections",
            connections,
            f"The database {name} has more than {connections} connections, and its class has room for about "
            f"{int(connections / 0.7)}. When there is none left, the archive cannot store or answer. See who they "
            "are: psql on a host (docs/aws.md), select * from pg_stat_activity. A restart of Orthanc closes its own.",
            ComparisonOperator="GreaterThanThreshold",
        )
        yield alarm(
            "memory",
            "FreeableMemory",
            memory * GIB * 0.05,
            f"The database {name} ({class_}) has less than a twentieth of its memory left for 15 minutes. It becomes "
            "slow, and RDS may restart it. If it does not pass, choose a larger class (aws_database_class).",
        )


def of_host(stack: str, host: str, instance: str, recover: str) -> Iterator[dict[str, Any]]:
    """Of an EC2 instance.

    :param instance: its id; empty where there is none yet
    :param recover: the ARN of the action that moves it to other hardware
    """
    common = {
        "Namespace": "AWS/EC2",
        "Dimensions": [{"Name": "InstanceId", "Value": instance}],
        "Statistic": "Maximum",
        "Period": MINUTE,
        "Threshold": 1.0,
        "ComparisonOperator": "GreaterThanOrEqualToThreshold",
        "TreatMissingData": "missing",
    }
    yield {
        **common,
        "AlarmName": f"{prefix(stack)}{host}-system",
        "AlarmDescription": f"AWS's hardware under the host {host} has failed. EC2 moves it to other hardware by "
        "itself, with the same disk and address, which takes some minutes. If no OK follows within half an hour, "
        "stop and start it: aws ec2 stop-instances, start-instances --instance-ids " + instance,
        "MetricName": "StatusCheckFailed_System",
        "Statistic": "Minimum",
        "EvaluationPeriods": 2,
        "AlarmActions": [recover],
    }
    yield {
        **common,
        "AlarmName": f"{prefix(stack)}{host}-instance",
        "AlarmDescription": f"The host {host} runs and does not answer AWS's checks: its system hangs, its memory or "
        f"its disk is full. Restart it: aws ec2 reboot-instances --instance-ids {instance}. If that does not help, "
        "terminate it and run make deploy, which makes it again. Do not terminate it with orthweb_storage: filesystem, "
        "as its disk then has the images; otherwise they are in the database.",
        "MetricName": "StatusCheckFailed_Instance",
        "EvaluationPeriods": 3,
    }


def wanted(
    stack: str, database: Mapping[str, Any] | None, hosts: Mapping[str, str], topic: str, recover: str
) -> list[dict[str, Any]]:
    """All alarms of a stack. The topic hears of each, when it begins and when it is over.

    :param hosts: id by name
    """
    found = list(of_database(stack, database)) if database else []
    for name, instance in sorted(hosts.items()):
        found += of_host(stack, name, instance, recover)
    return [
        {
            **alarm,
            "ActionsEnabled": True,
            "AlarmActions": [*alarm.get("AlarmActions", []), topic],
            "OKActions": [topic],
        }
        for alarm in found
    ]


def same(alarm: Mapping[str, Any], there: Mapping[str, Any]) -> bool:
    return all(_plain(alarm.get(key)) == _plain(there.get(key)) for key in COMPARED)


def _plain(value: Any) -> Any:
    return sorted(map(str, value)) if isinstance(value, list) else value


def stale(alarms: Sequence[Mapping[str, Any]], found: Mapping[str, Mapping[str, str]], stack: str) -> list[str]:
    """Names of what is ours and not wanted any more, such as the alarms of a host that is gone.

    :param found: tags by name of the alarm
    """
    names = {alarm["AlarmName"] for alarm in alarms}
    return sorted(name for name, tags in found.items() if tags.get(STACK_TAG) == stack and name not in names)


def rule(alarm: Mapping[str, Any]) -> str:
    """In a line, for a diff."""
    signs = {"LessThanThreshold": "<", "GreaterThanThreshold": ">", "GreaterThanOrEqualToThreshold": ">="}
    return (
        f"{alarm['MetricName']} {signs.get(alarm['ComparisonOperator'], alarm['ComparisonOperator'])} "
        f"{alarm['Threshold']:g}, {alarm['EvaluationPeriods']} x {alarm['Period']} s, "
        f"{len(alarm.get('AlarmActions', []))} actions"
    )
