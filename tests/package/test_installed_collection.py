# SPDX-License-Identifier: GPL-3.0-or-later
"""A deployment from the installed collection: README's commands, with the tarball and nothing of this checkout."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from support.checkout import ROOT
from support.process import output_of, run
from support.stack import Run, docker

pytestmark = pytest.mark.long

STACK = "orthweb-installed"
VERSION = yaml.safe_load((ROOT / "galaxy.yml").read_text())["version"]


def documented() -> str:
    """What README has a person do, up to the first playbook."""
    section = (ROOT / "README.md").read_text().split("\n## Use the installed collection\n")[1].split("\n## ")[0]
    block = re.findall(r"```bash\n(.*?)```", section, flags=re.DOTALL)[0]
    commands, first, rest = block.partition("ansible-playbook cellcs.orthweb.deploy\n")
    assert first and not rest, "README's block is to end with the deployment."
    return commands


class Person:
    """Somebody in a folder of their own, with an environment that knows nothing of the checkout."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "archive"
        self.state = folder / "state"
        self.installed = self.folder / "collections" / "ansible_collections" / "cellcs" / "orthweb"
        self.folder.mkdir()
        # Where README says python3, the Python that the tests run with is meant.
        python = folder / "bin" / "python3"
        python.parent.mkdir()
        python.write_text(f'#!/bin/sh\nexec {getattr(sys, "_base_executable", sys.executable)} "$@"\n')
        python.chmod(0o755)
        path = [part for part in os.environ["PATH"].split(":") if not Path(part).is_relative_to(ROOT)]
        ours = ("ANSIBLE_", "MAKE", "ORTHWEB_", "PYTEST_", "PYTHON", "VIRTUAL_ENV")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        self.environment = {
            **{name: value for name, value in kept.items() if str(ROOT) not in value},
            "PATH": ":".join([str(python.parent), *path]),
            "ANSIBLE_NOCOLOR": "1",
            "PIP_NO_COMPILE": "1",  # Python compiles the few files that are used; all of Ansible would be half a minute
        }

    def does(self, commands: str) -> Run:
        """Each command that fails ends it. The environment of Python, once it is there, is the active one."""
        active = "[ ! -e .venv ] || . .venv/bin/activate\n"
        # timeout ends all that bash has started, too.
        command = ["timeout", "1800", "bash", "-euo", "pipefail", "-c", f"{active}{commands}"]
        done = run(*command, folder=self.folder, environment=self.environment, merged=True, seconds=1900)
        return Run(done.returncode, done.stdout)


@pytest.fixture(scope="module")
def person(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Person]:
    """One who has followed README as far as the deployment, with settings of their own."""
    person = Person(tmp_path_factory.mktemp("person"))
    galaxy = Path(sys.executable).with_name("ansible-galaxy")
    output_of(galaxy, "collection", "build", "--output-path", person.folder, ROOT)
    person.does(documented()).ok()
    settings = {
        "orthweb_stack": STACK,
        "orthweb_dicom_port": 24600,
        "orthweb_portal_port": 24601,
        "orthweb_orthanc_port": 24602,
        "orthweb_state_root": str(person.state),
    }
    own = person.folder / "inventory" / "host_vars" / "localhost.yml"
    own.parent.mkdir()
    own.write_text(yaml.safe_dump(settings))
    yield person
    if (person.state / STACK).exists():  # a test before the teardown has failed
        person.does(f"ansible-playbook cellcs.orthweb.teardown -e orthweb_confirm_teardown={STACK}").ok()


@pytest.fixture(scope="module")
def deployment(person: Person) -> Run:
    return person.does("ansible-playbook -vv cellcs.orthweb.deploy")


def test_the_collection_that_ansible_finds_is_the_installed_one(person: Person) -> None:
    said = person.does("ansible-galaxy collection list --format json cellcs.orthweb 2>/dev/null").ok().output
    assert json.loads(said) == {str(person.installed.parents[1]): {"cellcs.orthweb": {"version": VERSION}}}


def test_the_definitions_of_the_images_are_complete(person: Person) -> None:
    """The tags of the images carry their digest: nothing is built that a checkout would not have built."""
    files = [file.relative_to(ROOT) for file in (ROOT / "files" / "images").rglob("*") if file.is_file()]
    assert len(files) >= 6
    for file in files:
        ours, theirs = ROOT / file, person.installed / file
        assert theirs.read_bytes() == ours.read_bytes(), file
        assert os.access(theirs, os.X_OK) == os.access(ours, os.X_OK), file


def test_deploy(person: Person, deployment: Run) -> None:
    deployment.ok()
    said = json.loads((person.state / STACK / "outputs.json").read_text())
    assert said["portal_url"] == "https://localhost:24601/"
    assert docker("ps", "--filter", f"name=^{STACK}-", "--format", "{{.Names}}").split()


def test_nothing_of_the_checkout_is_used(person: Person, deployment: Run) -> None:
    assert f"Using {person.folder / 'ansible.cfg'} as config file" in deployment.output
    tasks = re.findall(r"^task path: (.*):\d+$", deployment.output, flags=re.MULTILINE)
    assert len(tasks) > 50  # of them, none from elsewhere:
    assert [path for path in tasks if not Path(path).is_relative_to(person.installed)] == []
    assert str(ROOT) not in deployment.output


@pytest.mark.parametrize("playbook", ["verify", "save_images", "plan"])
def test_the_other_playbooks_load(person: Person, playbook: str) -> None:
    """deploy has imported verify; that a second deployment changes nothing is shown from a checkout."""
    said = person.does(f"ansible-playbook --list-tasks cellcs.orthweb.{playbook}").ok().output
    assert "TAGS: [" in said


def test_teardown(person: Person, deployment: Run) -> None:
    person.does(f"ansible-playbook cellcs.orthweb.teardown -e orthweb_confirm_teardown={STACK}").ok()
    for kind in ("container", "network", "volume"):
        assert docker(kind, "ls", "--quiet", "--filter", f"name={STACK}") == ""
    assert not (person.state / STACK).exists()
