# SPDX-License-Identifier: GPL-3.0-or-later
"""Somebody looks for a fault at the database, and forgets to undo it."""

from __future__ import annotations

from api import STACK, client

rds = client("rds")
rds.modify_db_instance(
    DBInstanceIdentifier=STACK,
    BackupRetentionPeriod=1,
    PubliclyAccessible=True,
    DeletionProtection=False,
    ApplyImmediately=True,
)
values = {"rds.force_ssl": "0", "log_statement": "all"}
rds.modify_db_parameter_group(
    DBParameterGroupName=f"{STACK}-postgres17",
    Parameters=[
        {"ParameterName": name, "ParameterValue": value, "ApplyMethod": "immediate"} for name, value in values.items()
    ],
)
