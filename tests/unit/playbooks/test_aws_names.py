# SPDX-License-Identifier: GPL-3.0-or-later
"""By which name an archive in AWS is reached, and when a load balancer stands before it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.checkout import COLLECTIONS, ROOT

pytestmark = pytest.mark.slow

HOST = {"public_dns_name": "ec2-1.example", "public_ip_address": "203.0.113.7", "private_ip_address": "10.42.0.7"}
BALANCER = "orthweb-1.elb.example"
CIDRS = ["10.42.0.0/18", "10.42.64.0/18"]


def said(
    folder: Path,
    hosts: dict[str, dict[str, Any]],
    *expressions: str,
    of: str = "imaging",
    where: str = "aws",
    **given: Any,
) -> list[Any]:
    """What the expressions are on the first host of a group."""
    inventory = folder / "inventory"
    inventory.mkdir()
    (folder / "empty.cfg").touch()
    (inventory / "group_vars").symlink_to(ROOT / "inventory" / where / "group_vars")
    groups = {
        "aws_account": {"hosts": {"aws": {"ansible_connection": "local", **given}}},
        "imaging": {
            "hosts": {name: {**HOST, "instance_id": name, "placement": {}, **own} for name, own in hosts.items()}
        },
    }
    (inventory / "hosts.yml").write_text(yaml.safe_dump(groups))
    content = "{{ " + "[" + ", ".join(expressions) + "] | to_json }}"
    copy = {"ansible.builtin.copy": {"content": content, "dest": str(folder / "said.json")}, "delegate_to": "localhost"}
    play = {"hosts": f"{of}[0]", "gather_facts": False, "roles": ["cellcs.orthweb.site"], "tasks": [copy]}
    (folder / "play.yml").write_text(yaml.safe_dump([play]))
    environment = {
        **os.environ,
        "ANSIBLE_CONFIG": str(folder / "empty.cfg"),
        "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
        "ANSIBLE_HOME": str(folder / "home"),
        "ANSIBLE_LOCALHOST_WARNING": "False",
    }
    command = [Path(sys.executable).with_name("ansible-playbook"), "-i", inventory, folder / "play.yml"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found: list[Any] = json.loads((folder / "said.json").read_text())
    return found


NAMES = (
    "orthweb_server_name",
    "[orthweb_server_name] + orthweb_server_aliases | sort",
    "orthweb_balancer_ranges",
    "site_portal_url",
    "orthweb_direct_name",
)


@pytest.mark.parametrize("own", [{}, {"balancer_dns_name": ""}])
def test_a_host_by_itself_has_its_own_name(tmp_path: Path, own: dict[str, str]) -> None:
    assert said(tmp_path, {"one": own}, *NAMES, aws_network_ids={"public_cidrs": CIDRS}) == [
        "ec2-1.example",
        ["ec2-1.example", "203.0.113.7"],
        [],
        "https://ec2-1.example",
        "",
    ]


def test_behind_a_load_balancer_it_has_that_ones_name_and_its_own_in_its_certificate(tmp_path: Path) -> None:
    one = {"balancer_dns_name": BALANCER}
    assert said(tmp_path, {"one": one}, *NAMES, aws_network_ids={"public_cidrs": CIDRS}) == [
        BALANCER,
        [BALANCER, "203.0.113.7", "ec2-1.example"],
        CIDRS,
        f"https://{BALANCER}",
        "203.0.113.7",
    ]


def test_in_a_rehearsal_a_load_balancer_is_reached_by_the_address_at_the_end_of_its_name(tmp_path: Path) -> None:
    one = {"balancer_dns_name": "orthweb-0a1b2c3d4e570a0b.elb.us-east-1.amazonaws.com"}
    name, names, ranges, _url, directly = said(tmp_path, {"one": one}, *NAMES, where="rehearsal")
    assert name == "127.87.10.11"  # rehearsal.api.elb.address_of
    assert set(names) == {name, one["balancer_dns_name"], "203.0.113.7", "ec2-1.example"}
    assert ranges, "the balancer may not ask how the host is"
    assert directly == "203.0.113.7"


def test_in_a_rehearsal_a_host_by_itself_is_reached_by_its_address(tmp_path: Path) -> None:
    name, names, ranges, _url, directly = said(tmp_path, {"one": {}}, *NAMES, where="rehearsal")
    assert (name, names, ranges, directly) == ("203.0.113.7", ["203.0.113.7", "ec2-1.example"], [], "")


@pytest.mark.parametrize(
    ("how", "name"),
    [
        ({"orthweb_connect_by": "private"}, "10.42.0.7"),  # in the certificate as an address of the host
        ({"orthweb_connect_by": "systems_manager"}, ""),
        ({"orthweb_acme": {"names": ["pacs.example"]}}, ""),
    ],
)
def test_where_the_controller_checks_a_host_that_is_drained(tmp_path: Path, how: dict[str, Any], name: str) -> None:
    assert said(tmp_path, {"one": {"balancer_dns_name": BALANCER, **how}}, "orthweb_direct_name") == [name]


def test_with_a_name_of_ones_own_the_certificate_has_the_load_balancers_too(tmp_path: Path) -> None:
    one = {"balancer_dns_name": BALANCER, "orthweb_server_name": "pacs.example"}
    (names,) = said(tmp_path, {"one": one}, NAMES[1])
    assert BALANCER in names


@pytest.mark.parametrize(
    ("given", "there", "wanted"),
    [
        ({"orthweb_instance_count": 1}, [], False),
        ({"orthweb_instance_count": "2"}, [], True),
        ({"orthweb_instance_count": 1}, ["orthweb"], True),  # modalities know its name
        ({"orthweb_instance_count": 1, "orthweb_balancer": "present"}, [], True),
        ({"orthweb_instance_count": 3, "orthweb_balancer": "absent"}, ["orthweb"], False),
    ],
)
def test_when_there_is_one(tmp_path: Path, given: dict[str, Any], there: list[str], wanted: bool) -> None:
    stack = {"resources": {"load_balancers": there}}
    listeners = {"orthweb_dicom_listeners": [{"port": 11112}, {"port": "11113", "client_certificate": "none"}]}
    expressions = ("site_balancer | bool", "site_balancer_ports")
    found = said(tmp_path, {"one": {}}, *expressions, of="aws_account", aws_survey_stack=stack, **listeners, **given)
    assert found == [wanted, [11112, 11113, 443, 8042]]
