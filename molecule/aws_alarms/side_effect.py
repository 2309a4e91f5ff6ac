# SPDX-License-Identifier: GPL-3.0-or-later
"""Somebody had enough of mails: one alarm waits longer, one tells nobody, and one is gone."""

from __future__ import annotations

from api import STACK, client

cloudwatch = client("cloudwatch")
put = {
    "Namespace": "AWS/RDS",
    "MetricName": "FreeStorageSpace",
    "Dimensions": [{"Name": "DBInstanceIdentifier", "Value": STACK}],
    "Statistic": "Average",
    "Period": 300,
    "ComparisonOperator": "LessThanThreshold",
}
cloudwatch.put_metric_alarm(AlarmName=f"{STACK}/database-storage", EvaluationPeriods=200, Threshold=1.0, **put)
cloudwatch.disable_alarm_actions(AlarmNames=[f"{STACK}/database-memory"])
cloudwatch.delete_alarms(AlarmNames=[f"{STACK}/database-connections"])
