# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.cellcs.orthweb.plugins.modules import ec2_vpc_flow_log as module

pytestmark = pytest.mark.slow  # moto is a server of its own

ROLE = "arn:aws:iam::123456789012:role/orthweb-flow-logs"
TAGS = {"Name": "orthweb", "orthweb:stack": "orthweb"}


class Vpc:
    """A VPC with a flow log of somebody else, who gave it our name."""

    def __init__(self, account: Callable[[str], Any], run: Callable[..., dict[str, Any]]) -> None:
        self.ec2, logs = account("ec2"), account("logs")
        for name in ("ours", "theirs", "new"):
            logs.create_log_group(logGroupName=name)
        self.id = self.ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
        self.foreign = self.make("theirs", {"Name": "orthweb"})
        self._run = run

    def make(self, log_group: str, tags: dict[str, str]) -> str:
        return self.ec2.create_flow_logs(
            ResourceIds=[self.id],
            ResourceType="VPC",
            TrafficType="ALL",
            LogGroupName=log_group,
            DeliverLogsPermissionArn=ROLE,
            TagSpecifications=[
                {
                    "ResourceType": "vpc-flow-log",
                    "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
                }
            ],
        )["FlowLogIds"][0]

    def run(self, **options: Any) -> dict[str, Any]:
        wanted = {"vpc_id": self.id, "log_group_name": "ours", "role_arn": ROLE, "tags": TAGS, **options}
        result = self._run(module, **{key: value for key, value in wanted.items() if value is not None})
        assert self.foreign in self.all()
        return result

    def all(self) -> dict[str, dict[str, Any]]:
        return {each["FlowLogId"]: each for each in self.ec2.describe_flow_logs()["FlowLogs"]}

    def ours(self) -> list[dict[str, Any]]:
        return [each for key, each in self.all().items() if key != self.foreign]


@pytest.fixture
def vpc(account: Callable[[str], Any], run: Callable[..., dict[str, Any]]) -> Vpc:
    return Vpc(account, run)


def test_it_is_made_once(vpc: Vpc) -> None:
    made = vpc.run(max_aggregation_interval=60, traffic_type="REJECT")
    (ours,) = vpc.ours()
    assert (made["changed"], made["reasons"], made["flow_log_ids"]) == (True, ["missing"], [ours["FlowLogId"]])
    assert (ours["MaxAggregationInterval"], ours["TrafficType"], ours["LogGroupName"]) == (60, "REJECT", "ours")
    assert {tag["Key"]: tag["Value"] for tag in ours["Tags"]} == TAGS
    again = vpc.run(max_aggregation_interval=60, traffic_type="REJECT")
    assert (again["changed"], again["flow_log_ids"]) == (False, made["flow_log_ids"])
    assert again["diff"]["before"] == again["diff"]["after"]


@pytest.mark.parametrize(
    "setting", [{"log_group_name": "new"}, {"traffic_type": "ACCEPT"}, {"max_aggregation_interval": 60}]
)
def test_a_setting_that_differs_replaces_it(vpc: Vpc, setting: dict[str, Any]) -> None:
    first = vpc.run()["flow_log_ids"]
    replaced = vpc.run(**setting)
    assert (replaced["reasons"], replaced["replaced_ids"]) == ([f"{next(iter(setting))}_differs"], first)
    assert [each["FlowLogId"] for each in vpc.ours()] == replaced["flow_log_ids"] != first
    assert replaced["diff"]["before"] != replaced["diff"]["after"]
    assert not vpc.run(**setting)["changed"]


def test_tags_are_changed_in_place(vpc: Vpc) -> None:
    first = vpc.run(tags={**TAGS, "old": "1"})["flow_log_ids"]
    kept = vpc.run(tags={**TAGS, "new": "2"}, purge_tags=False)
    assert (kept["reasons"], kept["flow_log_ids"]) == (["tags_differ"], first)
    assert {tag["Key"] for tag in vpc.ours()[0]["Tags"]} == {*TAGS, "old", "new"}
    assert kept["diff"]["after"]["tags"].keys() == {*TAGS, "old", "new"}
    assert vpc.run(tags={**TAGS, "new": "2"})["changed"]
    assert {tag["Key"] for tag in vpc.ours()[0]["Tags"]} == {*TAGS, "new"}


def test_a_name_that_was_changed_by_hand_is_put_back(vpc: Vpc) -> None:
    first = vpc.run()["flow_log_ids"]
    vpc.ec2.create_tags(Resources=first, Tags=[{"Key": "Name", "Value": "other"}])
    fixed = vpc.run()
    assert (fixed["changed"], fixed["flow_log_ids"], len(vpc.ours())) == (True, first, 1)


def test_of_several_one_stays(vpc: Vpc) -> None:
    first = vpc.run()["flow_log_ids"]
    vpc.make("new", TAGS)
    assert vpc.run()["reasons"] == ["surplus"]
    assert [each["FlowLogId"] for each in vpc.ours()] == first


def test_check_mode_does_nothing(vpc: Vpc) -> None:
    planned = vpc.run(check_mode=True)
    assert (planned["changed"], planned["flow_log_ids"], vpc.ours()) == (True, [], [])
    assert planned["diff"]["after"]["log_group_name"] == "ours"
    vpc.run()
    before = vpc.all()
    assert vpc.run(check_mode=True, traffic_type="REJECT", tags={**TAGS, "a": "b"})["changed"]
    assert vpc.run(check_mode=True, state="absent")["changed"]
    assert not vpc.run(check_mode=True)["changed"]
    assert vpc.all() == before


def test_check_mode_with_a_vpc_that_is_not_there_yet(vpc: Vpc) -> None:
    assert vpc.run(check_mode=True, vpc_id="vpc-00000000000000000")["changed"]


@pytest.mark.parametrize("where", ["this VPC", "anywhere"])
def test_absent_takes_ours_only(vpc: Vpc, where: str) -> None:
    made = vpc.run()["flow_log_ids"]
    only_state = {"state": "absent", "log_group_name": None, "role_arn": None}
    gone = vpc.run(**only_state, **({"vpc_id": None} if where == "anywhere" else {}))
    assert (gone["changed"], gone["flow_log_ids"], vpc.ours()) == (True, made, [])
    assert not vpc.run(**only_state)["changed"]


def test_without_a_tag_to_know_it_by_it_is_refused(vpc: Vpc) -> None:
    refused = vpc.run(tags={"a": "b"})
    assert refused["failed"]
    assert "orthweb:stack or Name" in refused["msg"]


def test_a_vpc_that_is_not_there_is_named(vpc: Vpc, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)  # it is tried again for a while
    failed = vpc.run(vpc_id="vpc-00000000000000000")
    assert failed["failed"]
    assert "vpc-00000000000000000" in failed["msg"]


def test_a_log_group_that_cannot_be_written_is_told(vpc: Vpc) -> None:
    vpc.run(log_group_name="nowhere")
    told = vpc.run(log_group_name="nowhere")
    assert not told["changed"]
    assert "records nothing" in str(told["warnings"])
