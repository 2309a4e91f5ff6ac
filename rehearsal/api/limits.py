# SPDX-License-Identifier: GPL-3.0-or-later
"""What AWS says of types, classes and quotas, and moto does not."""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.models import instance_types
from moto.ec2.models.availability_zones_and_regions import RegionsAndZonesBackend
from moto.rds import models
from moto.rds.responses import RDSResponse
from moto.servicequotas.models import ServiceQuotasBackend

from ..settings import settings
from .replace import replaces

VERSIONS = ("16.10", "17.5", "17.6", "18.1")
STORAGE = ("standard", "gp2", "gp3", "io1", "io2")


def lacking(what: str) -> set[str]:
    """The zones that do not have a type or class: the setting has pairs, such as C(us-east-1a t3.medium)."""
    pairs = [pair.split() for pair in settings.not_offered.split(",") if pair.strip()]
    return {zone for zone, name in pairs if name == what}


# On AWS some zone always lacks some type. In moto's data, all that anybody uses is everywhere.
@replaces(instance_types.InstanceTypeOfferingBackend, "describe_instance_type_offerings")
def describe_instance_type_offerings(original: Any, ec2: Any, *args: Any, **kwargs: Any) -> list[Any]:
    return [each for each in original(ec2, *args, **kwargs) if each["Location"] not in lacking(each["InstanceType"])]


# moto knows no options of PostgreSQL. AWS has one for each version, class and kind of storage, with its zones; and none
# for a class that it does not have.
@replaces(RDSResponse, "describe_orderable_db_instance_options")
def describe_orderable_db_instance_options(original: Any, response: Any) -> Any:
    name, engine = response.params.get("DBInstanceClass"), response.params.get("Engine")
    if engine != "postgres" or not name:
        return original(response)
    zones = [zone.name for zone in RegionsAndZonesBackend.zones[response.region] if zone.name not in lacking(name)]
    known = name.removeprefix("db.") in instance_types.INSTANCE_TYPES
    options = [
        {
            "Engine": engine,
            "EngineVersion": version,
            "DBInstanceClass": name,
            "StorageType": storage,
            "AvailabilityZones": [{"Name": zone} for zone in zones],
            "MultiAZCapable": len(zones) > 1,
            "Vpc": True,
        }
        for version in VERSIONS
        for storage in STORAGE
    ]
    return ActionResult({"OrderableDBInstanceOptions": options if known and zones else []})


# moto has no such call. The limits are those of a new account.
def describe_account_attributes(response: Any) -> ActionResult:
    databases = list(models.rds_backends[response.current_account][response.region].databases.values())
    storage = sum(int(database.allocated_storage or 0) for database in databases)
    quotas = (("DBInstances", len(databases), 40), ("AllocatedStorage", storage, 100_000))
    return ActionResult({"AccountQuotas": [{"AccountQuotaName": n, "Used": used, "Max": m} for n, used, m in quotas]})


RDSResponse.describe_account_attributes = describe_account_attributes  # type: ignore[attr-defined]


# moto has the quotas of VPC only.
@replaces(ServiceQuotasBackend, "get_service_quota")
def get_service_quota(original: Any, quotas: Any, service_code: str, quota_code: str) -> dict[str, Any]:
    if (service_code, quota_code) == ("ec2", "L-1216C47A"):
        return {
            "ServiceCode": service_code,
            "QuotaCode": quota_code,
            "Value": float(settings.vcpus),
            "Adjustable": True,
        }
    return original(quotas, service_code, quota_code)
