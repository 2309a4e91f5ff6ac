# SPDX-License-Identifier: GPL-3.0-or-later
"""The evaluator of our policies decides as IAM's documentation says, and the rehearsal's log has no secrets."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import pytest

from rehearsal.api import calls
from support.aws.evaluator import Request, allowed
from support.aws.requests import requests

USER = "arn:aws:iam::123456789012:user/me"


def says(statement: dict[str, Any], *, action: str = "iam:GetUser", on: str = USER, **context: list[str]) -> bool:
    whole = {"Effect": "Allow", "Action": "iam:GetUser", "Resource": "*", **statement}
    known = {key.replace("__", ":").replace("_", "/"): value for key, value in context.items()}
    return allowed([{"Statement": [whole]}], Request(action, on, known))


def test_nothing_is_allowed_by_itself() -> None:
    assert not allowed([], Request("iam:GetUser", USER))
    assert not allowed([{"Statement": []}], Request("iam:GetUser", USER))


def test_deny_wins_wherever_it_is() -> None:
    allow = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    deny = {"Effect": "Deny", "Action": "iam:*", "Resource": "*"}
    for policies in ([{"Statement": [allow, deny]}], [{"Statement": [deny]}, {"Statement": [allow]}]):
        assert not allowed(policies, Request("iam:GetUser", USER))
        assert allowed(policies, Request("ec2:RunInstances", USER))


@pytest.mark.parametrize("action", ["iam:GetUser", "IAM:getuser", "iam:Get*", "iam:G?tUser", "*"])
def test_actions_that_fit(action: str) -> None:
    assert says({"Action": action})
    assert says({"Action": ["s3:None", action]})


@pytest.mark.parametrize("action", ["iam:GetUsers", "iam:Get", "ec2:GetUser", "iam.GetUser"])
def test_actions_that_do_not_fit(action: str) -> None:
    assert not says({"Action": action})
    assert not says({"Action": ["s3:None", action]})


@pytest.mark.parametrize("resource", [USER, "*", "arn:aws:iam::*:user/*", "arn:aws:iam::*:user/m?"])
def test_resources_that_fit(resource: str) -> None:
    assert says({"Resource": resource})


@pytest.mark.parametrize("resource", ["arn:aws:iam::*:role/*", USER + "2", USER[:-1], USER.upper()])
def test_resources_that_do_not_fit(resource: str) -> None:
    assert not says({"Resource": resource})


def test_a_policy_variable_has_the_value_of_the_request_or_none() -> None:
    assert says({"Resource": "arn:aws:iam::*:user/${aws:userid}"}, aws__userid=["me"])
    assert not says({"Resource": "arn:aws:iam::*:user/${aws:userid}"}, aws__userid=["you"])
    assert not says({"Resource": "arn:aws:iam::*:user/${aws:userid}*"})


@pytest.mark.parametrize(
    ("condition", "given", "fits"),
    [
        ({"StringEquals": {"aws:x": "a"}}, ["a"], True),
        ({"StringEquals": {"AWS:X": ["b", "a"]}}, ["a"], True),
        ({"StringEquals": {"aws:x": "a*"}}, ["ab"], False),
        ({"StringEquals": {"aws:x": "a"}}, None, False),
        ({"StringEqualsIfExists": {"aws:x": "a"}}, None, True),
        ({"StringEqualsIfExists": {"aws:x": "a"}}, ["b"], False),
        ({"StringLike": {"aws:x": "a*"}}, ["ab"], True),
        ({"StringLike": {"aws:x": "*"}}, None, False),
        ({"ArnLike": {"aws:x": "arn:aws:ec2:*:*:vpc/v"}}, ["arn:aws:ec2:r:1:vpc/v"], True),
        ({"ArnLike": {"aws:x": "arn:aws:*:vpc/v"}}, ["arn:aws:ec2:r:1:vpc/v"], False),
        ({"ArnEquals": {"aws:x": USER}}, [USER], True),
        ({"Bool": {"aws:x": "true"}}, ["True"], True),
        ({"Bool": {"aws:x": "true"}}, ["false"], False),
        ({"Null": {"aws:x": "true"}}, None, True),
        ({"Null": {"aws:x": "true"}}, ["a"], False),
        ({"Null": {"aws:x": "false"}}, ["a"], True),
        ({"ForAnyValue:StringEquals": {"aws:x": "b"}}, ["a", "b"], True),
        ({"ForAnyValue:StringEquals": {"aws:x": "c"}}, ["a", "b"], False),
        ({"ForAnyValue:StringEquals": {"aws:x": "c"}}, None, False),
        ({"StringEquals": {"aws:x": "a", "aws:y": "b"}}, ["a"], False),
        ({"StringEquals": {"aws:x": "a"}, "Null": {"aws:y": "true"}}, ["a"], True),
    ],
)
def test_conditions(condition: dict[str, Any], given: list[str] | None, fits: bool) -> None:
    assert says({"Condition": condition}, **({} if given is None else {"aws__x": given})) == fits


@pytest.mark.parametrize(
    ("statement", "context"),
    [
        ({"Condition": {"DateLessThan": {"aws:x": "a"}}}, {}),
        ({"Condition": {"ForAllValues:StringEquals": {"aws:x": "a"}}}, {}),
        ({"Condition": {"StringEquals": {"aws:x": "a"}}}, {"aws__x": ["a", "b"]}),
        ({"NotAction": "iam:GetUser"}, {}),
    ],
)
def test_what_it_does_not_know_is_an_error(statement: dict[str, Any], context: dict[str, list[str]]) -> None:
    with pytest.raises(NotImplementedError):
        says(statement, **context)


# --- From a call to what IAM is asked


def asked(service: str, action: str, **more: Any) -> set[str]:
    call = {"service": service, "action": action, "region": "us-east-1", **more}
    return {str(request).replace("arn:aws:", "").replace("us-east-1:123456789012:", "") for request in requests(call)}


def test_a_new_subnet_is_asked_for_with_its_tags_and_its_vpc_with_what_it_has() -> None:
    names = {"VpcId": ["vpc-01234567"], "TagSpecification.ResourceType": ["subnet"]}
    vpc = {"id": "vpc-01234567", "tags": {"a": "of the VPC"}}
    assert asked("ec2", "CreateSubnet", names=names, tags={"a": "new"}, targets=[vpc]) == {
        "ec2:CreateSubnet on ec2:subnet/new (aws:RequestTag/a=new)",
        "ec2:CreateSubnet on ec2:vpc/vpc-01234567 (aws:ResourceTag/a=of the VPC)",
        "ec2:CreateTags on ec2:subnet/new (aws:RequestTag/a=new, ec2:CreateAction=CreateSubnet)",
    }


def test_a_new_key_is_tagged_as_a_key_without_alias() -> None:
    assert asked("kms", "CreateKey", tags={"a": "b"}) == {
        "kms:CreateKey on * (aws:RequestTag/a=b)",
        "kms:TagResource on kms:key/new (aws:RequestTag/a=b)",
    }


def test_whoever_starts_a_host_with_a_profile_passes_its_role() -> None:
    assert "iam:PassRole on iam::123456789012:role/clinic-imaging (iam:PassedToService=ec2.amazonaws.com)" in asked(
        "ec2", "RunInstances", names={"IamInstanceProfile.Name": ["clinic-imaging"]}
    )


def test_deleting_a_database_with_a_final_snapshot_asks_for_both() -> None:
    names = {"DBInstanceIdentifier": ["clinic"], "FinalDBSnapshotIdentifier": ["clinic-final-1"]}
    made = asked("rds", "DeleteDBInstance", names=names)
    assert {
        "rds:DeleteDBInstance on rds:db:clinic ()",
        "rds:CreateDBSnapshot on rds:snapshot:clinic-final-1 ()",
    } <= made


# --- What is logged


def described(service: str, body: dict[str, Any], *, json_target: str = "") -> str:
    scope = {"HTTP_AUTHORIZATION": f"AWS4-HMAC-SHA256 Credential=x/20261129/us-east-1/{service}/aws4_request"}
    if json_target:
        found = calls.described(service, {**scope, "HTTP_X_AMZ_TARGET": json_target}, json.dumps(body).encode())
    else:
        found = calls.described(service, scope, urlencode(body).encode())
    return json.dumps(found)


def test_secrets_and_documents_are_never_logged() -> None:
    secret = {"Name": "clinic/database", "SecretString": "hush", "ClientRequestToken": "hush", "SecretBinary": "hush"}
    assert "hush" not in described("secretsmanager", secret, json_target="secretsmanager.CreateSecret")
    database = {"DBInstanceIdentifier": "clinic", "MasterUserPassword": "hush", "MasterUsername": "hush"}
    assert "hush" not in described("rds", database)
    host = {"ImageId": "ami-1", "UserData": "hush", "Filter.1.Name": "hush", "Filter.1.Value.1": "hush"}
    assert "hush" not in described("ec2", host)
    assert "hush" not in described("iam", {"RoleName": "clinic", "PolicyDocument": "hush", "Description": "hush"})


def test_what_is_called_upon_is_logged() -> None:
    assert '"names": {"SecretId": ["clinic/a"]}' in described(
        "secretsmanager", {"SecretId": "clinic/a"}, json_target="x.y"
    )
    hosts = described("ec2", {"InstanceId.1": "i-1", "InstanceId.2": "i-2", "Tag.1.Key": "a", "Tag.1.Value": "b"})
    assert '"names": {"InstanceId": ["i-1", "i-2"]}, "tags": {"a": "b"}' in hosts
    assert '"tags": {"a": "b"}' in described("rds", {"Tags.Tag.1.Key": "a", "Tags.Tag.1.Value": "b"})
    assert '"tags": {"a": "b"}' in described("iam", {"Tags.member.1.Key": "a", "Tags.member.1.Value": "b"})
    assert '"tags": {"a": "b"}' in described("kms", {"Tags": [{"TagKey": "a", "TagValue": "b"}]}, json_target="x.y")
    assert '"tags": {"a": "b"}' in described("logs", {"tags": {"a": "b"}}, json_target="x.y")
