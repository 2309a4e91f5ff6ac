# SPDX-License-Identifier: GPL-3.0-or-later
"""``module_defaults`` by group: what meta/runtime.yml has in a group, and that the modules get it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml
from pydicom.data import get_testdata_file

from support.checkout import COLLECTIONS, ROOT

GROUPS = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text())["action_groups"]
# What the modules of a group have in common stands in one documentation fragment.
FRAGMENTS = {"aws": "amazon.aws.common.modules", "dicom": "cellcs.orthweb.dicom_peer"}


def documentation(module: Path) -> dict[str, Any]:
    return yaml.safe_load(module.read_text().split('DOCUMENTATION = r"""')[1].split('"""')[0])


@pytest.mark.parametrize("group", GROUPS)
def test_every_module_with_the_options_of_a_group_is_in_it(group: str) -> None:
    modules = (ROOT / "plugins" / "modules").glob("*.py")
    sharing = {
        module.stem
        for module in modules
        if FRAGMENTS[group] in documentation(module).get("extends_documentation_fragment", [])
    }
    assert sharing == {member for member in GROUPS[group] if isinstance(member, str)}


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port that refuses, as it is taken and nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def play(tmp_path: Path, group: str, defaults: dict[str, Any], *tasks: dict[str, Any]) -> list[dict[str, Any]]:
    """What comes out of each task; none of them stops the play."""
    (tmp_path / "empty.cfg").write_text("")
    (tmp_path / "play.yml").write_text(
        yaml.safe_dump(
            [
                {
                    "hosts": "localhost",
                    "gather_facts": False,
                    "vars": {"ansible_python_interpreter": sys.executable},
                    "module_defaults": {f"group/cellcs.orthweb.{group}": defaults},
                    "tasks": [{"ignore_errors": True, **task} for task in tasks],
                }
            ]
        )
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    environment |= {
        "ANSIBLE_CONFIG": str(tmp_path / "empty.cfg"),
        "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
        "ANSIBLE_HOME": str(tmp_path / "home"),
        "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    command = [Path(sys.executable).with_name("ansible-playbook"), "-i", "localhost,", "-c", "local"]
    done = subprocess.run(
        [*command, tmp_path / "play.yml"], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return [task["hosts"]["localhost"] for task in json.loads(done.stdout)["plays"][0]["tasks"]]


@pytest.mark.slow
def test_the_peer_of_the_dicom_group(tmp_path: Path, closed_port: int) -> None:
    defaults = {"host": "127.0.0.1", "port": closed_port, "called_aet": "ARCHIVE", "retry_delay_seconds": 0}
    echo, store = play(
        tmp_path,
        "dicom",
        defaults,
        {"cellcs.orthweb.dicom_echo": {}},
        {"cellcs.orthweb.dicom_store": {"paths": [get_testdata_file("CT_small.dcm")]}},
    )
    for answer in (echo, store):
        assert answer.get("failure") == "connection_refused", answer
        assert f"127.0.0.1:{closed_port}" in answer["msg"].replace(" port ", ":"), answer


@pytest.fixture
def aws(moto_url: str) -> dict[str, Any]:
    """The options that AWS modules share, for a simulated account that is empty."""
    requests.post(f"{moto_url}/moto-api/reset", timeout=30)
    return {"endpoint_url": moto_url, "region": "eu-central-1", "access_key": "test", "secret_key": "test"}


@pytest.mark.slow
def test_the_account_of_the_aws_group(tmp_path: Path, aws: dict[str, Any]) -> None:
    tasks: list[dict[str, Any]] = [
        {"cellcs.orthweb.aws_stack_info": {"stack": "clinic"}},
        {"cellcs.orthweb.aws_generated_secrets": {"secrets": [{"name": "clinic", "username": "orthanc"}]}},
        {"cellcs.orthweb.ec2_vpc_flow_log": {"state": "absent", "tags": {"Name": "clinic"}}},
        {"amazon.aws.aws_caller_info": {}},
        {"community.aws.secretsmanager_secret": {"name": "clinic", "state": "absent", "recovery_window": 0}},
    ]
    answers = play(tmp_path, "aws", aws, *tasks)
    assert [answer.get("msg") for answer in answers if answer.get("failed")] == []
    assert answers[0]["count"] == 0
    assert answers[3]["account"] == "123456789012"  # moto's
    assert [answers[n]["changed"] for n in (1, 4)] == [True, True]  # one made it, the other removed it
