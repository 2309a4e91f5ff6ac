# SPDX-License-Identifier: GPL-3.0-or-later
"""No step of the scenario has changed anything, says the API's own log. Prints what the role should have found."""

from __future__ import annotations

import json
import os
from pathlib import Path

from api import client, looking

PREPARED = "CreateKeyPair"
READS = ("Describe", "Get", "List", "GET ")
ec2 = client("ec2")
log = Path(os.environ["ORTHWEB_REHEARSAL_FOLDER"], "api.log")
actions = [json.loads(line)["action"] for line in log.read_text().splitlines()]

with looking() as expect:
    expect("asked for the images", "DescribeImages" in actions, True)
    expect("writes", [action for action in actions if not action.startswith(READS)], [PREPARED])
    expect("key pairs", [each["KeyName"] for each in ec2.describe_key_pairs()["KeyPairs"]], ["theirs"])

zones = sorted(each["ZoneName"] for each in ec2.describe_availability_zones()["AvailabilityZones"])
filters = [{"Name": "name", "Values": ["debian-13-amd64-*"]}]
images = ec2.describe_images(Owners=["136693071363"], Filters=filters)["Images"]
account = {
    "id": client("sts").get_caller_identity()["Account"],
    "partition": "aws",
    "region": ec2.meta.region_name,
    "zones": zones[:2],
}
print(json.dumps({"account": account, "image": max(images, key=lambda each: each["CreationDate"])["ImageId"]}))
