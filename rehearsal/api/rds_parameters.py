# SPDX-License-Identifier: GPL-3.0-or-later
"""Corrections of RDS parameter groups. moto knows no parameters at all, so a wrong name would never be noticed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from moto.rds import exceptions, models

from .replace import replaces

# name: (value that the engine starts with, type, whether it takes a restart)
KNOWN: dict[str, tuple[str | None, str, bool]] = {
    "log_connections": (None, "boolean", False),
    "log_disconnections": (None, "boolean", False),
    "log_error_verbosity": (None, "string", False),
    "log_min_duration_statement": (None, "integer", False),
    "log_min_error_statement": (None, "string", False),
    "log_parameter_max_length": (None, "integer", False),
    "log_parameter_max_length_on_error": (None, "integer", False),
    "log_statement": (None, "string", False),
    "max_connections": ("LEAST({DBInstanceClassMemory/9531392},5000)", "integer", True),
    "rds.force_ssl": ("1", "boolean", False),
    "shared_preload_libraries": ("pg_stat_statements", "list", True),
    "ssl_min_protocol_version": ("TLSv1.2", "string", False),
}


# A new group lists the parameters of its family, as AWS does. TLS is on by default from PostgreSQL 15 on.
@replaces(models.DBParameterGroup, "__init__")
def init(original: Any, group: Any, *args: Any, **kwargs: Any) -> None:
    original(group, *args, **kwargs)
    family = group.family or ""
    if not family.startswith("postgres"):
        return
    for name, (value, data_type, is_static) in KNOWN.items():
        parameter = {
            "ParameterName": name,
            "Description": name,
            "DataType": data_type,
            "ApplyType": "static" if is_static else "dynamic",
            "Source": "engine-default" if value is None else "system",
            "IsModifiable": True,
        }
        if name == "rds.force_ssl" and family in ("postgres12", "postgres13", "postgres14"):
            value = "0"
        if value is not None:
            parameter["ParameterValue"] = value
        group.parameters[name] = parameter


# AWS refuses a name that the family does not have, and "immediate" for what takes a restart.
@replaces(models.DBParameterGroup, "update_parameters")
def update_parameters(original: Any, group: Any, new_parameters: Iterable[dict[str, Any]]) -> None:
    wanted = [dict(parameter) for parameter in new_parameters]
    if (group.family or "").startswith("postgres"):
        for parameter in wanted:
            name = parameter["ParameterName"]
            if name not in KNOWN:
                raise exceptions.RDSClientError("InvalidParameterValue", f"Could not find parameter with name: {name}")
            if KNOWN[name][2] and parameter.get("ApplyMethod") == "immediate":
                raise exceptions.RDSClientError(
                    "InvalidParameterCombination", "cannot use immediate apply method for static parameter"
                )
            parameter["Source"] = "user"
    original(group, wanted)
    for database in group.backend.databases.values():
        if database.db_parameter_group_name == group.name:
            now = {each["ParameterName"]: each.get("ParameterValue") for each in wanted if is_immediate(each)}
            database.rehearsal_in_force.update(now)


# moto says "in-sync" of all. On AWS, an instance works with what its group had when it started, and with what was
# changed "immediate" since; all else waits for a reboot.
def is_immediate(parameter: dict[str, Any]) -> bool:
    return parameter.get("ApplyMethod") == "immediate"


def values(group: Any) -> dict[str, Any]:
    return {name: parameter.get("ParameterValue") for name, parameter in group.parameters.items()}


def starts(database: Any) -> None:
    """The instance reads its parameters."""
    (group,) = database.db_parameter_groups()
    database.rehearsal_group, database.rehearsal_in_force = group.name, values(group)


@replaces(models.DBInstance, "__init__")
def init_instance(original: Any, database: Any, *args: Any, **kwargs: Any) -> None:
    original(database, *args, **kwargs)
    starts(database)


@replaces(models.RDSBackend, "reboot_db_instance")
def reboot_db_instance(original: Any, rds: Any, db_instance_identifier: str) -> Any:
    database = original(rds, db_instance_identifier)
    starts(database)
    return database


@property  # type: ignore[misc]
def group_status(database: Any) -> list[dict[str, str]]:
    (group,) = database.db_parameter_groups()
    is_in_force = (database.rehearsal_group, database.rehearsal_in_force) == (group.name, values(group))
    status = "in-sync" if is_in_force else "pending-reboot"
    return [{"DBParameterGroupName": group.name, "ParameterApplyStatus": status}]


models.DBInstance.db_parameter_group_status_list = group_status  # type: ignore[method-assign,assignment]


# A group that does not exist is an error on AWS. moto answers with an empty list.
@replaces(models.RDSBackend, "describe_db_parameter_groups")
def describe_db_parameter_groups(original: Any, rds: Any, db_parameter_group_kwargs: dict[str, Any]) -> Any:
    found = original(rds, db_parameter_group_kwargs)
    name = db_parameter_group_kwargs.get("db_parameter_group_name")
    if name and not found:
        raise exceptions.DBParameterGroupNotFoundError(name)
    return found


# AWS refuses to delete a group that an instance has.
@replaces(models.RDSBackend, "delete_db_parameter_group")
def delete_db_parameter_group(original: Any, rds: Any, db_parameter_group_name: str) -> Any:
    name = db_parameter_group_name
    if any((database.db_parameter_group_name or "").lower() == name.lower() for database in rds.databases.values()):
        raise exceptions.RDSClientError(
            "InvalidDBParameterGroupState",
            f"One or more database instances are still members of this parameter group {name}, "
            "so the group cannot be deleted",
        )
    return original(rds, name)
