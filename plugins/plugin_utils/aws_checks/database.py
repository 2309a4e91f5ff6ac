# SPDX-License-Identifier: GPL-3.0-or-later
"""The database: storage that RDS would refuse, and an upgrade to another major version."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.cellcs.orthweb.plugins.module_utils.aws import database_storage


def database_problems(
    databases: Sequence[Mapping[str, Any]],
    *,
    stack: str,
    storage: Mapping[str, object],
    engine_version: object,
    major_upgrade: object,
) -> Iterator[str]:
    """Of the database as it is wanted.

    :param databases: those of the stack; none if AWS did not answer
    :param storage: as :func:`database_storage.problems` takes it; empty without an RDS database
    :param major_upgrade: the major version that a person has agreed to upgrade to, or nothing
    """
    if not storage:
        return
    there = next((each for each in databases if each["id"] == stack), None)
    yield from database_storage.problems(storage, there)
    if there and there.get("engine_version"):
        yield from _version_problems(there, _major(engine_version), str(major_upgrade or ""))


def _version_problems(there: Mapping[str, Any], wanted: str, agreed: str) -> Iterator[str]:
    name, runs = there["id"], str(there["engine_version"])
    if not wanted.isdigit():
        yield f'orthweb_rds_engine_version is "{wanted}": use a major version, such as 17.'
    elif int(wanted) < int(_major(runs)):
        yield (
            f"orthweb_rds_engine_version is {wanted}, but the database {name} runs PostgreSQL {runs}, and RDS never "
            f"goes back. Set it to {_major(runs)}. What the database was before an upgrade is in the snapshot "
            f"{name}-before-…"
        )
    # One that RDS is upgrading now reports its old version.
    elif int(wanted) > int(_major(runs)) and there.get("state") != "upgrading":
        yield from _upgrade_problems(there, wanted, agreed)


def _upgrade_problems(there: Mapping[str, Any], wanted: str, agreed: str) -> Iterator[str]:
    name, runs = there["id"], there["engine_version"]
    targets = sorted({_major(each["version"]) for each in there.get("upgrades", []) if each["major"]}, key=int)
    if wanted not in targets:
        yield (
            f"orthweb_rds_engine_version is {wanted}, but the database {name} runs PostgreSQL {runs}, which RDS can "
            f"upgrade to {', '.join(targets) or 'no other major version'}."
        )
    elif agreed != wanted:
        yield (
            f"orthweb_rds_engine_version is {wanted}, but the database {name} runs PostgreSQL {runs}. The upgrade "
            "interrupts the archive for some minutes up to an hour, and there is no way back but the snapshot that is "
            f"taken before it. To upgrade, add -e orthweb_rds_major_upgrade={wanted}; to stay, set "
            f"orthweb_rds_engine_version: {_major(runs)}."
        )
    elif there.get("state") != "available":
        yield (
            f'The database {name} is "{there.get("state")}"; RDS upgrades it only when it is "available". Run the '
            "playbook again then."
        )


def _major(version: object) -> str:
    return str(version).partition(".")[0]
