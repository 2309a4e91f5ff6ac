# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/aws.md typed against a simulated account, which the profile `clinic` of the page stands for."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from ansible_collections.cellcs.orthweb.plugins.module_utils.aws.controller_copy import AccountCopy
from ansible_collections.cellcs.orthweb.plugins.module_utils.controller_state import folder
from ansible_collections.cellcs.orthweb.plugins.module_utils.controller_state.archive import Entry, pack

from support.aws.account import REGION, Account
from support.checkout import ROOT
from support.desk import Desk
from support.documented import chosen
from support.stack import Stack

PROFILE = """
[profile clinic]
region = {region}
endpoint_url = {url}
aws_access_key_id = notreal
aws_secret_access_key = notreal0123456789
"""
# The region that the simulated account knows, and the stack of this test.
ELSEWHERE = {"eu-central-1": REGION, "ORTHWEB_STACK=clinic ": ""}


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    with Account(tmp_path_factory.mktemp("account")) as account:
        yield account


@pytest.fixture(scope="module")
def desk(simulated: Account, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    stack = Stack("orthweb-documented", tmp_path_factory.mktemp("state"), 11112, 443, 8042)
    desk = Desk(stack, tmp_path_factory.mktemp("desk"))
    (desk.home / ".aws").mkdir()
    (desk.home / ".aws" / "config").write_text(PROFILE.format(region=REGION, url=simulated.url))
    [clinic] = chosen("docs/aws.md", "Deploy", language="yaml")
    (desk.checkout / "clinic.yml").write_text(clinic.text)
    return desk


def test_policies(desk: Desk, simulated: Account) -> None:
    """IAM takes them, and once more as new versions: moto looks at the form of a policy."""
    said = desk.run("docs/aws.md", "Permissions", only="make policy").ok().output
    iam = simulated.client("iam")
    iam.create_user(UserName="dora")
    written = sorted(desk.checkout.glob("*-deployer-*.json"))
    assert [each.name for each in written] == ["clinic-deployer-1.json", "clinic-deployer-2.json"]
    for each in written:
        assert f"aws iam create-policy --policy-name {each.stem} --policy-document file://{each.name}" in said
        made = iam.create_policy(PolicyName=each.stem, PolicyDocument=each.read_text())["Policy"]["Arn"]
        iam.attach_user_policy(UserName="dora", PolicyArn=made)
        iam.create_policy_version(PolicyArn=made, PolicyDocument=each.read_text(), SetAsDefault=True)
    attached = iam.list_attached_user_policies(UserName="dora")["AttachedPolicies"]
    assert {
        each["PolicyName"]: iam.get_policy(PolicyArn=each["PolicyArn"])["Policy"]["DefaultVersionId"]
        for each in attached
    } == {each.stem: "v2" for each in written}


@pytest.mark.long
def test_plan(desk: Desk) -> None:
    """make says 2 where there is something to do."""
    planned = desk.run("docs/aws.md", "Deploy", only="export|make plan", instead=ELSEWHERE)
    assert planned.code == 2, planned.output[-3000:]
    assert "+ VPC orthweb-documented" in planned.output
    page = (ROOT / "docs" / "aws.md").read_text()
    for line in (r"^Plan: \d+ to make, .*$", r"\d+\.\d\d USD  in all$"):
        [shown] = re.findall(line, page, flags=re.MULTILINE)
        assert shown in planned.output, "The page shows something else"
    assert "198.51.100.0/24" in planned.output
    assert not desk.stack.folder.exists()


def test_teardown(desk: Desk) -> None:
    clinic = {"^make": f"AWS_PROFILE=clinic AWS_REGION={REGION} make"}
    asked = {"or anything else to cancel": desk.stack.name}
    gone = desk.run("docs/aws.md", "Teardown", instead=clinic, answers=asked).ok()
    assert "PLAY [Remove everything from the AWS account" in gone.output


def test_adopt(desk: Desk, simulated: Account) -> None:
    """What another controller has put there."""
    name, tree = f"{desk.stack.name}/controller", {"secrets.json": Entry(0o600, b"{}")}
    copy = AccountCopy(simulated.client("secretsmanager"), name, None, {"orthweb:stack": desk.stack.name})
    copy.write(pack(tree), seen="")
    clinic = {"^make": f"AWS_PROFILE=clinic AWS_REGION={REGION} make"}
    desk.run("docs/aws.md", "Several controllers, a lost one", only="make adopt", instead=clinic).ok()
    assert folder.read(desk.stack.folder) == tree
