# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What ``ansible-galaxy collection build`` publishes."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
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


def test_nothing_local_is_published(tmp_path):
    checkout, built = tmp_path / "checkout", tmp_path / "built"
    for name in listed_by_git():
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, checkout / name)
    for name in LOCAL:
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        (checkout / name).write_text("local\n")
    galaxy = Path(sys.executable).with_name("ansible-galaxy")
    subprocess.run([galaxy, "collection", "build", "--output-path", built], cwd=checkout, check=True)

    [archive] = built.iterdir()
    with tarfile.open(archive) as tarball:
        published = {member.name for member in tarball.getmembers() if member.isfile()}
    assert not published.intersection(LOCAL)
    assert published - {"MANIFEST.json", "FILES.json"} <= set(listed_by_git())
    for needed in ("plugins/modules/pki_info.py", "roles/nginx/tasks/main.yml", "playbooks/deploy.yml", "README.md"):
        assert needed in published
    assert not [name for name in published if name.startswith(("tests/", "molecule/", "benchmarks/", "."))]
