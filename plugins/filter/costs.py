# SPDX-License-Identifier: GPL-3.0-or-later
"""What a stack costs a month, by a table of prices."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError, AnsibleTypeError
from ansible.module_utils.parsing.convert_bool import boolean
from ansible_collections.cellcs.orthweb.plugins.module_utils.aws.database_storage import (
    BASELINE_IOPS,
    BASELINE_THROUGHPUT,
)

# What a stack is described by: a type and what to take where it is not given.
INPUT: dict[str, tuple[Callable[[Any], Any], Any]] = {
    "instance_type": (str, ""),
    "instance_count": (int, 0),
    "root_volume_gb": (float, 0),
    "addresses": (int, 0),
    "load_balancers": (int, 0),
    "balancer_addresses": (int, 0),
    "database_class": (str, ""),
    "database_storage_gb": (float, 0),
    "database_iops": (int, 0),
    "database_throughput": (int, 0),
    "multi_az": (boolean, False),
    "interface_endpoints": (int, 0),
    "secrets": (int, 0),
    "kms_keys": (int, 0),
    "alarms": (int, 0),
    "backup_plans": (int, 0),
    "log_gb": (float, 0),
}


def monthly_cost(stack: Mapping[str, Any], prices: Mapping[str, Any]) -> dict[str, Any]:
    """What a stack costs a month, as a text and a sum.

    :param stack: described by the keys of INPUT
    :param prices: as files/aws_prices.yml has them
    """
    described = _described(stack)
    lines: list[dict[str, Any]] = []
    missing: list[str] = []
    for what, quantity, price in _lines(described, prices):
        if not quantity:
            continue
        if price is None:
            missing.append(what)
        else:
            lines.append({"what": what, "monthly": round(quantity * float(price), 2)})
    rates = []
    for what, price in _rates(described, prices):
        if price is None:
            missing.append(what)
        else:
            rates.append(f"{float(price):10.3f} {prices.get('currency')}  {what}")
    total = round(sum(line["monthly"] for line in lines), 2)
    shown = [*((line["monthly"], line["what"]) for line in lines), (total, "in all")]
    return {
        "lines": lines,
        "total": total,
        "missing": missing,
        "text": [f"{monthly:10.2f} {prices.get('currency')}  {what}" for monthly, what in shown],
        "rates": rates,
        **{key: prices.get(key) for key in ("date", "region", "currency")},
    }


def _described(stack: Any) -> dict[str, Any]:
    if not isinstance(stack, Mapping):
        raise AnsibleTypeError(f"monthly_cost takes a dictionary, not {type(stack).__name__}.")
    unknown = sorted(set(stack) - set(INPUT))
    if unknown:
        raise AnsibleFilterError(f"monthly_cost does not know {', '.join(unknown)}. It knows {', '.join(INPUT)}.")
    described = {}
    for key, (kind, default) in INPUT.items():
        try:
            described[key] = kind(stack.get(key, default))
        except (TypeError, ValueError) as error:
            raise AnsibleFilterError(f"monthly_cost: {key} cannot be {stack[key]!r}.") from error
    return described


def _lines(stack: Mapping[str, Any], prices: Mapping[str, Any]) -> Iterator[tuple[str, float, float | None]]:
    """What is paid for, how many units a month, and the price of one; None where the table has none."""
    hours = float(prices.get("hours_per_month", 730))
    hosts, copies = stack["instance_count"], 2 if stack["multi_az"] else 1
    kind, database = stack["instance_type"], stack["database_class"]
    disk, storage = stack["root_volume_gb"], stack["database_storage_gb"]
    zones = "Multi-AZ" if stack["multi_az"] else "one zone"
    storage_price = "database_storage_multi_az_gb_month" if stack["multi_az"] else "database_storage_gb_month"

    yield f"{hosts} x {kind}", hosts * hours, prices.get("instance_hour", {}).get(kind)
    yield f"{hosts} x {disk:g} GB of gp3", hosts * disk, prices.get("volume_gb_month")
    yield f"{stack['addresses']} x public IPv4 address", stack["addresses"] * hours, prices.get("address_hour")
    yield (
        f"{stack['load_balancers']} x Network Load Balancer",
        stack["load_balancers"] * hours,
        prices.get("load_balancer_hour"),
    )
    balanced = stack["balancer_addresses"]
    yield f"{balanced} x its public IPv4 address", balanced * hours, prices.get("address_hour")
    if database:
        price = prices.get("database_hour", {}).get(database)
        yield f"{database} PostgreSQL, {zones}", copies * hours, price
        yield f"{storage:g} GB of gp3 for RDS, {zones}", storage, prices.get(storage_price)
        # So much comes with the storage.
        iops = max(stack["database_iops"] - BASELINE_IOPS, 0)
        throughput = max(stack["database_throughput"] - BASELINE_THROUGHPUT, 0)
        yield f"{iops} IOPS more for RDS, {zones}", copies * iops, prices.get("database_iops_month")
        yield f"{throughput} MiB/s more for RDS, {zones}", copies * throughput, prices.get("database_throughput_month")
    endpoints = stack["interface_endpoints"]
    yield f"{endpoints} x interface endpoint in a zone", endpoints * hours, prices.get("interface_endpoint_hour")
    yield f"{stack['kms_keys']} x KMS key", stack["kms_keys"], prices.get("kms_key_month")
    yield f"{stack['secrets']} x secret", stack["secrets"], prices.get("secret_month")
    yield f"{stack['alarms']} x alarm", stack["alarms"], prices.get("alarm_month")
    yield f"{stack['log_gb']:g} GB of logs ingested", stack["log_gb"], prices.get("log_gb")


def _rates(stack: Mapping[str, Any], prices: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """What is paid by use, which nobody knows beforehand, and its price; None where the table has none."""
    if stack["instance_count"]:
        yield (
            "a GB that is sent to the Internet: to browsers, and to modalities outside of AWS",
            prices.get("internet_gb"),
        )
    if stack["instance_count"] and stack["database_class"]:
        cross = "a GB, in each direction, between a host and the database in different zones"
        yield cross, prices.get("cross_zone_gb")
    if stack["database_class"]:
        kept = "a GB a month of backups beyond the size of the database, and of snapshots that are left"
        yield kept, prices.get("backup_gb_month")
    if stack["backup_plans"]:
        yield (
            "a GB a month of AWS Backup's backups and of each copy; between regions, their transfer, too",
            prices.get("backup_gb_month"),
        )
    if stack["instance_count"] or stack["database_class"]:
        yield "a GB of logs taken in: flow logs, audit trail, database", prices.get("log_gb")
        yield "a GB a month of logs kept", prices.get("log_gb_month")


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"monthly_cost": monthly_cost}
