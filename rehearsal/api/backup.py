# SPDX-License-Identifier: GPL-3.0-or-later
"""AWS Backup, of which moto has vaults and plans only: selections, changes of plans, and backups of RDS.

A backup is a snapshot of RDS whose name begins with ``awsbackup:job-``, and there as soon as somebody asks for it.
"""

from __future__ import annotations

import json
from typing import Any

from moto.backup import models, urls
from moto.backup.exceptions import (
    BackupClientError,
    InvalidParameterValueException,
    InvalidRequestException,
    ResourceNotFoundException,
)
from moto.backup.responses import BackupResponse
from moto.core.utils import unix_time
from moto.iam.models import iam_backends
from moto.moto_api._internal import mock_random
from moto.rds.models import rds_backends

from .replace import replaces


class AccessDeniedError(BackupClientError):
    pass


# Where there is no such vault, AWS says that it is nobody's business whether there is one.
@replaces(models.BackupBackend, "describe_backup_vault")
def describe_backup_vault(original: Any, backup: Any, backup_vault_name: str) -> Any:
    if backup_vault_name not in backup.vaults:
        raise AccessDeniedError("AccessDeniedException", "Insufficient privileges to perform this action.")
    return original(backup, backup_vault_name)


@replaces(models.BackupBackend, "delete_backup_vault")
def delete_backup_vault(original: Any, backup: Any, backup_vault_name: str) -> None:
    if recovery_points(backup, backup_vault_name):
        raise InvalidRequestException("Backup vault cannot be deleted because it contains recovery points.")
    original(backup, backup_vault_name)


@replaces(models.BackupBackend, "create_backup_plan")
def create_backup_plan(original: Any, backup: Any, backup_plan: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
    check(backup, backup_plan)
    # The name of one that was deleted is free.
    for plan in [each for each in backup.plans.values() if each.deletion_date is not None]:
        del backup.plans[plan.backup_plan_id]
    return original(backup, backup_plan, *args, **kwargs)


@replaces(models.BackupBackend, "delete_backup_plan")
def delete_backup_plan(original: Any, backup: Any, backup_plan_id: str) -> Any:
    if getattr(backup.get_backup_plan(backup_plan_id, None), "selections", None):
        raise InvalidRequestException("Related backup plan selections must be deleted prior to backup plan deletion")
    return original(backup, backup_plan_id)


def check(backup: Any, plan: dict[str, Any]) -> None:
    for rule in plan["Rules"]:
        if rule["TargetBackupVaultName"] not in backup.vaults:
            raise ResourceNotFoundException(f"Backup vault {rule['TargetBackupVaultName']} does not exist.")


def recovery_points(backup: Any, vault: str) -> list[Any]:
    """The snapshots of RDS that are in a vault."""
    snapshots = rds_backends[backup.account_id][backup.region_name].database_snapshots.values()
    return [each for each in snapshots if getattr(each, "rehearsal_vault", "") == vault]


def used_role(backup: Any, arn: str) -> None:
    """Refuses a role that there is none of, and, once, one that is new: AWS does not know it everywhere yet."""
    name = arn.rpartition("/")[2]
    seen = backup.__dict__.setdefault("rehearsal_roles", set())
    there = name in [role.name for role in iam_backends[backup.account_id]["aws"].roles.values()]
    if not there or arn not in seen:
        seen.add(arn)
        raise InvalidParameterValueException(f"IAM Role {arn} cannot be assumed by AWS Backup")


def selections_of(response: Any) -> tuple[str, dict[str, Any]]:
    plan = response.backup_backend.get_backup_plan(response.uri_match["backupPlanId"], None)
    return plan.backup_plan_id, plan.__dict__.setdefault("selections", {})


def update_backup_plan(response: Any) -> str:
    backup, given = response.backup_backend, json.loads(response.body)["BackupPlan"]
    plan = backup.get_backup_plan(response.uri_match["backupPlanId"], None)
    check(backup, given)
    made = models.Plan(given, "", backup)
    plan.backup_plan, plan.version_id = made.backup_plan, made.version_id
    return json.dumps(plan.to_dict())


def create_backup_selection(response: Any) -> str:
    plan, selections = selections_of(response)
    given = json.loads(response.body)["BackupSelection"]
    used_role(response.backup_backend, given["IamRoleArn"])
    made = {"SelectionId": str(mock_random.uuid4()), "BackupPlanId": plan, "CreationDate": unix_time()}
    selections[made["SelectionId"]] = {**made, "BackupSelection": given}
    return json.dumps(made)


def list_backup_selections(response: Any) -> str:
    _plan, selections = selections_of(response)
    listed = [
        {**{key: each[key] for key in ("SelectionId", "BackupPlanId", "CreationDate")}, **named(each)}
        for each in selections.values()
    ]
    return json.dumps({"BackupSelectionsList": listed})


def named(selection: dict[str, Any]) -> dict[str, Any]:
    return {key: selection["BackupSelection"][key] for key in ("SelectionName", "IamRoleArn")}


def get_backup_selection(response: Any) -> str:
    found = selections_of(response)[1].get(response.uri_match["selectionId"])
    if not found:
        raise ResourceNotFoundException("Cannot find the selection.")
    # AWS answers with all of them.
    nothing: dict[str, Any] = {"ListOfTags": [], "NotResources": [], "Resources": []}
    return json.dumps({**found, "BackupSelection": {**nothing, **found["BackupSelection"]}})


def delete_backup_selection(response: Any) -> str:
    selections_of(response)[1].pop(response.uri_match["selectionId"])
    return "{}"


def start_backup_job(response: Any) -> str:
    backup, given = response.backup_backend, json.loads(response.body)
    vault = backup.describe_backup_vault(given["BackupVaultName"])
    rds = rds_backends[backup.account_id][backup.region_name]
    name = f"awsbackup:job-{mock_random.uuid4()}"
    snapshot = rds.create_db_snapshot(given["ResourceArn"].rpartition(":")[2], name, "awsbackup")
    # It belongs to the vault, and has the database's key: AWS Backup does not use the vault's for RDS.
    snapshot.rehearsal_vault, snapshot.tags = vault.backup_vault_name, []
    count(backup, vault)
    return json.dumps(
        {"BackupJobId": name.removeprefix("awsbackup:job-"), "RecoveryPointArn": snapshot.db_snapshot_arn}
    )


def count(backup: Any, vault: Any) -> None:
    vault.num_of_recovery_points = len(recovery_points(backup, vault.backup_vault_name))


def delete_recovery_point(response: Any) -> str:
    backup, vault = response.backup_backend, response.uri_match["backupVaultName"]
    rds = rds_backends[backup.account_id][backup.region_name]
    name = response.uri_match["recoveryPointArn"].partition(":snapshot:")[2]
    rds.database_snapshots.pop(name)
    count(backup, backup.describe_backup_vault(vault))
    return "{}"


for operation in (
    update_backup_plan,
    create_backup_selection,
    list_backup_selections,
    get_backup_selection,
    delete_backup_selection,
    start_backup_job,
    delete_recovery_point,
):
    setattr(BackupResponse, operation.__name__, operation)
for path in ("/backup-jobs$", "/backup-vaults/(?P<name>[^/]+)/recovery-points/(?P<arn>.+)$"):
    urls.url_paths[f"{{0}}{path}"] = urls.response.dispatch
