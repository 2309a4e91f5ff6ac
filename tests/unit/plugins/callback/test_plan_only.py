# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``make plan`` prints: what is said, what fails, and the plan."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from support.checkout import COLLECTIONS, ROOT
from support.playbook import Ran

pytestmark = pytest.mark.slow

PLANNING = "Planning. Nothing is changed. ARGS=-v shows every task."
SAYS = """
- hosts: all
  connection: local
  gather_facts: false
  tasks:
    - name: Look
      ansible.builtin.command: echo looked
      changed_when: false
      check_mode: false
    - name: Pass over
      ansible.builtin.command: "false"
      when: false
    - name: Warn
      ansible.builtin.debug: {msg: "WARNING: port 8042 is open."}
    - name: Show the cost
      ansible.builtin.debug: {msg: [30.37 USD, 91.42 USD in all]}
    - name: Keep files
      ansible.builtin.copy: {content: "x\\n", dest: "{{ folder }}/{{ item }}", mode: "0600"}
      loop: [one, two]
    - name: Announce
      ansible.builtin.debug: {msg: Would start it}
      changed_when: true
    - block:
        - block:
            - name: Ask
              ansible.builtin.fail: {msg: no answer}
      rescue:
        - name: Go on
          ansible.builtin.command: "true"
          changed_when: false
          check_mode: false
    - name: Try
      ansible.builtin.fail: {msg: never mind}
      ignore_errors: true
"""
FAILS = """
- hosts: all
  connection: local
  gather_facts: false
  tasks:
    - block:
        - ansible.builtin.fail: {msg: behind it}
      rescue:
        - name: Refuse
          ansible.builtin.fail: {msg: "Nothing was changed. Please fix:\\n- one\\n- two"}
"""
MODULE_FAILS = """
- hosts: all
  connection: local
  gather_facts: false
  tasks:
    - name: Read a file
      ansible.builtin.slurp: {src: /nonexistent}
"""
LOOP_FAILS = """
- hosts: all
  connection: local
  gather_facts: false
  tasks:
    - name: Read files
      ansible.builtin.slurp: {src: "/nonexistent/{{ item }}"}
      loop: [one, two]
"""
SECRET_FAILS = """
- hosts: all
  connection: local
  gather_facts: false
  tasks:
    - ansible.builtin.command: "false {{ word }}"
      check_mode: false
      no_log: true
"""
UNREACHABLE = """
- hosts: all
  gather_facts: false
  connection: ssh
  tasks:
    - ansible.builtin.ping:
"""


def test_only_what_is_said_comes_before_the_plan(plan: Callable[..., Ran]) -> None:
    ran = plan(SAYS, "-i", "host2,", quiet=True)
    assert ran.code == 2, ran.text
    before, _title, listed = ran.out.partition("\nPLAN ")
    assert before.splitlines() == ["WARNING: port 8042 is open.", "", "30.37 USD", "91.42 USD in all", ""]
    assert listed.splitlines()[1:] == [
        line
        for host in ("host1", "host2")
        for line in (f"{host}:", "  + Keep files (one)", "  + Keep files (two)", "  + Would start it")
    ] + ["Plan: 6 to make, 0 to change, 0 to remove."]
    assert ran.err.strip() == PLANNING


def test_a_refusal_is_its_message(plan: Callable[..., Ran]) -> None:
    ran = plan(FAILS, quiet=True)
    assert ran.code == 1
    assert [line for line in ran.out.splitlines() if line] == [
        f"TASK [Refuse] {'*' * 66}",
        "host1: Nothing was changed. Please fix:",
        "- one",
        "- two",
        f"PLAN {'*' * 75}",
        "The plan is incomplete: see above what failed on host1.",
    ]
    assert ran.err.strip() == PLANNING


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (MODULE_FAILS, ["TASK [Read a file]", "File not found: /nonexistent"]),
        (LOOP_FAILS, ["TASK [Read files]", "(item=one)", "(item=two)", "File not found: /nonexistent/two"]),
        (UNREACHABLE, ["UNREACHABLE!", "Connection refused"]),
        (SECRET_FAILS, ["censored", "no_log"]),
    ],
)
def test_other_failures_are_shown_in_full(plan: Callable[..., Ran], text: str, says: list[str]) -> None:
    ran = plan(text, "-e", "ansible_host=127.0.0.1 ansible_port=9 word=sesame", quiet=True)
    assert ran.code == 1
    shown = ran.out.partition("\nPLAN ")[0]
    assert all(each in shown for each in says), ran.text
    assert "sesame" not in ran.text


def test_on_a_terminal_the_task_that_runs_is_shown(tmp_path: Path) -> None:
    leader, follower = pty.openpty()
    (tmp_path / "plan.yml").write_text(SAYS)
    (tmp_path / "none.cfg").write_text("")
    environment = {
        **os.environ,
        "ANSIBLE_CONFIG": str(tmp_path / "none.cfg"),
        "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
        "ANSIBLE_STDOUT_CALLBACK": "cellcs.orthweb.plan_only",
        "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
        "COLUMNS": "10",
    }
    command = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", "host1,", "plan.yml", "--check"]
    ran = subprocess.run(
        [*command, "-e", f"folder={tmp_path}"],
        env=environment,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=follower,
        check=False,
    )
    os.close(follower)
    shown = os.read(leader, 65536).decode()
    os.close(leader)
    assert "\x1b[KLook\r" in shown, ran.stdout
    assert "\x1b[KKeep file\r" in shown
    assert shown.endswith("\x1b[K\r")
    assert b"Look" not in ran.stdout


@pytest.mark.parametrize(
    ("arguments", "callback"),
    [("-e @clinic.yml", "cellcs.orthweb.plan_only"), ("-e @clinic.yml -v", "none"), ("--verbose", "none")],
)
def test_make_plan_shows_the_log_on_request(arguments: str, callback: str) -> None:
    command = ["make", "--dry-run", "--old-file=venv", "plan", f"ARGS={arguments}"]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert f"--check --diff {arguments}" in said
    assert (f"ANSIBLE_STDOUT_CALLBACK={callback}" in said) == (callback != "none")
    assert ("ANSIBLE_STDOUT_CALLBACK" in said) == (callback != "none")
