# SPDX-License-Identifier: GPL-3.0-or-later
"""Pieces that exist already: what does not fit is said before anything is touched, and the example is complete."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from support.authority import Authority
from support.checkout import PLAYBOOK, ROOT
from support.process import output_of, run
from support.stack import Run, Stack, docker

EXAMPLE = ROOT / "inventory" / "onprem.example"
HOSTS = ["pacs1.clinic.example", "pacs2.clinic.example"]


@pytest.fixture
def unborn(tmp_path: Path) -> Stack:
    """A stack that was never deployed."""
    return Stack("orthweb-refused", tmp_path, dicom_port=24712, portal_port=24713, orthanc_port=18082)


def said_by(run: Run) -> str:
    assert run.code != 0, run.output
    return " ".join(run.output.split())


def untouched(stack: Stack) -> bool:
    return not stack.folder.exists() and stack.name not in docker("ps", "--all", "--format", "{{.Names}}")


def test_all_that_does_not_fit_is_said_in_one_run(unborn: Stack, tmp_path: Path) -> None:
    certificate, key = Authority(tmp_path / "pki").issue("other.example", days=-3)
    said = said_by(
        unborn.deploy(
            orthweb_images_source="registry",
            orthweb_images_registry={"nginx": "registry.example/nginx:latest", "orthanc": f"a@sha256:{'0' * 63}"},
            orthweb_images_registry_login={"server": "registry.example", "password": "of the registry"},
            orthweb_images_registry_ca="/nonexistent/ca.crt",
            orthweb_database={
                "host": "not a host",
                "port": 70000,
                "name": "robert'; --",
                "user": "dba",
                "password": "of the database",
                "admin_user": "dba",
                "sslmode": "disable",
                "ca_certificate": str(key),
            },
            orthweb_server_certificate={
                "certificate": str(certificate),
                "private_key": str(key),
                "ca_certificate": str(Authority(tmp_path / "foreign").file),
            },
        )
    )
    for sentence in (
        "Nothing was changed",
        "orthweb_images_registry has no entry for postgresql, which localhost runs",
        'nginx is "registry.example/nginx:latest", which is not pinned by digest',
        f'orthanc is "a@sha256:{"0" * 63}", which is not pinned by digest',
        "orthweb_images_registry_login has server, password",
        "orthweb_images_registry_ca is /nonexistent/ca.crt, but there is no such file",
        "orthweb_database.host: ",
        "orthweb_database.port is 70000",
        'orthweb_database.name is "robert\'; --"',
        "orthweb_database has unknown keys: sslmode.",
        "only one of admin_user and admin_password",
        "orthweb_database.user is the admin",
        f"orthweb_database.ca_certificate is {key}, but there is no certificate in PEM format",
        "orthweb_database is set, but localhost is in the group database",
        "orthweb_server_certificate: certificate expired on ",
        "orthweb_server_certificate: certificate is not valid for orthweb_server_name (localhost) but for other",
        "orthweb_server_certificate: certificate does not chain to ca_certificate",
    ):
        assert sentence in said, f"{sentence!r} is not in:\n{said}"
    assert "of the database" not in said and "of the registry" not in said
    assert untouched(unborn)


def test_files_that_are_not_there(unborn: Stack) -> None:
    said = said_by(
        unborn.deploy(
            orthweb_database={"name": "orthanc"},
            orthweb_server_certificate={"certificate": "/nonexistent/pacs.crt", "key": "/nonexistent/pacs.key"},
        )
    )
    for sentence in (
        "orthweb_database has no host.",
        "orthweb_database has no ca_certificate.",
        "orthweb_server_certificate.certificate is /nonexistent/pacs.crt",
        "orthweb_server_certificate.private_key is missing",
        "orthweb_server_certificate has unknown keys: key.",
    ):
        assert sentence in said, f"{sentence!r} is not in:\n{said}"
    assert untouched(unborn)


def preflight(folder: Path, *inventory: str, **variables: object) -> Run:
    """Preflight alone, for hosts that are all this machine."""
    play = folder / "preflight.yml"
    roles = [{"role": "cellcs.orthweb.preflight"}]
    play.write_text(json.dumps([{"hosts": "imaging:database", "gather_facts": True, "roles": roles}]))
    values = {
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
        "ansible_become_method": "sudo",
        "orthweb_dicom_port": 24712,
        "orthweb_portal_port": 24713,
        "orthweb_orthanc_port": 18082,
        **variables,
    }
    command = [PLAYBOOK, *inventory, play, "-e", json.dumps(values)]
    environment = {**os.environ, "ORTHWEB_STATE_ROOT": str(folder), "ANSIBLE_NOCOLOR": "1"}
    done = run(*command, folder=ROOT, environment=environment, merged=True)
    return Run(done.returncode, done.stdout)


def test_the_example_of_hosts_is_complete(tmp_path: Path) -> None:
    listed = json.loads(output_of(PLAYBOOK.with_name("ansible-inventory"), "-i", EXAMPLE, "--list", folder=ROOT))
    assert listed["imaging"]["hosts"] == HOSTS
    assert not listed.get("database", {}).get("hosts")
    run = preflight(tmp_path, "-i", str(EXAMPLE), vault_database_admin_password="the admin's").ok()
    assert all(f"{host} " in run.output for host in HOSTS)


def test_without_a_password_the_example_says_what_is_missing(tmp_path: Path) -> None:
    said = said_by(preflight(tmp_path, "-i", str(EXAMPLE)))
    assert "orthweb_database has only one of admin_user and admin_password" in said


def test_two_hosts_need_a_database_that_they_share(tmp_path: Path) -> None:
    local = ROOT / "inventory" / "local" / "group_vars"
    (tmp_path / "group_vars").symlink_to(local)
    hosts = {"hosts": {host: {} for host in HOSTS}}
    (tmp_path / "hosts.yml").write_text(json.dumps({"imaging": hosts}))
    assert f"{HOSTS[0]} has no database" in said_by(preflight(tmp_path, "-i", str(tmp_path / "hosts.yml")))
    (tmp_path / "hosts.yml").write_text(json.dumps({"imaging": hosts, "database": hosts}))
    assert "There are 2 imaging hosts" in said_by(preflight(tmp_path, "-i", str(tmp_path / "hosts.yml")))


def test_files_are_on_one_host(tmp_path: Path) -> None:
    given = {"vault_database_admin_password": "the admin's", "orthweb_storage": "filesystem"}
    said = said_by(preflight(tmp_path, "-i", str(EXAMPLE), **given))
    assert "orthweb_storage is filesystem, and there are 2 imaging hosts" in said


def test_what_is_known_later_is_not_asked_for_yet(tmp_path: Path) -> None:
    """As on AWS, where the endpoint is there only after preflight."""
    later = {"host": "{{ not_known_yet }}", "password": "{{ not_known_yet }}", "ca_certificate": "{{ not_known_yet }}"}
    preflight(tmp_path, "-i", str(EXAMPLE), orthweb_database=later).ok()


def test_a_certificate_that_ends_soon_is_warned_of(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "pki")
    certificate, key = authority.issue(*HOSTS, days=12.5)
    given = {"certificate": str(certificate), "private_key": str(key), "ca_certificate": str(authority.file)}
    values = {"vault_database_admin_password": "the admin's", "orthweb_server_certificate": given}
    run = preflight(tmp_path, "-i", str(EXAMPLE), **values).ok()
    assert f"WARNING: {certificate} expires in 12 days." in " ".join(run.output.split())
    authority.issue(*HOSTS, days=90)
    assert "WARNING: " not in preflight(tmp_path, "-i", str(EXAMPLE), **values).ok().output
