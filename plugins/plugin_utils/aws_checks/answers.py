# SPDX-License-Identifier: GPL-3.0-or-later
"""What AWS answered: zones, images, names that somebody else has, a database that is being deleted, given subnets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any


def zone_problems(wanted: Sequence[str], *, found: Sequence[str], used: Sequence[str], region: str) -> Iterator[str]:
    """Of the availability zones.

    :param wanted: zones that a person chose; none to have the first ones of the region
    :param found: those that the region has
    :param used: those that the stack would use
    """
    for zone in dict.fromkeys(wanted):
        if zone not in found:
            yield f"aws_survey_zones has {zone}; {region} has {', '.join(sorted(found))}."
    if len(used) < 2:
        yield (
            f"RDS needs subnets in at least two zones, but {len(used)} would be used (aws_survey_zone_count, "
            "aws_survey_zones)."
        )


def image_problems(images: Sequence[object], *, names: str, owner: str, region: str) -> Iterator[str]:
    """Of the image that the hosts would have.

    :param images: those of the account ``owner`` whose names fit the pattern ``names``
    """
    if not images:
        yield (
            f"There is no image {names} of the account {owner} in {region} (aws_survey_image_names, "
            "aws_survey_image_owner)."
        )


def foreign_name_problems(foreign: Sequence[Mapping[str, str]], stack: str) -> Iterator[str]:
    """Of names that somebody else has.

    :param foreign: resources with ``kind``, ``id`` and ``name`` that have a name of the stack, and not its tag
    """
    for thing in foreign:
        yield (
            f'The name "{thing["name"]}" is taken: {thing["kind"].replace("_", " ")} {thing["id"]} has it but does not '
            f"have the tag orthweb:stack={stack}, so it is not ours. Choose another orthweb_stack."
        )


def going_database_problems(databases: Sequence[Mapping[str, str]]) -> Iterator[str]:
    """Of a database that is on its way out.

    :param databases: the stack's own that RDS is deleting, with ``id`` and ``name``
    """
    for database in databases:
        yield (
            f"RDS is still deleting the database {database['name']} of this stack. A new one cannot be created until "
            f"it is gone: aws rds wait db-instance-deleted --db-instance-identifier {database['id']}."
        )


def given_subnet_problems(
    found: Sequence[Mapping[str, Any]],
    *,
    vpc_id: str,
    public_subnet_ids: Sequence[str],
    private_subnet_ids: Sequence[str],
    region: str,
) -> Iterator[str]:
    """Of the subnets of an existing VPC.

    :param found: those of the given subnets that there are, with ``subnet_id``, ``vpc_id`` and ``availability_zone``
    :param vpc_id: the VPC that was given with them; if it is empty, there is nothing to check
    """
    if not vpc_id:
        return
    known = {subnet["subnet_id"] for subnet in found}
    for subnet_id in [*public_subnet_ids, *private_subnet_ids]:
        if subnet_id not in known:
            yield f"There is no subnet {subnet_id} in {region}."
    for subnet in found:
        if subnet["vpc_id"] != vpc_id:
            yield f"The subnet {subnet['subnet_id']} is in {subnet['vpc_id']}, not in {vpc_id}."
    private_zones = {subnet["availability_zone"] for subnet in found if subnet["subnet_id"] in private_subnet_ids}
    if len(private_zones) < 2:
        yield "orthweb_private_subnet_ids are all in one zone; RDS needs two."
