# SPDX-License-Identifier: GPL-3.0-or-later
"""The way on a simulated AWS with real hosts, once; its steps fail by themselves when something is wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from rehearsal.controller import Rehearsal
from rehearsal.journey import Journey, SurpriseError
from support.aws.permissions import refused

# What each test is run with; those that look at plans are run with the whole way alone.
BRIEF = pytest.param(Journey.go_briefly, id="brief")
WHOLE = pytest.param(Journey.go, id="whole", marks=pytest.mark.long)
with_plans = pytest.mark.parametrize("journey", [WHOLE], indirect=True)


@pytest.fixture(scope="module", params=[BRIEF, WHOLE])
def journey(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Journey]:
    """A journey that has been gone to its end, or to where it stopped."""
    rehearsal = Rehearsal(tmp_path_factory.mktemp("rehearsal"), port=26300, stack="pytest")
    journey = Journey(rehearsal, ["--diff"])
    try:
        rehearsal.start("--registry", "--instance-seconds=2", "--database-seconds=20")
        try:
            request.param(journey)
        except SurpriseError as error:
            journey.stopped = str(error)
        yield journey
    finally:
        rehearsal.stop()


def test_it_goes_through(journey: Journey) -> None:
    assert journey.stopped == "", journey.stopped


@with_plans
def test_a_plan_lists_what_would_be_made_and_what_it_costs(journey: Journey) -> None:
    said = journey.runs["plan on an empty account"].output
    assert "0 to change, 0 to remove" in said
    for name in ("KMS key pytest", "subnet pytest-private-us-east-1b", "RDS instance pytest", "pytest-imaging-1"):
        assert name in said, name
    assert "USD  in all" in said


@with_plans
def test_a_plan_makes_no_write_call(journey: Journey) -> None:
    for name in ("plan on an empty account", "plan: nothing to do", "plan finds it"):
        assert journey.runs[name].writes == [], name


def test_a_deployer_with_our_policy_may_do_all_of_it(journey: Journey) -> None:
    for name, run in journey.runs.items():
        assert refused(run.calls, "pytest") == set(), name


def test_a_second_deployment_makes_no_write_call(journey: Journey) -> None:
    assert journey.runs["deploy again"].changed == 0
    assert journey.runs["deploy again"].writes == []


@with_plans
def test_the_plan_says_nothing_when_there_is_nothing(journey: Journey) -> None:
    assert "Nothing to do" in journey.runs["plan: nothing to do"].output


def test_the_public_names_of_host_and_database_are_printed(journey: Journey) -> None:
    said = journey.runs["deploy"].output
    assert "EC2 host            ec2-127-" in said
    assert "RDS database        pytest." in said
    assert ".rds.amazonaws.com" in said


def test_they_are_written_for_other_tools(journey: Journey) -> None:
    outputs = json.loads(journey.outputs)
    assert outputs["database"]["host"].startswith("pytest.")
    assert outputs["hosts"][0]["public_dns_name"].startswith("ec2-127-")
    assert outputs["dicom"]["port"] == 11112


def test_no_secret_is_in_any_output(journey: Journey) -> None:
    assert len(journey.secrets) >= 4
    for name, run in journey.runs.items():
        for secret in journey.secrets:
            assert secret not in run.output, f"a secret is in the output of: {name}"


def test_teardown_keeps_the_final_snapshot_and_says_its_name(journey: Journey) -> None:
    assert "The images are in the snapshot pytest-final-" in journey.runs["teardown"].output
