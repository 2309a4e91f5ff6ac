# SPDX-License-Identifier: GPL-3.0-or-later
"""AWS Backup: vaults, and plans with what they back up. It cannot filter by tag, and has no tags in its lists."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .resource import Question, pages, resource


def vaults(question: Question) -> list[dict[str, Any]]:
    return [
        resource(
            item["BackupVaultName"],
            item["BackupVaultName"],
            None,
            _tags(question, item["BackupVaultArn"]),
            arn=item["BackupVaultArn"],
            recovery_points=item.get("NumberOfRecoveryPoints", 0),
            locked=bool(item.get("Locked")),
            min_days=item.get("MinRetentionDays"),
            max_days=item.get("MaxRetentionDays"),
        )
        for item in pages(question.client, "list_backup_vaults", "BackupVaultList")
        if question.may_be_ours(item["BackupVaultName"])
    ]


def plans(question: Question) -> list[dict[str, Any]]:
    return [
        _plan(question, item)
        for item in pages(question.client, "list_backup_plans", "BackupPlansList")
        if question.may_be_ours(item["BackupPlanName"])
    ]


def _plan(question: Question, item: dict[str, Any]) -> dict[str, Any]:
    plan, tags = item["BackupPlanId"], _tags(question, item["BackupPlanArn"])
    rules, selections = [], []
    if question.is_ours(tags):
        found = question.client.get_backup_plan(BackupPlanId=plan)["BackupPlan"]["Rules"]
        rules = [_rule(each) for each in found]
        listed = pages(question.client, "list_backup_selections", "BackupSelectionsList", BackupPlanId=plan)
        selections = [_selection(question, plan, each["SelectionId"]) for each in listed]
    return resource(
        plan, item["BackupPlanName"], None, tags, arn=item["BackupPlanArn"], rules=rules, selections=selections
    )


def _rule(rule: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": rule["RuleName"],
        "vault": rule["TargetBackupVaultName"],
        "schedule": rule.get("ScheduleExpression"),
        "days": _days(rule),
        "copies": [
            {"vault_arn": each["DestinationBackupVaultArn"], "days": _days(each)}
            for each in rule.get("CopyActions") or []
        ],
    }


def _days(rule: Mapping[str, Any]) -> int | None:
    days: int | None = (rule.get("Lifecycle") or {}).get("DeleteAfterDays")
    return days


def _selection(question: Question, plan: str, selection: str) -> dict[str, Any]:
    found = question.client.get_backup_selection(BackupPlanId=plan, SelectionId=selection)["BackupSelection"]
    return {
        "name": found["SelectionName"],
        "role_arn": found["IamRoleArn"],
        "resources": sorted(found.get("Resources", [])),
    }


def _tags(question: Question, arn: str) -> dict[str, str]:
    tags: dict[str, str] = question.client.list_tags(ResourceArn=arn).get("Tags", {})
    return tags
