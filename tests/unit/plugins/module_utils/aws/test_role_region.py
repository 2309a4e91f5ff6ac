# SPDX-License-Identifier: GPL-3.0-or-later
"""Stacks of one name in two regions: which of the account's roles are of this region."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.cellcs.orthweb.plugins.module_utils.aws.role_region import elsewhere, filled

HERE, THERE = "eu-central-1", "eu-west-1"
NAMES = {
    "iam_roles": ["clinic_{region}-imaging", "clinic_{region}-flow-logs"],
    "instance_profiles": ["clinic_{region}-imaging"],
}


def writes_to(region: str) -> dict[str, Any]:
    resource = f"arn:aws:logs:{region}:123456789012:log-group:/orthweb/clinic/audit:*"
    return {"write": {"Statement": [{"Effect": "Allow", "Action": "logs:PutLogEvents", "Resource": resource}]}}


def one(name: str, stack: str = "clinic", **more: Any) -> dict[str, Any]:
    return {"id": f"id-of-{name}", "name": name, "state": "available", "tags": {"orthweb:stack": stack}, **more}


def told(**found: list[dict[str, Any]]) -> dict[str, str]:
    """The regions of those that are not of this one, by name."""
    nothing: dict[str, list[dict[str, Any]]] = {
        kind: [] for kind in ("iam_roles", "instance_profiles", "instances", "flow_logs")
    }
    return {each["name"]: each["region"] for each in elsewhere("clinic", HERE, NAMES, {**nothing, **found})}


def test_names_of_a_region() -> None:
    assert filled(NAMES, HERE)["iam_roles"] == ["clinic_eu-central-1-imaging", "clinic_eu-central-1-flow-logs"]


def test_a_name_tells_the_region_whatever_the_role_may_do() -> None:
    policies = writes_to(HERE)
    roles = [
        one(f"clinic_{region}-{part}", policies=policies)
        for region in (HERE, THERE)
        for part in ("imaging", "flow-logs")
    ]
    profiles = [one(f"clinic_{region}-imaging", roles=[]) for region in (HERE, THERE)]
    found = elsewhere(
        "clinic", HERE, NAMES, {"iam_roles": roles, "instance_profiles": profiles, "instances": [], "flow_logs": []}
    )
    assert found == [
        {"kind": kind, "id": f"id-of-{name}", "name": name, "region": THERE}
        for kind, name in (
            ("iam_roles", f"clinic_{THERE}-flow-logs"),
            ("iam_roles", f"clinic_{THERE}-imaging"),
            ("instance_profiles", f"clinic_{THERE}-imaging"),
        )
    ]


@pytest.mark.parametrize(("region", "outside"), [(HERE, {}), (THERE, {"clinic-imaging": THERE})])
def test_otherwise_the_log_group_that_it_may_write_to_does(region: str, outside: dict[str, str]) -> None:
    """And the profile is of its role's region, also where hosts of both regions use it."""
    found = told(
        iam_roles=[one("clinic-imaging", policies=writes_to(region))],
        instance_profiles=[one("clinic-imaging", roles=["clinic-imaging"])],
        instances=[one("clinic-imaging-1", instance_profile="clinic-imaging")],
    )
    assert found == outside


@pytest.mark.parametrize(
    ("state", "stack", "outside"),
    [
        ("running", "clinic", set()),
        ("terminated", "clinic", {"clinic-imaging"}),
        ("running", "ward", {"clinic-imaging"}),
    ],
)
def test_otherwise_the_hosts_that_use_it_do(state: str, stack: str, outside: set[str]) -> None:
    found = told(
        iam_roles=[one("clinic-imaging", policies={})],
        instance_profiles=[one("clinic-imaging", roles=["clinic-imaging"])],
        instances=[one("i", stack, instance_profile="clinic-imaging") | {"state": state}],
    )
    assert found == dict.fromkeys(outside, "")


def test_or_the_flow_log() -> None:
    role = one("clinic-flow-logs", policies={})
    assert told(iam_roles=[role]) == {"clinic-flow-logs": ""}
    flow_log = one("clinic", role_arn="arn:aws:iam::123456789012:role/clinic-flow-logs")
    assert told(iam_roles=[role], flow_logs=[flow_log, one("other", role_arn=None)]) == {}


def test_what_is_not_the_stacks_is_nobodys_business() -> None:
    assert told(iam_roles=[one("clinic-imaging", "ward", policies={})]) == {}
