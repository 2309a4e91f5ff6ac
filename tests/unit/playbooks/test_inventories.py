# SPDX-License-Identifier: GPL-3.0-or-later
"""The rehearsal's inventory is that of AWS, and where the API is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.checkout import ROOT

INVENTORIES = ROOT / "inventory"
HOSTS = "imaging.aws_ec2.yml"


def read(inventory: str) -> dict[str, Any]:
    return yaml.safe_load((INVENTORIES / inventory / HOSTS).read_text())


def test_the_rehearsal_finds_hosts_as_aws_does() -> None:
    where = {"endpoint_url", "access_key", "secret_key", "regions"}
    aws, rehearsal = read("aws"), read("rehearsal")
    assert where - rehearsal.keys() == set()
    assert {key: value for key, value in rehearsal.items() if key not in where} == {
        key: value for key, value in aws.items() if key not in where
    }


def test_the_rest_of_it_is_the_same_file() -> None:
    assert (INVENTORIES / "rehearsal/hosts.yml").resolve() == (INVENTORIES / "aws/hosts.yml").resolve()


@pytest.mark.slow
def test_hosts_are_grouped_by_role_and_zone(account: Any, moto_url: str, tmp_path: Path) -> None:
    """Ours only, in an account with other people's instances."""
    ec2 = account("ec2")
    image = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
    for name, stack in [("orthweb-imaging-1", "orthweb"), ("orthweb-imaging-1", "clinic"), ("somebody", None)]:
        tags = {"Name": name, "orthweb:role": "imaging", **({"orthweb:stack": stack} if stack else {})}
        spec = [{"ResourceType": "instance", "Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}]
        ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, TagSpecifications=spec)
    command = [sys.executable, "-m", "ansible", "inventory", "-i", str(INVENTORIES / "aws" / HOSTS), "--list"]
    environment = {**os.environ, "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "true"}
    said = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    groups = {name: group["hosts"] for name, group in json.loads(said).items() if group.get("hosts")}
    ours = ["orthweb-imaging-1"]
    assert groups == dict.fromkeys(["aws_ec2", "imaging", "role_imaging", "zone_eu_central_1a"], ours)
