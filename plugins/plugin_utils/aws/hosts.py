# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said of hosts: those that never ran, and those that are not as they would be made today."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

GONE = ("shutting-down", "terminated")


def not_running(launched: Sequence[Mapping[str, Any]]) -> list[str]:
    """A sentence for each host that AWS took back at once.

    :param launched: results of amazon.aws.ec2_instance, each with the host's name as its ``item``
    """
    said = []
    for result in launched:
        for host in result.get("instances") or []:
            if host["state"]["name"] in GONE:
                reason = (host.get("state_reason") or {}).get("message") or "AWS gives no reason"
                name = result["item"]["name"]
                said.append(f"{name} ({host['instance_id']}) is {host['state']['name']} instead of running: {reason}")
    return said


def differences(found: Sequence[Mapping[str, Any]], wanted: Sequence[str], image_id: str, type_: str) -> list[str]:
    """What amazon.aws.ec2_instance passes over in silence, as it is not changed under a host that runs.

    :param found: instances of the stack, as the module aws_stack_info returns them
    :param wanted: names
    """
    said = []
    for host in found:
        name = host["name"]
        if host["image_id"] != image_id:
            said.append(
                f"{name} runs the image {host['image_id']}; the newest is {image_id}. To use it, terminate the host "
                "and deploy again: it stores nothing that would be lost."
            )
        if host["type"] != type_:
            said.append(
                f"{name} is a {host['type']}, but orthweb_instance_type says {type_}. Terminate the host and deploy "
                "again, or stop it and change its type."
            )
    said += [
        f"{host['name']} is beyond orthweb_instance_count. It was not changed; terminate it by hand."
        for host in found
        if host["name"] not in wanted
    ]
    return said


def readdressed(
    launched: Sequence[Mapping[str, Any]],
    addressed: Sequence[Mapping[str, Any]],
    hosts: Sequence[Mapping[str, Any]],
    addresses: Sequence[Mapping[str, Any]],
) -> list[str]:
    """Addresses behind which there is another host than before: its key is another one, too.

    :param launched: results of amazon.aws.ec2_instance
    :param addressed: results of amazon.aws.ec2_eip, each with the host's ``instance_id`` in its ``item``
    :param hosts: instances of the stack before, as the module aws_stack_info returns them; ``addresses`` likewise
    """
    known = {host["id"] for host in hosts}
    before = {address["public_address"]: address["instance_id"] for address in addresses}
    made = [host for result in launched for host in result.get("instances") or []]
    found = [host["private_ip_address"] for host in made if host["instance_id"] not in known]
    for result in addressed:
        address = result.get("public_ip")
        if address and before.get(address) != result["item"]["instance_id"]:
            found.append(address)
    return found
