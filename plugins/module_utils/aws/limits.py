# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be made in an account: which zones offer what, and which quotas have how much left."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

with contextlib.suppress(ImportError):  # AnsibleAWSModule says so.
    from botocore.exceptions import BotoCoreError, ClientError

from .failure import UNREACHABLE, code_of, denied_action, sentence
from .resource import pages

# The families A, C, D, H, I, M, R, T and Z share one quota of vCPUs. Others (G, P, Inf, Mac, ...) have their own.
STANDARD = re.compile(r"(im|is|[acdhimrtz])\d")
VPCS = ("vpc", "L-F678F1CE")
STANDARD_VCPUS = ("ec2", "L-1216C47A")
# What RDS and EC2 call their limits.
DATABASES, STORAGE, ADDRESSES = "DBInstances", "AllocatedStorage", "vpc-max-elastic-ips"
# There is none such: a type or class that no zone has, a quota that was never changed and has no default.
NONE = frozenset({"InvalidInstanceType", "InvalidParameterValue", "NoSuchResourceException"})
THREADS = 8


class LimitsError(Exception):
    """AWS did not answer; the text is for the user."""


def limits(
    client: Callable[[str], Any], *, instance_type: str, database_class: str, engine_version: str
) -> dict[str, Any]:
    """Ask for all of it side by side.

    :param client: makes the boto3 client of a service
    :param database_class: empty if there is to be no database
    :return: C(offers), C(vcpus) and C(quotas) as the module aws_stack_info documents them, C(denied) with the IAM
        actions that are missing, and C(unreachable) with services that do not answer. What could not be asked for is
        None, or is not among the quotas.
    """
    ec2, rds, quotas = (client(service) for service in ("ec2", "rds", "service-quotas"))
    questions: dict[str, tuple[str, Callable[[], Any]]] = {
        "type_zones": ("ec2", lambda: _zones_of_type(ec2, instance_type)),
        "vcpus": ("ec2", lambda: _vcpus_of_type(ec2, instance_type)),
        "vpcs_used": ("ec2", lambda: len(pages(ec2, "describe_vpcs", "Vpcs"))),
        "addresses_used": ("ec2", lambda: len(ec2.describe_addresses()["Addresses"])),
        "vcpus_used": ("ec2", lambda: _vcpus_in_use(ec2)),
        "addresses_limit": ("ec2", lambda: _addresses_limit(ec2)),
        "class_zones": ("rds", lambda: _zones_of_class(rds, database_class, engine_version) if database_class else []),
        "of_rds": ("rds", lambda: rds.describe_account_attributes()["AccountQuotas"]),
        "vpcs_limit": ("servicequotas", lambda: _quota(quotas, *VPCS)),
        "vcpus_limit": ("servicequotas", lambda: _quota(quotas, *STANDARD_VCPUS)),
    }
    denied: set[str] = set()
    unreachable: set[str] = set()

    def ask(name: str) -> Any:
        service, question = questions[name]
        try:
            return question()
        except (BotoCoreError, ClientError) as error:
            if code_of(error) in NONE:
                return None
            if action := denied_action(service, error):
                denied.add(action)
                return None
            # Nothing else needs this service: a network that does not let the controller out to it is no obstacle.
            if service == "servicequotas" and isinstance(error, UNREACHABLE):
                unreachable.add(service)
                return None
            raise LimitsError(sentence(service, error, "Looking for what the account can have")) from error

    with ThreadPoolExecutor(max_workers=THREADS) as threads:
        answers = dict(zip(questions, threads.map(ask, questions), strict=True))
    of_rds = {each["AccountQuotaName"]: each for each in answers["of_rds"] or []}
    found = {
        "vpcs": (answers["vpcs_limit"], answers["vpcs_used"]),
        "addresses": (answers["addresses_limit"], answers["addresses_used"]),
        "standard_vcpus": (answers["vcpus_limit"], answers["vcpus_used"]),
        "databases": _limit_and_use(of_rds.get(DATABASES, {})),
        "database_storage_gb": _limit_and_use(of_rds.get(STORAGE, {})),
    }
    return {
        "offers": {
            "instance_type": answers["type_zones"],
            "database_class": answers["class_zones"],
        },
        # Those of a family with a quota of its own are not asked for.
        "vcpus": answers["vcpus"] if STANDARD.match(instance_type) else None,
        "quotas": {
            name: {"limit": limit, "used": used} for name, (limit, used) in found.items() if None not in (limit, used)
        },
        "denied": sorted(denied),
        "unreachable": sorted(unreachable),
    }


def _zones_of_type(ec2: Any, instance_type: str) -> list[str]:
    filters = [{"Name": "instance-type", "Values": [instance_type]}]
    how = {"LocationType": "availability-zone", "Filters": filters}
    return sorted(
        each["Location"] for each in pages(ec2, "describe_instance_type_offerings", "InstanceTypeOfferings", **how)
    )


def _zones_of_class(rds: Any, database_class: str, engine_version: str) -> list[str]:
    """Where RDS offers the class with any minor version of this major one, on gp3."""
    how = {"Engine": "postgres", "DBInstanceClass": database_class, "Vpc": True}
    major = engine_version.partition(".")[0]
    return sorted(
        {
            zone["Name"]
            for option in pages(rds, "describe_orderable_db_instance_options", "OrderableDBInstanceOptions", **how)
            if option["EngineVersion"].partition(".")[0] == major and option.get("StorageType") == "gp3"
            for zone in option.get("AvailabilityZones", [])
        }
    )


def _vcpus_of_type(ec2: Any, instance_type: str) -> int:
    [found] = ec2.describe_instance_types(InstanceTypes=[instance_type])["InstanceTypes"]
    return int(found["VCpuInfo"]["DefaultVCpus"])


def _vcpus_in_use(ec2: Any) -> int:
    """Of running on-demand instances of the standard families. A stopped one counts for nothing."""
    running = [{"Name": "instance-state-name", "Values": ["pending", "running"]}]
    instances = [
        instance
        for reservation in pages(ec2, "describe_instances", "Reservations", Filters=running)
        for instance in reservation["Instances"]
    ]
    return sum(
        each["CpuOptions"]["CoreCount"] * each["CpuOptions"]["ThreadsPerCore"]
        for each in instances
        if STANDARD.match(each["InstanceType"]) and each.get("InstanceLifecycle") != "spot" and each.get("CpuOptions")
    )


def _addresses_limit(ec2: Any) -> int | None:
    attributes = {each["AttributeName"]: each for each in ec2.describe_account_attributes()["AccountAttributes"]}
    values = attributes.get(ADDRESSES, {}).get("AttributeValues") or [{}]
    value = values[0].get("AttributeValue")
    return int(value) if value else None


def _quota(quotas: Any, service: str, code: str) -> int:
    return int(quotas.get_service_quota(ServiceCode=service, QuotaCode=code)["Quota"]["Value"])


def _limit_and_use(quota: dict[str, Any]) -> tuple[int | None, int | None]:
    return quota.get("Max"), quota.get("Used")
