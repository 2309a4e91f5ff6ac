# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be done with a database in each of the states that RDS reports.

They are those of "Viewing Amazon RDS DB instance status" in AWS's documentation. One that is not here, perhaps because
it is new, is waited for, as those are that pass by themselves within minutes: creating, modifying, upgrading,
rebooting, maintenance, starting, stopping, renaming, resetting-master-credentials and the like.
"""

from __future__ import annotations

from typing import Any

FULL, MISSING = "storage-full", "missing"
# Nothing is under way that a deletion or a change would have to wait for; only another change of the
# storage, which RDS may refuse for hours.
SETTLED = frozenset({"available", "storage-initialization", "storage-optimization"})
# Clients notice nothing. RDS finishes these within minutes, and refuses changes and deletion until then.
BUSY = frozenset(
    {
        "backing-up",
        "configuring-associated-roles",
        "configuring-enhanced-monitoring",
        "configuring-iam-database-auth",
        "configuring-log-exports",
        "storage-config-upgrade",
    }
)
# CreateDBSnapshot names these two states; DeleteDBInstance refuses a final snapshot in all others.
SNAPSHOT = frozenset({"available", "storage-optimization"})
# What RDS does not leave by itself, and what to do about it where that is known.
DEAD_ENDS = {
    "failed": (
        "RDS could not create it: delete it in the console (it never contained any data), then run the playbook again."
    ),
    "inaccessible-encryption-credentials": "",
    "inaccessible-encryption-credentials-recoverable": "",
    "incompatible-create": "",
    "incompatible-network": "The subnets have no free address, or one of them was deleted.",
    "incompatible-option-group": "",
    "incompatible-parameters": (
        "A parameter of the group does not fit the instance class or version: remove what you changed from "
        "aws_database_parameters, and reboot it (aws rds reboot-db-instance)."
    ),
    "incompatible-restore": "",
    "insufficient-capacity": "",
    "restore-error": "",
    "stopped": "It was stopped by hand. Start it: aws rds start-db-instance.",
    FULL: (
        "Raise aws_database_storage_gb and aws_database_storage_limit_gb, and run the playbook again: RDS accepts this "
        "change in this state, unless the last one is less than six hours old."
    ),
}


def state(name: str, growing: bool = False) -> dict[str, Any]:
    """What the state with this name means; ``missing`` is that of a database that is not there.

    :param growing: whether RDS was asked for more storage; it may not have begun with it
    :returns: ``name``; ``usable`` (clients can work), ``settled`` (can be deleted and changed now),
        ``dead_end`` (RDS does not leave it by itself), ``advice`` for one of these,
        ``snapshot`` (a final snapshot is possible)
    """
    return {
        "name": name,
        "usable": name in SETTLED | BUSY,
        "settled": name in SETTLED,
        "dead_end": name in DEAD_ENDS and not (growing and name == FULL),
        "advice": "It was deleted while the playbook was running." if name == MISSING else DEAD_ENDS.get(name, ""),
        "snapshot": name in SNAPSHOT,
    }
