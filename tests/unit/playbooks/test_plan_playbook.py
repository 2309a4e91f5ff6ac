# SPDX-License-Identifier: GPL-3.0-or-later
"""plan.yml: it refuses to do anything else, and its estimate follows the inventory."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from support.checkout import COLLECTIONS, ROOT

pytestmark = pytest.mark.slow

INVENTORY = """
aws_account:
  hosts:
    aws: {ansible_connection: local}
  vars:
    orthweb_stack: orthweb
    orthweb_modalities: []
    aws_survey_account: {zones: [a, b]}
imaging:
  hosts:
    imaging-1: {ansible_host: 127.0.0.1, ansible_port: 9}
"""


def play(playbook: Path, tmp_path: Path, *arguments: str, callbacks: str = "cellcs.orthweb.plan") -> tuple[int, str]:
    (tmp_path / "inventory.yml").write_text(INVENTORY)
    (tmp_path / "empty.cfg").write_text("")
    environment = {
        **os.environ,
        "ANSIBLE_CONFIG": str(tmp_path / "empty.cfg"),
        "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
        "ANSIBLE_CALLBACKS_ENABLED": callbacks,
        "ANSIBLE_HOME": str(tmp_path / "home"),
        "ANSIBLE_NOCOLOR": "1",
    }
    command = [Path(sys.executable).with_name("ansible-playbook"), "-i", tmp_path / "inventory.yml", playbook]
    done = subprocess.run([*command, *arguments], env=environment, capture_output=True, text=True, check=False)
    return done.returncode, " ".join((done.stdout + done.stderr).split())


@pytest.mark.parametrize("limit", [[], ["--limit", "imaging"]])
def test_without_check_mode_nothing_is_touched(tmp_path: Path, limit: list[str]) -> None:
    code, text = play(ROOT / "playbooks" / "plan.yml", tmp_path, *limit)
    assert code == 1
    assert "only plans" in text
    assert "imaging-1" not in text


def test_without_the_callback_either(tmp_path: Path) -> None:
    for arguments, said in (([], "without check mode"), (["--check"], "is not enabled")):
        code, text = play(
            ROOT / "playbooks" / "plan.yml", tmp_path, *arguments, callbacks="ansible.posix.profile_tasks"
        )
        assert code != 0
        assert said in text
        assert "imaging-1" not in text


@pytest.fixture
def cost(tmp_path: Path) -> Path:
    """The last play of plan.yml by itself."""
    for name in ("files", "roles"):
        (tmp_path / name).symlink_to(ROOT / name)
    playbook = tmp_path / "playbooks" / "cost.yml"
    playbook.parent.mkdir()
    last = yaml.safe_load((ROOT / "playbooks" / "plan.yml").read_text())[-1]
    playbook.write_text(yaml.safe_dump([last]))
    return playbook


def test_the_estimate_takes_the_defaults_of_the_roles(tmp_path: Path, cost: Path) -> None:
    code, text = play(cost, tmp_path, "--check")
    assert code == 0, text
    assert "1 x t3.medium" in text
    assert "db.t4g.medium PostgreSQL, one zone" in text
    assert "Nothing to do." in text
    assert "interface endpoint" not in text and "Load Balancer" not in text
    assert "list prices for us-east-1" in text.lower()


def test_the_estimate_takes_what_the_inventory_says(tmp_path: Path, cost: Path) -> None:
    chosen = {
        "orthweb_instance_count": 3,
        "orthweb_instance_type": "x2.unknown",
        "aws_database_multi_az": True,
        "aws_network_interface_endpoints": ["ssm", "logs"],
    }
    code, text = play(cost, tmp_path, "--check", "-e", yaml.safe_dump(chosen, default_flow_style=True).strip())
    assert code == 0, text
    assert "not included in the total: 3 x x2.unknown" in text
    assert "db.t4g.medium PostgreSQL, Multi-AZ" in text
    assert "4 x interface endpoint" in text
    assert "1 x Network Load Balancer" in text and "2 x its public IPv4 address" in text


def test_a_database_that_is_given_costs_nothing_here(tmp_path: Path, cost: Path) -> None:
    code, text = play(cost, tmp_path, "--check", "-e", '{"orthweb_rds": false}')
    assert code == 0, text
    assert "PostgreSQL" not in text
    # That of the controller's folder alone.
    assert "0.40 USD 1 x secret" in " ".join(text.split())
    _without, without = play(
        cost, tmp_path, "--check", "-e", '{"orthweb_rds": false, "orthweb_controller_state_in_account": false}'
    )
    assert "secret" not in without


def test_without_an_account_there_is_no_estimate(tmp_path: Path, cost: Path) -> None:
    code, text = play(cost, tmp_path, "--check", "-i", "localhost,", "--limit", "localhost")
    assert code == 0
    assert "list prices" not in text.lower()
