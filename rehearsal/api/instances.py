# SPDX-License-Identifier: GPL-3.0-or-later
"""Corrections of EC2's instances, images, disks and addresses; an instance is pending, running, shutting-down."""

from __future__ import annotations

import copy
import time
from typing import Any

from moto.ec2 import utils
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models import amis, elastic_block_store, elastic_ip_addresses, iam_instance_profile
from moto.ec2.models.instance_types import INSTANCE_TYPES
from moto.ec2.models.instances import Instance, InstanceBackend, StateReason
from moto.moto_api._internal import mock_random

from ..settings import settings
from .replace import replaces

# AWS tags an Elastic IP as "elastic-ip". With moto's "vpc-elastic-ip" the module ec2_eip sees a change in every run.
utils.EC2_PREFIX_TO_RESOURCE["eipalloc"] = "elastic-ip"


# moto's addresses lie anywhere in 127/8. These keep away from 127.0, where the controller's own services listen.
def address() -> str:
    return f"127.{mock_random.randint(1, 254)}.{mock_random.randint(0, 255)}.{mock_random.randint(2, 254)}"


elastic_ip_addresses.random_ip = address


# Debian's images have no owner alias; moto gives all of them "amazon".
@replaces(amis.AmiBackend, "_load_amis")
def load_amis(original: Any, ec2: Any) -> None:
    original(ec2)
    for ami in ec2.amis.values():
        ami.owner_alias = None


def becomes(instance: Any, name: str, code: int, seconds: float) -> None:
    instance._state.name, instance._state.code = name, code
    instance.rehearsal_due = time.monotonic() + seconds


# moto forgets with which key.
@replaces(elastic_block_store.EBSBackend, "create_snapshot")
def create_snapshot(original: Any, ec2: Any, volume_id: str, *args: Any, **kwargs: Any) -> Any:
    snapshot = original(ec2, volume_id, *args, **kwargs)
    snapshot.kms_key_id = ec2.volumes[volume_id].kms_key_id
    return snapshot


# On AWS an instance is pending first, and the answer to RunInstances says so.
@replaces(InstanceBackend, "run_instances")
def run_instances(original: Any, ec2: Any, *args: Any, **kwargs: Any) -> Any:
    reservation = original(ec2, *args, **kwargs)
    for instance in reservation.instances:
        becomes(instance, "pending", 0, settings.instance_seconds)
    return reservation


@replaces(InstanceBackend, "start_instances")
def start_instances(original: Any, ec2: Any, instance_ids: list[str]) -> Any:
    started = original(ec2, instance_ids)
    for instance, previous in started:
        if previous.name != "running":
            becomes(instance, "pending", 0, settings.instance_seconds)
    return started


@replaces(InstanceBackend, "reboot_instances")
def reboot_instances(original: Any, ec2: Any, instance_ids: list[str]) -> Any:
    rebooted = original(ec2, instance_ids)
    for instance in rebooted:
        instance.rehearsal_reboots = getattr(instance, "rehearsal_reboots", 0) + 1
    return rebooted


# On AWS the interface that is made with an instance goes with it unless one says otherwise. In moto it stays.
@replaces(Instance, "prep_nics")
def prep_nics(original: Any, instance: Any, nic_spec: list[dict[str, Any]], *args: Any, **kwargs: Any) -> None:
    for nic in nic_spec:
        if "NetworkInterfaceId" not in nic:
            nic.setdefault("DeleteOnTermination", True)
    original(instance, nic_spec, *args, **kwargs)
    if not any("NetworkInterfaceId" in nic or nic.get("DeleteOnTermination") is False for nic in nic_spec):
        for nic in instance.nics.values():
            nic.delete_on_termination = True


# AWS tells the number of processors of each instance, which is what counts for the quota.
@property  # type: ignore[misc]
def cpu_options(instance: Any) -> dict[str, int] | None:
    known = INSTANCE_TYPES.get(instance.instance_type, {}).get("VCpuInfo")
    return known and {"CoreCount": known["DefaultCores"], "ThreadsPerCore": known["DefaultThreadsPerCore"]}


Instance.cpu_options = cpu_options  # type: ignore[attr-defined]


def let_go_of_addresses(instance: Any) -> None:
    for eip in list(instance.ec2_backend.addresses):
        if eip.instance is instance or (eip.eni and eip.eni.instance is instance):
            instance.ec2_backend.disassociate_address(address=eip.public_ip)


# AWS takes the address off an instance that is terminated, and terminating it once more is no error.
@replaces(Instance, "terminate")
def terminate(original: Any, instance: Any) -> Any:
    if instance.state == "terminated":
        return copy.copy(instance._state)
    let_go_of_addresses(instance)
    return original(instance)


# AWS takes its time, and until then the interface, and with it subnet and groups, are in use.
@replaces(InstanceBackend, "terminate_instances")
def terminate_instances(original: Any, ec2: Any, instance_ids: list[str]) -> Any:
    found = ec2.get_multi_instances_by_id(instance_ids)
    if settings.deletion_seconds <= 0 or any(instance.disable_api_termination for instance in found):
        return original(ec2, instance_ids)
    previous = [copy.copy(instance._state) for instance in found]
    for instance in found:
        if instance.state not in ("shutting-down", "terminated"):
            let_go_of_addresses(instance)
            becomes(instance, "shutting-down", 32, settings.deletion_seconds)
    return list(zip(found, previous, strict=True))


# AWS refuses to give an address to an instance that is pending, and to a VPC without a gateway.
@replaces(elastic_ip_addresses.ElasticAddressBackend, "associate_address")
def associate_address(original: Any, ec2: Any, instance: Any = None, eni: Any = None, *args: Any, **kwargs: Any) -> Any:
    target = instance or (eni and eni.instance)
    if target and target.state != "running" and target.state != "stopped":
        raise EC2ClientError(
            "InvalidInstanceID",
            f"The {target.state} instance '{target.id}' is not in a valid state for this operation.",
        )
    vpc_id = target.vpc_id if target else eni.subnet.vpc_id
    if not any(gateway.vpc and gateway.vpc.id == vpc_id for gateway in ec2.internet_gateways.values()):
        raise EC2ClientError("Gateway.NotAttached", f"Network {vpc_id} is not attached to any internet gateway")
    if target:
        target.rehearsal_addressed = time.monotonic()
    return original(ec2, instance, eni, *args, **kwargs)


# On AWS, DescribeInstances may not know of it for a moment.
@property  # type: ignore[misc]
def public_ip_address(instance: Any) -> str | None:
    since = time.monotonic() - getattr(instance, "rehearsal_addressed", 0)
    return None if since < settings.address_seconds else instance.public_ip


Instance.public_ip_address = public_ip_address  # type: ignore[method-assign,assignment]


# AWS refuses to release an address that something has.
@replaces(elastic_ip_addresses.ElasticAddressBackend, "release_address")
def release_address(original: Any, ec2: Any, address: str | None = None, allocation_id: str | None = None) -> Any:
    eip = (ec2.address_by_ip([address]) if address else ec2.address_by_allocation([allocation_id]))[0]
    if eip.eni or eip.instance:
        raise EC2ClientError("InvalidIPAddress.InUse", f"Address {eip.public_ip} is in use.")
    return original(ec2, address, allocation_id)


def advance(ec2: Any, now: float) -> None:
    """Takes each instance to the state that it has by now."""
    for instance in ec2.all_instances():
        if getattr(instance, "rehearsal_due", None) is None or now < instance.rehearsal_due:
            continue
        instance.rehearsal_due = None
        if instance.state == "shutting-down":
            instance.terminate()
        elif instance.state == "pending" and settings.instance_fails:
            instance.terminate()
            # What AWS says, for example, when the key of an encrypted volume cannot be used.
            instance._reason = "Server.InternalError"
            instance.state_reason = StateReason("Client.InternalError: Client error on launch", "Client.InternalError")
        elif instance.state == "pending":
            instance._state.name, instance._state.code = "running", 16


# moto goes on describing an instance with the profile that was replaced.
@replaces(iam_instance_profile.IamInstanceProfileAssociationBackend, "replace_iam_instance_profile_association")
def replace_iam_instance_profile_association(
    original: Any, ec2: Any, association_id: str, *args: Any, **kw: Any
) -> Any:
    association = original(ec2, association_id, *args, **kw)
    described = {"Arn": association.iam_instance_profile.arn, "Id": association_id}
    ec2.modify_instance_attribute(association.instance.id, "iam_instance_profile", described)
    return association
