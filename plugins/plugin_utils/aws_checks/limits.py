# SPDX-License-Identifier: GPL-3.0-or-later
"""What the account can have: zones that offer the types, and quotas that have enough left."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from ipaddress import ip_network
from typing import Any

from ansible.module_utils.parsing.convert_bool import boolean as is_true
from ansible_collections.cellcs.orthweb.plugins.plugin_utils.aws.names import hosts as host_names

QUOTAS = {
    "vpcs": "VPCs",
    "addresses": "Elastic IPs",
    "standard_vcpus": "vCPUs of running on-demand instances (standard families)",
    "databases": "RDS instances",
    "database_storage_gb": "GiB of RDS storage",
}


def used_zones(
    found: Sequence[str], subnets: Sequence[Mapping[str, Any]], offers: Mapping[str, Sequence[str] | None], count: int
) -> list[str]:
    """The zones for the stack: those that it has already, in their order; then those that offer what it needs.

    :param found: zones of the region
    :param subnets: of the stack, with C(zone) and C(cidr); which zone is the first decides on the ranges of all subnets
    :param offers: zones with the C(instance_type) and with the C(database_class); None where AWS did not say
    """
    ordered = sorted(subnets, key=lambda subnet: ip_network(subnet["cidr"]))
    there = list(dict.fromkeys(subnet["zone"] for subnet in ordered))

    def lacks(zone: str) -> tuple[bool, bool]:
        lacking = [
            zones is not None and zone not in zones for zones in map(offers.get, ("instance_type", "database_class"))
        ]
        return any(lacking), lacking[0]

    return [*there, *sorted((zone for zone in found if zone not in there), key=lambda zone: (lacks(zone), zone))][
        :count
    ]


def limit_problems(
    limits: Mapping[str, Any],
    resources: Mapping[str, Sequence[Mapping[str, Any]]],
    *,
    stack: str,
    instance_count: object,
    instance_type: str,
    database: Mapping[str, Any],
    zones: tuple[Sequence[str], Sequence[str]],
    given_vpc: bool,
    region: str,
) -> Iterator[str]:
    """Of what is still to be made. What is there already needs nothing.

    :param limits: as the module aws_stack_info returns them
    :param resources: what there is of the stack, by kind
    :param database: C(class), C(storage_gb) and C(multi_az); empty or without a class if there is to be none
    :param zones: those of the hosts' subnets, in their order, and those of the database's
    """
    host_zones, database_zones = zones
    there = {each["name"] for each in resources["instances"]}
    names = host_names(stack, int(str(instance_count)))
    new_hosts = [number for number, name in enumerate(names) if name not in there]
    yield from _type_problems(
        limits["offers"]["instance_type"],
        instance_type,
        [host_zones[number % len(host_zones)] for number in new_hosts if host_zones],
        region,
    )
    name = database.get("class") or ""
    if name and name not in [each.get("class") for each in resources["db_instances"]]:
        yield from _class_problems(
            limits["offers"]["database_class"], name, database_zones, is_true(database.get("multi_az", False)), region
        )
    new_database = bool(name) and not resources["db_instances"]
    needed = {
        "vpcs": 0 if given_vpc or resources["vpcs"] else 1,
        "addresses": max(0, len(names) - len(resources["addresses"])),
        "standard_vcpus": len(new_hosts) * (limits["vcpus"] or 0),
        "databases": int(new_database),
        "database_storage_gb": int(database["storage_gb"]) if new_database else 0,
    }
    yield from _quota_problems(limits["quotas"], needed, region)


def _type_problems(
    offered: Sequence[str] | None, instance_type: str, zones: Sequence[str], region: str
) -> Iterator[str]:
    lacking = [zone for zone in dict.fromkeys(zones) if offered is not None and zone not in offered]
    if lacking:
        yield (
            f"orthweb_instance_type is {instance_type}, which is not offered in {' and '.join(lacking)}: "
            f"{_offered(offered or (), region)} Choose another type, or other zones (aws_survey_zones; in a given VPC, "
            "orthweb_public_subnet_ids)."
        )


def _class_problems(
    offered: Sequence[str] | None, name: str, zones: Sequence[str], multi_az: bool, region: str
) -> Iterator[str]:
    """RDS puts a database into one of the zones of its subnets, and a standby into another."""
    able = [zone for zone in dict.fromkeys(zones) if offered is None or zone in offered]
    if zones and len(able) < (2 if multi_az else 1):
        which = "two of the zones, as aws_database_multi_az is true," if multi_az else "one of the zones"
        yield (
            f"aws_database_class is {name}, which RDS has to offer with this version of PostgreSQL on gp3 in at least "
            f"{which} {', '.join(dict.fromkeys(zones))}: {_offered(offered or (), region)} Choose another class, or "
            "other zones (aws_survey_zones; in a given VPC, orthweb_private_subnet_ids)."
        )


def _offered(zones: Sequence[str], region: str) -> str:
    return f"{region} has it in {', '.join(zones)}." if zones else f"{region} does not have it at all."


def _quota_problems(quotas: Mapping[str, Mapping[str, int]], needed: Mapping[str, int], region: str) -> Iterator[str]:
    """What could not be asked for is not judged."""
    for name, more in needed.items():
        quota = quotas.get(name)
        if quota and more and quota["used"] + more > quota["limit"]:
            yield (
                f"The quota of {QUOTAS[name]} in {region} is {quota['limit']}, of which {quota['used']} are in use, "
                f"and this stack needs {more} more. Remove what nobody needs, or request more in Service Quotas."
            )
