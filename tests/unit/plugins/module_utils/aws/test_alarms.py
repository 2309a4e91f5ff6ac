# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from ansible_collections.cellcs.orthweb.plugins.module_utils.aws import alarm_kinds, alarm_topic, alarms, key_policy

TOPIC, RECOVER = "arn:aws:sns:eu-central-1:123456789012:clinic-alarms", "arn:aws:automate:eu-central-1:ec2:recover"
HOSTS = {"clinic-imaging-1": "i-1", "clinic-imaging-2": "i-2"}
BALANCER = {"LoadBalancer": "net/clinic/1", "TargetGroup": "targetgroup/clinic-11112/2"}
CERTIFICATE = {"path": "clinic/pki/server.crt", "not_valid_after": "2027-12-24T15:59:59Z", "days": 14}


def of(
    class_: str, storage_gb: int = 50, hosts: dict[str, str] | None = None, **more: Any
) -> dict[str, dict[str, Any]]:
    database = {"name": "clinic", "class": class_, "storage_gb": storage_gb}
    watched = alarms.Watched(hosts or {}, database, **more)
    return {each["AlarmName"]: each for each in alarms.wanted("clinic", watched, TOPIC, RECOVER)}


@pytest.mark.parametrize(
    ("class_", "memory"),
    [
        ("db.t4g.micro", 1),
        ("db.t4g.medium", 4),
        ("db.m7g.large", 8),
        ("db.m6i.xlarge", 16),
        ("db.m7g.2xlarge", 32),
        ("db.r7g.large", 16),
        ("db.r6id.16xlarge", 512),
        ("db.x2g.xlarge", 64),
        ("db.z1d.large", None),
        ("db.serverless", None),
        ("t4g.medium", None),
    ],
)
def test_memory_of_a_class(class_: str, memory: float | None) -> None:
    assert alarm_kinds.memory_gib(class_) == memory


def test_credits_are_of_t_classes_only() -> None:
    names = {"clinic/database-storage", "clinic/database-connections", "clinic/database-memory"}
    assert set(of("db.m7g.large")) == names
    assert set(of("db.t4g.medium")) == {*names, "clinic/database-cpu-credits"}


def test_a_new_database_which_has_no_credits_yet_is_no_alarm() -> None:
    """T3 and T4g begin with none, and the slowest, which is t4g.micro, earns twelve an hour."""
    alarm = of("db.t4g.micro")["clinic/database-cpu-credits"]
    assert (alarm["Statistic"], alarm["Threshold"] < 12) == ("Maximum", True)
    assert alarm["Period"] * alarm["EvaluationPeriods"] >= 6 * 3600


def test_of_a_class_that_is_not_known_what_needs_its_memory_is_left_out() -> None:
    assert set(of("db.z1d.large")) == {"clinic/database-storage"}


@pytest.mark.parametrize(("storage_gb", "free_gib"), [(20, 2), (50, 2), (400, 20), (1000, 50)])
def test_free_storage_is_a_part_of_what_it_was_made_with(storage_gb: int, free_gib: int) -> None:
    """Below what RDS waits for before it grows the storage by itself, which is a tenth."""
    alarm = of("db.m7g.large", storage_gb)["clinic/database-storage"]
    assert (alarm["Threshold"], alarm["ComparisonOperator"]) == (free_gib * 2**30, "LessThanThreshold")
    assert free_gib <= storage_gb / 10


def test_connections_are_fewer_than_rds_allows() -> None:
    """4 GiB / 9531392 bytes are 450; 5000 is the most."""
    assert of("db.t4g.medium")["clinic/database-connections"]["Threshold"] == 315
    assert of("db.r7g.16xlarge")["clinic/database-connections"]["Threshold"] == 3500


def test_a_host_with_failed_hardware_is_recovered() -> None:
    found = of("db.m7g.large", hosts=HOSTS)
    for host, instance in HOSTS.items():
        system, system_hangs = found[f"clinic/{host}-system"], found[f"clinic/{host}-instance"]
        assert (system["MetricName"], system["AlarmActions"]) == ("StatusCheckFailed_System", [RECOVER, TOPIC])
        assert system_hangs["MetricName"] == "StatusCheckFailed_Instance"
        assert system_hangs["AlarmActions"] == [TOPIC]
        assert {each["Value"] for alarm in (system, system_hangs) for each in alarm["Dimensions"]} == {instance}


def test_a_host_that_cannot_store_and_that_none_can_are_two_alarms() -> None:
    """One of several passes, and the others carry on; with none left, each minute counts."""
    found = of("db.m7g.large", hosts=HOSTS, balancer=BALANCER)
    one, all_of_them = found["clinic/balancer-unhealthy"], found["clinic/balancer-no-host"]
    for alarm in (one, all_of_them):
        assert {each["Name"]: each["Value"] for each in alarm["Dimensions"]} == BALANCER
        assert (alarm["Namespace"], alarm["Statistic"], alarm["Threshold"]) == ("AWS/NetworkELB", "Maximum", 1)
    assert (one["MetricName"], one["ComparisonOperator"]) == ("UnHealthyHostCount", "GreaterThanOrEqualToThreshold")
    assert (all_of_them["MetricName"], all_of_them["ComparisonOperator"]) == ("HealthyHostCount", "LessThanThreshold")
    assert all_of_them["TreatMissingData"] == "breaching"
    assert all_of_them["EvaluationPeriods"] < one["EvaluationPeriods"]


@pytest.mark.parametrize(("day", "alarmed"), [("2027-12-09", False), ("2027-12-11", True), ("2028-06-01", True)])
def test_a_certificate_that_nobody_renews_is_an_alarm_by_the_passing_of_time_alone(day: str, alarmed: bool) -> None:
    alarm = of("db.m7g.large", hosts=HOSTS, certificate=CERTIFICATE)["clinic/certificates"]
    clock, days_left = alarm["Metrics"]
    assert (clock["Id"], clock["ReturnData"], days_left["ReturnData"]) == ("clock", False, True)
    assert clock["MetricStat"]["Metric"]["Dimensions"] == [{"Name": "InstanceId", "Value": "i-1"}]
    now = datetime.fromisoformat(f"{day}T12:00:00Z").timestamp()
    left = eval(days_left["Expression"], {"EPOCH": lambda series: series, "clock": now})
    assert (left < alarm["Threshold"], alarm["ComparisonOperator"]) == (alarmed, "LessThanThreshold")
    assert alarm["TreatMissingData"] == "breaching"
    assert "server.crt ends on 2027-12-24" in alarm["AlarmDescription"]


def test_a_certificate_that_was_renewed_is_seen_and_the_order_of_aws_answers_is_not() -> None:
    alarm = of("db.m7g.large", hosts=HOSTS, certificate=CERTIFICATE)["clinic/certificates"]
    clock, days_left = alarm["Metrics"]
    there = {**alarm, "Metrics": [dict(reversed(days_left.items())), {**clock, "Label": None}], "Dimensions": []}
    assert alarms.same(alarm, there)
    assert not alarms.same(alarm, {**there, "Metrics": [clock]})
    renewed = {**CERTIFICATE, "not_valid_after": "2028-12-24T15:59:59Z"}
    assert not alarms.same(of("db.m7g.large", hosts=HOSTS, certificate=renewed)["clinic/certificates"], there)
    assert alarms.rule(alarm) == "(1829663999 - EPOCH(clock)) / 86400 < 14, 1 x 3600 s, 1 actions"


def test_without_a_host_nothing_tells_the_time() -> None:
    assert "clinic/certificates" not in of("db.m7g.large", certificate=CERTIFICATE)


def test_each_says_what_to_do_and_when_it_is_over() -> None:
    found = of("db.t4g.medium", hosts=HOSTS, balancer=BALANCER, certificate=CERTIFICATE)
    assert len(found) == 4 + 4 + 2 + 1
    for alarm in found.values():
        assert 150 < len(alarm["AlarmDescription"]) <= 1024  # CloudWatch takes no more
        assert alarm["OKActions"] == [TOPIC]
        assert TOPIC in alarm["AlarmActions"]


def test_without_a_database_there_are_those_of_hosts() -> None:
    found = alarms.wanted("clinic", alarms.Watched(HOSTS), TOPIC, RECOVER)
    assert {each["Namespace"] for each in found} == {"AWS/EC2"}


@pytest.mark.parametrize("key", ["AlarmDescription", "Threshold", "Dimensions", "AlarmActions", "OKActions", "Period"])
def test_whatever_somebody_has_changed_is_seen(key: str) -> None:
    alarm = of("db.t4g.medium", hosts=HOSTS)["clinic/clinic-imaging-1-system"]
    there = {**alarm, "StateValue": "OK", "AlarmActions": alarm["AlarmActions"][::-1]}
    assert alarms.same(alarm, there)
    assert not alarms.same(alarm, {**there, key: None})


def test_alarms_of_a_host_that_is_gone_are_stale_and_those_of_others_are_not() -> None:
    wanted = list(of("db.m7g.large").values())
    ours, theirs = {"orthweb:stack": "clinic"}, {"orthweb:stack": "ward"}
    found = {"clinic/clinic-imaging-2-system": ours, "clinic/database-storage": ours, "clinic/by-hand": {}}
    assert alarms.stale(wanted, {**found, "clinic/x": theirs}, "clinic") == ["clinic/clinic-imaging-2-system"]


def test_who_gets_no_mail_and_who_still_does_is_said() -> None:
    there = {"new@a.example": "PendingConfirmation", "old@a.example": "arn:old", "it@a.example": "arn:it"}
    said = alarm_topic.said(["it@a.example", "new@a.example", "newer@a.example"], there)
    assert [sentence.split()[0] for sentence in said] == ["new@a.example", "newer@a.example", "old@a.example"]
    assert "aws sns unsubscribe --subscription-arn arn:old" in said[2]


STATEMENT = {
    "Effect": "Allow",
    "Principal": {"Service": "logs.eu-central-1.amazonaws.com"},
    "Action": "kms:GenerateDataKey*",
    "Resource": "*",
}


@pytest.mark.parametrize(
    ("changes", "services"),
    [
        ({}, ["logs.eu-central-1.amazonaws.com"]),
        ({"Action": ["kms:Decrypt", "kms:*"]}, ["logs.eu-central-1.amazonaws.com"]),
        ({"Principal": {"Service": ["b", "a"]}}, ["a", "b"]),
        ({"Action": "kms:Decrypt"}, []),
        ({"Effect": "Deny"}, []),
        ({"Principal": {"AWS": "arn:aws:iam::123456789012:root"}}, []),
        ({"Principal": "*"}, []),
    ],
)
def test_services_that_a_key_lets_encrypt(changes: dict[str, Any], services: list[str]) -> None:
    assert key_policy.services({"Statement": [{**STATEMENT, **changes}]}) == services
    assert key_policy.services({"Statement": {**STATEMENT, **changes}}) == services
