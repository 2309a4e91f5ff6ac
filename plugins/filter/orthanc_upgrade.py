# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether another version of Orthanc may take over a database, and what must happen before it does."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

# Version of the plugin from which on the index has this schema revision (Orthanc Book, "PostgreSQL plugins").
REVISIONS = (
    ((0, 0), 1),
    ((6, 0), 2),
    ((7, 0), 3),
    ((7, 2), 4),
    ((8, 0), 5),
    ((9, 0), 6),
    ((10, 0), 10),
    ((11, 0), 11),
)
# Of a later plugin we do not know which revision it makes.
NEWEST_KNOWN = (11, 0)
# Rows of the table `globalproperties`.
SCHEMA = "1"
REVISION = "4"
SUPPORTED_SCHEMA = "6"


@dataclass(frozen=True)
class Upgrade:
    """What a change to another image means.

    :ivar problem: why it must not go on, and what to do; empty if it may
    :ivar new_version: whether it is another version of Orthanc than the one that runs
    :ivar irreversible: whether the version before cannot read the database afterwards
    :ivar message: what will happen, for a person
    """

    problem: str = ""
    new_version: bool = True
    irreversible: bool = False
    message: str = ""


def _plugin_version(said: str) -> tuple[int, int] | None:
    found = re.search(r"postgresql-index' \(version (\d+)\.(\d+)", said)
    return (int(found[1]), int(found[2])) if found else None


def _orthanc_version(said: str) -> str:
    found = re.search(r"^Orthanc (\S+)", said, re.MULTILINE)
    return found[1] if found else "of an unknown version"


def _revision_of(plugin: tuple[int, int]) -> int:
    return max(revision for since, revision in REVISIONS if since <= plugin)


def _properties(said: str) -> dict[str, str]:
    return dict(line.split("|", 1) for line in said.splitlines() if "|" in line)


def upgrade(image: str, database: str, running: str = "") -> Upgrade:
    """Decide from what the image, the database and the container that runs have said.

    :param image: ``Orthanc --version``, and the line in which Orthanc registers the plugin of the index
    :param database: rows of ``globalproperties``, property and value with a bar between them
    :param running: ``Orthanc --version`` of the container that runs; empty if none does
    """
    wanted, plugin = _orthanc_version(image), _plugin_version(image)
    before = _orthanc_version(running) if running else "of an unknown version"
    if plugin is None:
        return Upgrade(
            f"Orthanc {wanted} of the new image does not load its PostgreSQL plugin, so it would find no images. Set "
            "orthanc_image or orthweb_images_suites to an image that has it. Orthanc was not changed."
        )
    properties = _properties(database)
    schema, current = properties.get(SCHEMA, SUPPORTED_SCHEMA), int(properties.get(REVISION, "1"))
    if schema != SUPPORTED_SCHEMA:
        return Upgrade(
            f"The database has Orthanc's schema {schema}, but only {SUPPORTED_SCHEMA} is supported here. Orthanc was "
            "not changed. Upgrade the database as the Orthanc Book describes under 'Replication and upgrade', or send "
            "the images to a new stack."
        )
    name = ".".join(map(str, plugin))
    target = _revision_of(plugin)
    if current > target:
        return Upgrade(
            f"The database has schema revision {current}, but the PostgreSQL plugin {name} of the new image (Orthanc "
            f"{wanted}) supports none above {target}: it would not start. Orthanc was not changed. Deploy the previous "
            "image, restore the backup that was made before its upgrade, or downgrade the database with the scripts of "
            "the Orthanc Book ('PostgreSQL plugins', 'Upgrades/Downgrades')."
        )
    from_to = f"Orthanc {before} → {wanted}, PostgreSQL plugin {name}"
    if current == target and plugin <= NEWEST_KNOWN:
        return Upgrade(
            new_version=before != wanted,
            message=f"{from_to}: the database stays at schema revision {current}, and you can go back.",
        )
    revision = str(target) if plugin <= NEWEST_KNOWN else "an unknown revision"
    return Upgrade(
        irreversible=True,
        message=f"{from_to}: the database is upgraded from schema revision {current} to {revision}. "
        "The previous version cannot read it afterwards.",
    )


def orthanc_upgrade(image: str, database: str, running: str = "") -> dict[str, Any]:
    """:func:`upgrade` as a dictionary, with ``problem``, ``new_version``, ``irreversible`` and ``message``."""
    return asdict(upgrade(image, database, running))


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"orthanc_upgrade": orthanc_upgrade}
