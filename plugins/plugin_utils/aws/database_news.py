# SPDX-License-Identifier: GPL-3.0-or-later
"""What is pending for a database that works: values that wait for a restart, versions, maintenance, a certificate."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

# RDS renews a server certificate by itself, weeks before its end; one that is nearer than this was left over.
CERTIFICATE_DAYS = 30


def news(found: Mapping[str, Any], outlook: Mapping[str, Any], today: str) -> list[str]:
    """Sentences; none if nothing is pending.

    :param found: the database as it is now, as amazon.aws.rds_instance_info returns it; empty if there is none
    :param outlook: the same of the module aws_stack_info, which knows ``upgrades`` and ``maintenance``; empty if it was
        not asked
    :param today: as 2026-11-29
    """
    if not found:
        return []
    return [
        *_parameters(found),
        *_versions(found, outlook),
        *_pending_version(found),
        *_maintenance(found, outlook),
        *_certificate(found, date.fromisoformat(today)),
    ]


def groups_in(found: Mapping[str, Any], status: str) -> list[str]:
    """Parameter groups of the database whose values have this ``ParameterApplyStatus``."""
    return [
        group["db_parameter_group_name"]
        for group in found.get("db_parameter_groups", [])
        if group.get("parameter_apply_status") == status
    ]


def _parameters(found: Mapping[str, Any]) -> Iterator[str]:
    name = found["db_instance_identifier"]
    for group in groups_in(found, "pending-reboot"):
        yield (
            f"The parameter group {group} has values that are not in force: the database {name} has to be restarted "
            "for them (pending-reboot). That takes about a minute, in which nothing can be stored or read. At a time "
            "that suits you, run the same command with -e aws_database_reboot=true."
        )
    for group in groups_in(found, "failed-to-apply"):
        yield (
            f"RDS could not apply the parameter group {group} to the database {name} (failed-to-apply). Correct "
            f"aws_database_parameters. {_events(name)}"
        )


def _versions(found: Mapping[str, Any], outlook: Mapping[str, Any]) -> Iterator[str]:
    name, window = found["db_instance_identifier"], found.get("preferred_maintenance_window", "")
    minor = [each for each in outlook.get("upgrades", []) if not each["major"]]
    # The outlook is from the beginning of the run: an upgrade may have come between.
    if not minor or outlook.get("engine_version", found.get("engine_version")) != found.get("engine_version"):
        return
    newest = max(minor, key=lambda each: [int(part) for part in each["version"].split(".") if part.isdigit()])
    how = (
        f"RDS installs it by itself, in a maintenance window ({window}, UTC)"
        if newest["automatic"]
        else "RDS does not install it by itself yet"
    )
    yield (
        f"PostgreSQL {newest['version']} is available for the database {name}, which runs "
        f"{found.get('engine_version')}: {how}. To have it now, with an interruption of some minutes: aws rds "
        f"modify-db-instance --db-instance-identifier {name} --engine-version {newest['version']} --apply-immediately"
    )


def _pending_version(found: Mapping[str, Any]) -> Iterator[str]:
    """One that somebody has asked for. RDS applies it with the next change that is to be applied at once."""
    if version := (found.get("pending_modified_values") or {}).get("engine_version"):
        yield (
            f"RDS is going to upgrade the database {found['db_instance_identifier']} from PostgreSQL "
            f"{found.get('engine_version')} to {version}, as somebody has asked it to: in the maintenance window "
            f"({found.get('preferred_maintenance_window', '')}, UTC), or as soon as a deployment changes the database."
        )


def _maintenance(found: Mapping[str, Any], outlook: Mapping[str, Any]) -> Iterator[str]:
    name = found["db_instance_identifier"]
    for action in outlook.get("maintenance", []):
        when = f", in the maintenance window of {action['date']} or after" if action["date"] else ""
        forced = f", on {action['forced_date']} at the latest" if action["forced_date"] else ""
        yield (
            f"RDS has maintenance for the database {name}: {action['action']} ({action['description']}){when}{forced}. "
            f"To have it now: aws rds apply-pending-maintenance-action --resource-identifier {outlook['arn']} "
            f"--apply-action {action['action']} --opt-in-type immediate"
        )


def _certificate(found: Mapping[str, Any], today: date) -> Iterator[str]:
    certificate = found.get("certificate_details") or {}
    ends = str(certificate.get("valid_till") or "")[:10]
    if not ends or (left := (date.fromisoformat(ends) - today).days) > CERTIFICATE_DAYS:
        return
    name = found["db_instance_identifier"]
    yield (
        f"The certificate of the database {name} (CA {certificate.get('ca_identifier')}) "
        f"{f'ends on {ends}' if left >= 0 else f'has ended on {ends}'}. RDS renews it in the maintenance window; if "
        "that was not done, restart the database (aws rds reboot-db-instance). If it is the CA that ends, set "
        "aws_database_ca_identifier to a later one, delete rds-ca.pem in the stack's folder on the controller, and "
        "deploy."
    )


def _events(name: str) -> str:
    return f"Its events: aws rds describe-events --source-type db-instance --source-identifier {name}"
