# SPDX-License-Identifier: GPL-3.0-or-later
"""What is watched of a stack, in the words of CloudWatch's PutMetricAlarm. Names are those within the stack.

Each description is read at night, in a mail, by somebody who has not looked at AWS for months.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

MINUTE = 60
GIB = 2**30
# GiB of memory of the size `large`; each size above doubles it.
MEMORY_OF_LARGE = {"c": 4, "m": 8, "r": 16, "t": 8, "x": 32}
SMALLER = {"micro": 1, "small": 2, "medium": 4}
CLASS = re.compile(r"db[.]([a-z])[a-z0-9-]*[.](micro|small|medium|large|(\d*)xlarge)")
# RDS lets PostgreSQL take one connection for so many bytes of memory, and 5000 at most.
BYTES_A_CONNECTION = 9531392
MOST_CONNECTIONS = 5000


def memory_gib(class_: str) -> float | None:
    """Memory of a class of RDS, as far as its name says it; None for a class that is not known."""
    match = CLASS.fullmatch(class_)
    if not match or match[1] not in MEMORY_OF_LARGE:
        return None
    if match[2] in SMALLER:
        return SMALLER[match[2]]
    doubled = 0 if match[2] == "large" else int(match[3] or 1) * 2
    return MEMORY_OF_LARGE[match[1]] * (doubled or 1)


def of_database(database: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Of an RDS instance.

    :param database: its ``name`` and ``class``, and the ``storage_gb`` that it was made with
    """
    name, class_ = database["name"], database["class"]
    free = max(2, int(database["storage_gb"]) // 20)

    def alarm(what: str, metric: str, limit: float, description: str, **more: Any) -> dict[str, Any]:
        return {
            "AlarmName": f"database-{what}",
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


def of_host(host: str, instance: str, recover: str) -> Iterator[dict[str, Any]]:
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
        "AlarmName": f"{host}-system",
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
        "AlarmName": f"{host}-instance",
        "AlarmDescription": f"The host {host} runs and does not answer AWS's checks: its system hangs, its memory or "
        f"its disk is full. Restart it: aws ec2 reboot-instances --instance-ids {instance}. If that does not help, "
        "terminate it and run make deploy, which makes it again. Do not terminate it with orthweb_storage: filesystem, "
        "as its disk then has the images; otherwise they are in the database.",
        "MetricName": "StatusCheckFailed_Instance",
        "EvaluationPeriods": 3,
    }


def of_balancer(balancer: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """Of a Network Load Balancer. All of its target groups ask the same of the hosts, so one is watched.

    :param balancer: ``LoadBalancer`` and ``TargetGroup`` as CloudWatch names them; empty where there are none yet
    """
    common = {
        "Namespace": "AWS/NetworkELB",
        "Dimensions": [{"Name": name, "Value": balancer[name]} for name in ("LoadBalancer", "TargetGroup")],
        "Statistic": "Maximum",
        "Period": MINUTE,
        "Threshold": 1.0,
    }
    yield {
        **common,
        "AlarmName": "balancer-unhealthy",
        "AlarmDescription": "The load balancer has sent nobody to one of the hosts for 15 minutes, as the host does "
        "not answer /ready: Orthanc or nginx does not run there, or does not reach the database. The others carry on. "
        "Run make verify, see on each host what runs (docker ps), and run make deploy, which puts it right.",
        "MetricName": "UnHealthyHostCount",
        "EvaluationPeriods": 15,
        "ComparisonOperator": "GreaterThanOrEqualToThreshold",
        "TreatMissingData": "missing",
    }
    yield {
        **common,
        "AlarmName": "balancer-no-host",
        "AlarmDescription": "No host behind the load balancer can store: none has answered /ready for five minutes, or "
        "none is registered. Modalities and browsers get no answer, or an error. Where all of them fail, it is mostly "
        "the database: see whether it is available (aws rds describe-db-instances), then run make deploy. During the "
        "first deployment, this passes by itself.",
        "MetricName": "HealthyHostCount",
        "EvaluationPeriods": 5,
        "ComparisonOperator": "LessThanThreshold",
        # CloudWatch has no value where nothing is registered.
        "TreatMissingData": "breaching",
    }


def of_certificate(path: str, not_valid_after: str, days: int, clock: str) -> Iterator[dict[str, Any]]:
    """Of the certificate that ends first. It needs nobody who measures: CloudWatch subtracts the time from its end.

    EPOCH returns the time of each value of a metric, where it has none as well. What the metric says does not matter.

    :param not_valid_after: in UTC, as in ``2027-12-24T15:59:59Z``
    :param days: with less than so many left, it is an alarm
    :param clock: id of the instance whose metric gives the time
    """
    ends = datetime.fromisoformat(not_valid_after)
    name = path.rpartition("/")[2]
    metric = {
        "Namespace": "AWS/EC2",
        "MetricName": "StatusCheckFailed",
        "Dimensions": [{"Name": "InstanceId", "Value": clock}],
    }
    yield {
        "AlarmName": "certificates",
        "AlarmDescription": f"The certificate {name} ends on {ends:%Y-%m-%d}, the first of the archive's, and was not "
        "renewed. From then on, modalities and browsers refuse the archive, or it refuses them. Run make deploy: it "
        "renews what the archive has issued, and make timer has it done once a week. A certificate of your own "
        "(orthweb_server_certificate) comes from whoever issued it; put the new one in its place before. See "
        "docs/certificates.md.",
        "Metrics": [
            {
                "Id": "clock",
                "MetricStat": {"Metric": metric, "Period": 60 * MINUTE, "Stat": "Maximum"},
                "ReturnData": False,
            },
            {
                "Id": "days_left",
                "Expression": f"({ends.timestamp():.0f} - EPOCH(clock)) / 86400",
                "Label": "days left",
                "ReturnData": True,
            },
        ],
        "EvaluationPeriods": 1,
        "Threshold": float(days),
        "ComparisonOperator": "LessThanThreshold",
        # Silence must not mean that all is well.
        "TreatMissingData": "breaching",
    }
