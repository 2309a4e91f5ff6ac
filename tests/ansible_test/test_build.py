# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``ansible-galaxy collection build`` publishes."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
import yaml

from support.checkout import ROOT

# What a checkout has that has been worked in.
LOCAL = [
    ".cache/image",
    ".hypothesis/examples/one",
    ".ruff_cache/one",
    ".venv/bin/python",
    "inventory/local/host_vars/localhost.yml",
    "cellcs-orthweb-0.0.1.tar.gz",
]


def listed_by_git() -> list[str]:
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return [name for name in done.stdout.split("\0") if name and (ROOT / name).exists()]


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """The tarball, built from a checkout that has been worked in."""
    checkout, built = tmp_path_factory.mktemp("checkout"), tmp_path_factory.mktemp("built")
    for name in listed_by_git():
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, checkout / name)
    for name in LOCAL:
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        (checkout / name).write_text("local\n")
    galaxy = Path(sys.executable).with_name("ansible-galaxy")
    subprocess.run([galaxy, "collection", "build", "--output-path", built], cwd=checkout, check=True)

    [tarball] = built.iterdir()
    return tarball


# All of it: whoever adds something else has to decide whether users need it.
PUBLISHED = {
    "CHANGELOG.md",
    "LICENSE",
    "README.md",
    "bindep.txt",
    "changelogs/changelog.yaml",
    "changelogs/config.yaml",
    "docs",
    "files/advisories.yml",
    "files/aws_prices.yml",
    "files/iam_policy.yml",
    "files/images",
    "files/prowler.yml",
    "tools/audit.py",
    "tools/bundle.py",
    "tools/iam_policy.py",
    "tools/playbook.py",
    "inventory/aws",
    "inventory/local",
    "inventory/onprem.example",
    "meta",
    "playbooks",
    "plugins",
    "requirements.txt",
    "roles",
}
NOT_PUBLISHED = {"docs/conf.py"}


@pytest.fixture(scope="module")
def published(archive) -> set[str]:
    with tarfile.open(archive) as tarball:
        files = {member.name for member in tarball.getmembers() if member.isfile()}
    return files - {"MANIFEST.json", "FILES.json"}


def test_nothing_local_is_published(published):
    assert not published.intersection(LOCAL)
    assert published <= set(listed_by_git())


def test_what_users_need_is_published_and_nothing_else(published):
    def within(name: str, parts: set[str]) -> bool:
        return any(Path(name).is_relative_to(part) for part in parts)

    assert {name for name in published if not within(name, PUBLISHED)} == set()
    assert {name for name in listed_by_git() if within(name, PUBLISHED)} - NOT_PUBLISHED == published


def test_an_execution_environment_gets_what_the_controller_needs(archive, tmp_path):
    installed = tmp_path / "ansible_collections" / "cellcs" / "orthweb"
    installed.mkdir(parents=True)
    subprocess.run(["tar", "--extract", "--file", archive, "--directory", installed], check=True)
    builder = Path(sys.executable).with_name("ansible-builder")
    done = subprocess.run([builder, "introspect", tmp_path], capture_output=True, text=True, check=True)
    found = {
        kind: {line.split(" #")[0].strip() for line in lines} for kind, lines in yaml.safe_load(done.stdout).items()
    }
    pinned = {line for line in (ROOT / "requirements.txt").read_text().splitlines() if not line.startswith("#")}
    # Ansible itself is there already.
    assert found["python"] == {line for line in pinned if not line.startswith("ansible==")}
    assert found["system"] == {"openssh-client [platform:dpkg]", "openssh-clients [platform:rpm]"}
