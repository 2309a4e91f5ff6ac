# SPDX-License-Identifier: GPL-3.0-or-later
"""Corrections of CloudWatch: it refuses alarms that it could not evaluate."""

from __future__ import annotations

from typing import Any

from moto.cloudwatch import models
from moto.cloudwatch.exceptions import ValidationError

from .replace import replaces

HOUR, DAY = 3600, 86400


def refuse(name: str, description: str, queries: list[Any], single: list[Any], periods: int, longest: int) -> None:
    """What AWS says against an alarm.

    :param single: what only an alarm of a single metric has
    :param longest: its period, or the longest one of its metrics
    """
    if len(description or "") > 1024:
        raise ValidationError(f"AlarmDescription of {name} has more than 1024 characters")
    if queries and any(single):
        raise ValidationError("Metrics list cannot be used together with MetricName, Namespace, Period and the like")
    if queries and sum(str(each.return_data).lower() != "false" for each in queries) != 1:
        raise ValidationError("Exactly one element of the metrics list must return data")
    for each in queries:
        if bool(each.expression) == bool(each.metric_stat):
            raise ValidationError(f"{each.id} must have either an expression or a metric")
    if not queries and not all(single[:2]):
        raise ValidationError("Either MetricName or Metrics must be given")
    if longest * periods > (7 * DAY if longest >= HOUR else DAY):
        raise ValidationError("Metrics cannot be checked across more than a day, or seven with periods of an hour")


@replaces(models.CloudWatchBackend, "put_metric_alarm")
def put_metric_alarm(original: Any, cloudwatch: Any, **given: Any) -> Any:
    queries = given.get("metric_data_queries") or []
    if not given.get("rule"):  # a composite alarm has one
        single = [given.get(each) for each in ("metric_name", "namespace", "dimensions", "period", "statistic")]
        periods = [
            int(given.get("period") or 0),
            *(int(each.metric_stat.period) for each in queries if each.metric_stat),
        ]
        refuse(given["name"], given["description"], queries, single, int(given["evaluation_periods"]), max(periods))
    return original(cloudwatch, **given)
