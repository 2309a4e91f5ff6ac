# SPDX-License-Identifier: GPL-3.0-or-later
"""``ansible-test`` on the checkout as it is: each target of ``integration``, and some ``units``. Sanity is linting."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from support.checkout import ROOT
from support.process import run

# setup_*: what targets depend on
FOLDERS = [folder for folder in (ROOT / "tests/integration/targets").iterdir() if folder.is_dir()]
TARGETS = [folder for folder in FOLDERS if not folder.name.startswith("setup_")]


def modules_of(target: Path) -> set[str]:
    """Its own name or, where a role has that and would be run in its stead, what its ``aliases`` name."""
    aliases = target / "aliases"
    return set(aliases.read_text().split()) if aliases.exists() else {target.name}


def ansible_test(*arguments: str) -> str:
    script = ROOT / "tools/ansible_test.sh"
    done = run(script, *arguments, merged=True, seconds=1800)
    said = done.stdout.splitlines()
    problems = [line for line in said if line.startswith(("ERROR:", "FATAL:", "fatal:"))]
    if done.returncode:
        pytest.fail("\n".join([f"{script.name} {' '.join(arguments)}:", *problems, "...", *said[-40:]]), pytrace=False)
    return done.stdout


def test_every_module_has_a_target():
    modules = {file.stem for file in (ROOT / "plugins/modules").glob("*.py")}
    # They need an archive; roles/acceptance, roles/orthanc and make audit ask the deployed one with them.
    with_an_archive = {
        "audit_info",
        "dicomweb_search",
        "dicomweb_verify",
        "image_info",
        "orthanc_modalities",
        "orthanc_storage_reconcile",
        "orthanc_storage_verify",
    }
    # moto does not have what they ask for; tests/aws/test_restore.py and test_logs.py ask the rehearsal's API.
    with_a_rehearsal = {"rds_backup_replication", "cloudwatchlogs_log_group_key"}
    assert modules - with_an_archive - with_a_rehearsal == set.union(*map(modules_of, TARGETS))


def test_no_target_has_the_name_of_a_role():
    assert not {target.name for target in TARGETS} & {role.name for role in (ROOT / "roles").iterdir()}


def test_units():
    """One file for each Python path that ansible-test has. ``make test`` runs all of them itself."""
    files = ("filter/test_scram.py", "module_utils/pki/test_pki_names.py", "modules/test_config_folder.py")
    said = ansible_test("units", *(f"tests/unit/plugins/{file}" for file in files))
    assert len(re.findall(r"\b\d+ passed", said)) == len(files)


@pytest.mark.long
def test_integration():
    """All targets in one run: to start it takes as long as many a target."""
    said = ansible_test("integration", "--continue-on-error")
    assert said.count("PLAY RECAP") == len(TARGETS)
