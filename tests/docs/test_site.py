# SPDX-License-Identifier: GPL-3.0-or-later
"""`make docs` makes a site without a network, with every guide, module and role, and no link that leads nowhere."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from support.checkout import ROOT
from support.desk import checkout_in
from support.process import run

JOBS = ("Try it", "Deploy", "Connect", "Keep", "Look up")


def build(checkout: Path) -> subprocess.CompletedProcess[str]:
    environment = {name: os.environ[name] for name in ("HOME", "PATH") if name in os.environ}
    # Nothing gets out: neither Sphinx nor antsibull-docs has to ask anybody.
    nowhere = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")
    return run("make", "docs", folder=checkout, environment={**environment, **nowhere}, merged=True, seconds=600)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With a site in it."""
    folder = tmp_path_factory.mktemp("site")
    checkout_in(folder)
    done = build(folder)
    assert done.returncode == 0, done.stdout
    return folder


@pytest.fixture(scope="module")
def site(checkout: Path) -> Path:
    return checkout / ".cache" / "docs" / "html"


def test_the_index_is_by_job(site: Path) -> None:
    captions = re.findall(r'class="caption-text">(.+?)<', (site / "index.html").read_text())
    assert tuple(captions[: len(JOBS)]) == JOBS


def test_every_guide_module_and_role_has_a_page(site: Path) -> None:
    guides = {page.stem for page in (ROOT / "docs").glob("*.md")}
    modules = {f"{module.stem}_module" for module in (ROOT / "plugins" / "modules").glob("*.py")}
    roles = {f"{spec.parts[-3]}_role" for spec in ROOT.glob("roles/*/meta/argument_specs.yml")}
    assert len(roles) > 10
    there = {page.stem for page in (*site.glob("*.html"), *(site / "reference").glob("*.html"))}
    assert guides | modules | roles | {"README"} <= there


def test_every_decision_has_a_page(site: Path) -> None:
    decisions = {page.stem for page in (ROOT / "docs" / "decisions").glob("*.md")}
    assert len(decisions) > 6
    assert {page.stem for page in (site / "decisions").glob("*.html")} == decisions
    assert 'href="decisions/0002-no-state-file.html"' in (site / "architecture.html").read_text()
    assert 'href="../storage.html"' in (site / "decisions" / "0001-images-in-postgresql.html").read_text()


def test_links_to_files_lead_to_the_forge(site: Path) -> None:
    page = (site / "aws.html").read_text()
    assert 'href="https://github.com/cellcs/orthweb/blob/main/files/iam_policy.yml"' in page
    assert 'href="existing-pieces.html#a-postgresql"' in page


def test_links_that_lead_nowhere_are_errors(checkout: Path) -> None:
    page = checkout / "docs" / "docker.md"
    before = page.read_text()
    page.write_text(f"{before}\n[x](aws.md#deplox) [x](awx.md) [x](../files/no-such-file.json)\n")
    try:
        done = build(checkout)
    finally:
        page.write_text(before)
    assert done.returncode != 0
    for nowhere in ("deplox", "awx", "no-such-file"):
        assert re.search(rf"docker\.md.*{nowhere}", done.stdout), done.stdout
