# SPDX-License-Identifier: GPL-3.0-or-later
"""Corrections of RDS instances and subnet groups: what AWS checks and reports and moto does not."""

from __future__ import annotations

import json
import re
import secrets
from typing import Any

from moto.rds import models
from moto.rds.exceptions import RDSClientError

from .replace import replaces

# AWS makes the newest minor version of a major one. Of 2026; which one it is matters to nobody here.
NEWEST_MINOR = {"15": "15.14", "16": "16.10", "17": "17.6"}
RESERVED_USERS = {"admin", "rdsadmin", "rds_superuser", "rdsrepladmin", "public", "user"}


def check(wanted: dict[str, Any], rds: Any) -> None:
    """What AWS refuses at once."""
    user, password = wanted.get("master_username"), wanted.get("master_user_password")
    if user in RESERVED_USERS:
        raise RDSClientError(
            "InvalidParameterValue", f"MasterUsername {user} cannot be used as it is a reserved word used by the engine"
        )
    check_password(password)
    group = rds.db_parameter_groups.get(wanted.get("db_parameter_group_name") or "")
    family = f"postgres{str(wanted['engine_version']).partition('.')[0]}"
    if group and group.family != family:
        raise RDSClientError(
            "InvalidParameterCombination",
            f"The Parameter Group {group.name} with DBParameterGroupFamily {group.family} can't be used for this "
            f"instance. Please use a Parameter Group with DBParameterGroupFamily {family}",
        )


def check_password(password: str | None) -> None:
    if password is not None and (
        len(password) < 8 or not re.fullmatch(r"[!-~]+", password) or set(password) & set('/@"')
    ):
        raise RDSClientError(
            "InvalidParameterValue",
            "The parameter MasterUserPassword is not a valid password. "
            "Only printable ASCII characters besides '/', '@', '\"', ' ' may be used, at least 8 of them.",
        )


@replaces(models.RDSBackend, "create_db_instance")
def create_db_instance(original: Any, rds: Any, db_kwargs: dict[str, Any]) -> Any:
    if db_kwargs.get("engine") == "postgres":
        version = str(db_kwargs.get("engine_version") or "17")
        db_kwargs = {**db_kwargs, "engine_version": NEWEST_MINOR.get(version, version)}
        check(db_kwargs, rds)
    return original(rds, db_kwargs)


@replaces(models.RDSBackend, "modify_db_instance")
def modify_db_instance(original: Any, rds: Any, db_instance_identifier: str, db_kwargs: dict[str, Any]) -> Any:
    check_password(db_kwargs.get("master_user_password"))
    if version := str(db_kwargs.get("engine_version") or ""):
        db_kwargs = {**db_kwargs, "engine_version": NEWEST_MINOR.get(version, version)}
    return original(rds, db_instance_identifier, db_kwargs)


@replaces(models.DBInstance, "__init__")
def init(original: Any, database: Any, *args: Any, **kwargs: Any) -> None:
    original(database, *args, **kwargs)
    # moto takes it and forgets it.
    database.performance_insights_enabled = bool(kwargs.get("enable_performance_insights"))


# AWS generates a password for the master user of the instance. moto has one user and one password for all.
@replaces(models.MasterUserSecret, "_generate_secret_string")
def generate_secret_string(original: Any, secret: Any) -> str:
    return json.dumps({"username": secret.resource.master_username, "password": secrets.token_urlsafe(24)})


# AWS wants two availability zones.
@replaces(models.RDSBackend, "create_subnet_group")
def create_subnet_group(
    original: Any, rds: Any, subnet_name: str, description: str, subnets: list[Any], tags: Any
) -> Any:
    zones = sorted({subnet.availability_zone for subnet in subnets})
    if len(zones) < 2:
        raise RDSClientError(
            "DBSubnetGroupDoesNotCoverEnoughAZs",
            "The DB subnet group doesn't meet Availability Zone (AZ) coverage requirement. Current AZ coverage: "
            f"{', '.join(zones)}. Add subnets to cover at least 2 AZs.",
        )
    return original(rds, subnet_name, description, subnets, tags)


# moto loses a subnet group that is modified.
@replaces(models.RDSBackend, "modify_db_subnet_group")
def modify_db_subnet_group(original: Any, rds: Any, subnet_name: str, *args: Any, **kwargs: Any) -> Any:
    group = original(rds, subnet_name, *args, **kwargs)
    rds.subnet_groups[subnet_name] = group
    return group


# AWS refuses to delete a subnet group that an instance is in.
@replaces(models.RDSBackend, "delete_subnet_group")
def delete_subnet_group(original: Any, rds: Any, subnet_name: str) -> Any:
    for database in rds.databases.values():
        if (getattr(database, "_db_subnet_group_name", None) or "").lower() == subnet_name.lower():
            raise RDSClientError(
                "InvalidDBSubnetGroupStateFault",
                f"Cannot delete the subnet group '{subnet_name}' because at least one database instance: "
                f"{database.db_instance_identifier} is still using it.",
            )
    return original(rds, subnet_name)
