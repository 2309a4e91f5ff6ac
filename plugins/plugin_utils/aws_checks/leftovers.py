# SPDX-License-Identifier: GPL-3.0-or-later
"""What a teardown has left behind."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence


def left_over(
    resources: Mapping[str, Sequence[Mapping[str, str]]],
    log_groups_kept: Collection[str] = (),
    secrets_kept: Collection[str] = (),
) -> list[str]:
    """``subnets: orthweb-public-1 (subnet-1)`` for each.

    A snapshot stays, a vault with backups, and a key that something needs.

    :param resources: what carries the stack's tag, by kind, each with ``id`` and ``name``
    :param log_groups_kept: names of log groups that stay, too, with the key that encrypts them
    :param secrets_kept: names of secrets that do, with the key that encrypts them
    """
    kept = {"log_groups": log_groups_kept, "secrets": secrets_kept}
    return [
        f"{kind.replace('_', ' ')}: {thing['name']} ({thing['id']})"
        for kind, things in resources.items()
        if kind != "db_snapshots" and not (kind == "kms_keys" and secrets_kept)
        for thing in things
        if not thing.get("needed_by") and not thing.get("recovery_points") and thing["name"] not in kept.get(kind, ())
        if not set(thing.get("log_groups", ())) & set(log_groups_kept)
    ]
