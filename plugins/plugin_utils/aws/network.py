# SPDX-License-Identifier: GPL-3.0-or-later
"""Subnets of a stack, and who reaches its hosts and whom they reach."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.cellcs.orthweb.plugins.plugin_utils.aws import names
from ansible_collections.cellcs.orthweb.plugins.plugin_utils.modalities import ipv4_network

ANYWHERE = "0.0.0.0/0"
SSH = 22


def subnets(stack: str, zones: Sequence[str], cidrs: Mapping[str, Sequence[str]]) -> list[dict[str, Any]]:
    """One in each zone and tier.

    :param cidrs: by tier, in the order of the zones
    """
    return [
        {"name": names.subnet(stack, tier, zone), "zone": zone, "cidr": cidr}
        for tier, of_tier in cidrs.items()
        for zone, cidr in zip(zones, of_tier, strict=False)
    ]


def ingress(
    listeners: Sequence[Mapping[str, Any]],
    modalities: Sequence[Mapping[str, Any]],
    portal_ports: Sequence[int],
    ranges: Mapping[str, Sequence[str]],
    *,
    http_port: int = 0,
) -> list[dict[str, Any]]:
    """Rules of the hosts' security group, as amazon.aws.ec2_security_group has them.

    A listener may have networks of its own. nginx refuses the others, too; IPv6 does not get here. A modality that is
    named by its address may send from there.

    :param listeners: complete, as the role site publishes them; so are the modalities
    :param http_port: where an ACME CA looks for the answer to http-01; it does not say from where. 0 for none
    :param ranges: networks that may reach ``dicom``, ``portal`` and ``controller`` (SSH)
    """
    from_modalities = [network for each in modalities if (network := ipv4_network(each["host"]))]
    rules = []
    for listener in listeners:
        own = [network for network in listener["allowed"] if ":" not in network]
        what = "DICOM over TLS" if listener["tls"] else "DICOM"
        rules += _rule(what, listener["port"], own or [*ranges["dicom"], *from_modalities])
    for port in portal_ports:
        rules += _rule("portal", port, ranges["portal"])
    if http_port:
        rules += _rule("ACME CA, redirection to the portal", http_port, ANYWHERE)
    return rules + _rule("SSH from the controller", SSH, ranges["controller"])


def balanced(
    rules: Sequence[Mapping[str, Any]],
    ports: Sequence[int],
    cidrs: Sequence[str],
    group_id: str,
    *,
    direct_access: bool = False,
) -> dict[str, list[dict[str, Any]]]:
    """The same with a load balancer before the hosts: who was let in to them is let in to it, and it to them.

    It also asks the hosts how they are. SSH goes to each host; so do the checks of a controller that comes by SSH: it
    must know whether this host works, and not one that the balancer chooses.

    :param rules: as :func:`ingress` gives them
    :param ports: those that the balancer forwards
    :param cidrs: subnets of the hosts
    :param group_id: of the balancer's security group
    :param direct_access: whether everybody is let in to the hosts, too
    """
    ports = list(dict.fromkeys(int(str(port)) for port in ports))
    once = [{"proto": "tcp", "from_port": port, "to_port": port} for port in ports]
    own = [dict(rule) for rule in rules if direct_access or rule["from_port"] not in ports]
    controllers = [network for rule in rules if rule["from_port"] == SSH for network in rule["cidr_ip"]]
    for port in ports:
        open_already = {network for rule in own if rule["from_port"] == port for network in rule["cidr_ip"]}
        own += _rule("checks by the controller", port, [each for each in controllers if each not in open_already])
    return {
        "balancer": [dict(rule) for rule in rules if rule["from_port"] in ports],
        "balancer_egress": [{**rule, "cidr_ip": list(cidrs), "rule_desc": "hosts"} for rule in once],
        "hosts": [*({**rule, "group_id": group_id, "rule_desc": "load balancer"} for rule in once), *own],
    }


def egress(
    modalities: Sequence[Mapping[str, Any]], private_cidrs: Sequence[str], more: Sequence[Mapping[str, Any]]
) -> list[Mapping[str, Any]]:
    """What the hosts may reach.

    :param more: rules that are added as they are
    """
    rules = _rule("packages", 80, ANYWHERE)
    rules += _rule("packages, images, AWS", 443, ANYWHERE)
    rules += _rule("database", 5432, private_cidrs)
    for modality in modalities:
        if host := modality["host"]:
            rules += _rule(f"C-MOVE to {modality['name']}", modality["port"], ipv4_network(host) or ANYWHERE)
    return [*rules, *more]


def _rule(what: str, port: object, networks: str | Iterable[str]) -> list[dict[str, Any]]:
    networks = networks if isinstance(networks, str) else list(dict.fromkeys(networks))
    rule = {"proto": "tcp", "from_port": int(str(port)), "to_port": int(str(port)), "rule_desc": what}
    return [{**rule, "cidr_ip": networks}] if networks else []


def network_acl(public_cidrs: Sequence[str], *, endpoints: bool = False) -> dict[str, list[list[Any]]]:
    """Who reaches the database's subnets: the hosts, and answers to them. Rules as amazon.aws.ec2_vpc_nacl has them.

    :param endpoints: whether interface endpoints are in these subnets, too
    """
    ports = [(100, 5432), *([(200, 443)] if endpoints else [])]
    return {
        "ingress": [
            [first + number, "tcp", "allow", cidr, None, None, port, port]
            for first, port in ports
            for number, cidr in enumerate(public_cidrs)
        ],
        "egress": [
            [100 + number, "tcp", "allow", cidr, None, None, 1024, 65535] for number, cidr in enumerate(public_cidrs)
        ],
    }
