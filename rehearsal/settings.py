# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be set for a rehearsal, at its start and while it runs (POST /rehearsal/settings)."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass
class Settings:
    """Seconds are real ones. Nothing here is ever forgotten by a reset of the API."""

    database_seconds: float = 0.0  # how long a DB instance is `creating`
    instance_seconds: float = 0.0  # how long an instance is `pending`
    address_seconds: float = 0.0  # how long DescribeInstances does not tell an Elastic IP that was just associated
    deletion_seconds: float = 0.0  # an instance is `shutting-down`, a DB instance `deleting`, a secret's name taken
    interface_seconds: float = 0.0  # how long one that is gone, or a load balancer, is in the way of its subnet
    storage_seconds: float = 0.0  # how long a DB instance is `storage-optimization` after a change of its storage
    storage_again_seconds: float = 0.0  # how long after a change of its storage AWS refuses another one
    change_begins_seconds: float = 0.0  # how long an upgrade, or a growth of full storage, is pending only
    upgrade_fails: bool = False  # RDS gives up an upgrade: the DB instance is `available` in its old version
    database_ends_in: str = "available"  # or what AWS says when it fails: incompatible-parameters, failed, ...
    instance_fails: bool = False  # pending -> terminated, with a reason
    permissions_boundary: str = ""  # IAM refuses a role without this boundary (an ARN)
    logs_away: bool = False  # CloudWatch Logs answers 503
    not_offered: str = ""  # what zones lack, in pairs: us-east-1a t3.medium, us-east-1b db.t4g.medium
    vcpus: float = 32.0  # the quota of running on-demand instances of the standard families

    def update(self, changes: dict[str, Any]) -> None:
        """Takes over changes, all or none. Raises ValueError for a name or a type that does not fit."""
        known = asdict(self)
        for name, value in changes.items():
            if name not in known:
                raise ValueError(f"there is no setting {name!r}; there are {', '.join(sorted(known))}")
            right = type(known[name])
            if right is float and isinstance(value, int) and not isinstance(value, bool):
                continue
            if not isinstance(value, right):
                raise ValueError(f"{name} must be a {right.__name__}, not {value!r}")
        for name, value in changes.items():
            setattr(self, name, type(known[name])(value))


settings = Settings()
