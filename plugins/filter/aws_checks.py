# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role aws_survey refuses, what it says after a failure, and what it finds after a teardown."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from ansible_collections.cellcs.orthweb.plugins.plugin_utils.aws_checks.answers import (
    foreign_name_problems,
    given_subnet_problems,
    going_database_problems,
    image_problems,
    zone_problems,
)
from ansible_collections.cellcs.orthweb.plugins.plugin_utils.aws_checks.backup import backup_problems
from ansible_collections.cellcs.orthweb.plugins.plugin_utils.aws_checks.balancer import balancer_problems
from ansible_collections.cellcs.orthweb.plugins.plugin_utils.aws_checks.database import database_problems
from ansible_collections.cellcs.orthweb.plugins.plugin_utils.aws_checks.explain import failure_advice, inventory
from ansible_collections.cellcs.orthweb.plugins.plugin_utils.aws_checks.given_vpc import given_vpc_problems
from ansible_collections.cellcs.orthweb.plugins.plugin_utils.aws_checks.leftovers import left_over
from ansible_collections.cellcs.orthweb.plugins.plugin_utils.aws_checks.limits import limit_problems, used_zones
from ansible_collections.cellcs.orthweb.plugins.plugin_utils.aws_checks.network import vpc_problems
from ansible_collections.cellcs.orthweb.plugins.plugin_utils.aws_checks.ranges import (
    open_listener_problems,
    range_problems,
)
from ansible_collections.cellcs.orthweb.plugins.plugin_utils.aws_checks.settings import (
    alarm_address_problems,
    boundary_problems,
    instance_count_problems,
    log_days_problems,
    role_name_problems,
    stack_name_problems,
)
from ansible_collections.cellcs.orthweb.plugins.plugin_utils.aws_checks.systems_manager import (
    agent_problems,
    program_problems,
)
from ansible_collections.cellcs.orthweb.plugins.plugin_utils.modalities import modality_problems
from ansible_collections.cellcs.orthweb.plugins.plugin_utils.preflight.acme import acme_problems
from ansible_collections.cellcs.orthweb.plugins.plugin_utils.preflight.listeners import dicom_listener_problems
from ansible_collections.cellcs.orthweb.plugins.plugin_utils.preflight.settings import setting_problems


def aws_problems(given: dict[str, Any]) -> list[str]:
    """Sentences, each for one thing that is wrong and in one line; empty if nothing is.

    :param given: what a person gave and what AWS answered, by subject, as the role aws_survey puts it together
    """
    said = [" ".join(problem.split()) for problem in _problems(given)]
    return [problem for problem in said if problem]


def _problems(given: dict[str, Any]) -> Iterator[str]:
    yield given["refusal"]
    yield from stack_name_problems(given["stack"])
    yield from setting_problems(given["settings"]).values()
    yield from range_problems(**given["access"])
    yield from program_problems(given["access"]["connect_by"])
    yield from vpc_problems(**given["network"])
    yield from instance_count_problems(given["instance_count"])
    yield from log_days_problems(given["log_days"])
    yield from boundary_problems(given["permissions_boundary"])
    yield from alarm_address_problems(given["alarm_addresses"])
    for problem in _listener_problems(given["dicom_listeners"], given["access"]):
        yield f"orthweb_dicom_listeners, {problem}"
    yield from modality_problems(given["modalities"], given["archive_aet"])
    yield from acme_problems(given["acme"], [])
    yield from balancer_problems(
        given["needs"]["balancer"], stack=given["stack"], acme=given["acme"], zones=_given_zones(given)
    )
    yield from backup_problems(given["needs"]["backup"], **_of_backups(given["answers"]))
    databases = given["answers"]["databases"] if given["answers"] else []
    yield from database_problems(databases, stack=given["stack"], **given["database"])
    if given["answers"]:
        yield from _answer_problems(given, given["answers"])


def _listener_problems(listeners: Any, access: dict[str, Any]) -> list[str]:
    return dicom_listener_problems(listeners, access["dicom_port"]) or list(
        open_listener_problems(listeners, access["whole_internet_allowed"])
    )


def _of_backups(answers: dict[str, Any]) -> dict[str, Any]:
    """What is known of the account, for who judges the settings of backups."""
    if not answers:
        return {}
    resources = answers["resources"]
    return {
        "account": answers["account"],
        "region": answers["region"],
        "keys": resources["kms_keys"] + answers["going_keys"],
        "vaults": resources["backup_vaults"],
    }


def _answer_problems(given: dict[str, Any], answers: dict[str, Any]) -> Iterator[str]:
    yield from role_name_problems(answers["role_names"])
    yield from zone_problems(**answers["zones"], region=answers["region"])
    yield from image_problems(**answers["images"], region=answers["region"])
    yield from foreign_name_problems(answers["foreign"], given["stack"])
    yield from going_database_problems(answers["going_databases"])
    network = {key: given["network"][key] for key in ("vpc_id", "public_subnet_ids", "private_subnet_ids")}
    yield from given_subnet_problems(answers["given_subnets"], **network, region=answers["region"])
    yield from given_vpc_problems(
        answers["given_vpcs"],
        answers["given_tables"],
        vpc_id=network["vpc_id"],
        public_subnet_ids=network["public_subnet_ids"],
        docker_networks=given["network"]["docker_networks"],
        connect_by=given["access"]["connect_by"],
        region=answers["region"],
    )
    there = answers["resources"]
    yield from agent_problems(
        given["access"]["connect_by"], there["instances"], there["iam_roles"], f"{given['stack']}-imaging"
    )
    if not list(instance_count_problems(given["instance_count"])):
        yield from limit_problems(
            answers["limits"],
            answers["resources"],
            stack=given["stack"],
            instance_count=given["instance_count"],
            instance_type=given["needs"]["instance_type"],
            database=given["needs"]["database"],
            zones=zones_of(network, answers),
            given_vpc=bool(network["vpc_id"]),
            region=answers["region"],
        )


def _given_zones(given: dict[str, Any]) -> list[str]:
    """The zones of the public subnets of an existing VPC, as far as AWS knows them."""
    network, answers = given["network"], given["answers"]
    return zones_of(network, answers)[0] if answers and network["vpc_id"] else []


def zones_of(network: dict[str, Any], answers: dict[str, Any]) -> tuple[list[str], list[str]]:
    """The zones of the hosts' subnets, in their order, and of the database's."""
    if not network["vpc_id"]:
        return answers["zones"]["used"], answers["zones"]["used"]
    zone = {subnet["subnet_id"]: subnet["availability_zone"] for subnet in answers["given_subnets"]}
    public, private = (
        [zone[each] for each in network[f"{which}_subnet_ids"] if each in zone] for which in ("public", "private")
    )
    return public, private


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {
            "aws_problems": aws_problems,
            "aws_failure_advice": failure_advice,
            "aws_inventory": inventory,
            "aws_left_over": left_over,
            "aws_zones": used_zones,
        }
