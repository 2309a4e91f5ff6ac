# SPDX-License-Identifier: GPL-3.0-or-later
"""All that is wrong is said in one run, each with its subject; the role gives it what it takes."""

from __future__ import annotations

import pytest
import yaml
from ansible_collections.cellcs.orthweb.plugins.filter.preflight_problems import preflight_problems

from support.checkout import ROOT

ROLE = ROOT / "roles/preflight/vars/main.yml"
GOOD = {
    "host": {
        "name": "one",
        "root": True,
        "distribution": "Debian",
        "version": "13",
        "tried": {"Debian": ["13"]},
        "disk_free_mb": 1,
        "minimum_disk_mb": 1,
        "docker_directory": "/var/lib/docker",
        "memory_mb": 4096,
        "minimum_memory_mb": 1,
        "runs": False,
    },
    "stack": "clinic",
    "settings": {"orthweb_stack": "clinic"},
    "limits": {"nginx_pids": ""},
    "ports": {"orthweb_dicom_port": 11112, "orthweb_portal_port": 443},
    "port_holders": {"containers": [], "own": [], "listeners": []},
    "dicom_listeners": [{"port": 11112}],
    "server_names": ["pacs.clinic.example"],
    "modalities": [{"name": "ct", "aet": "CT"}],
    "archive_aet": "ORTHANC",
    "images": {
        "source": "archive",
        "archive": __file__,
        "upstream_orthanc": "",
        "suites": {},
        "mirror": "",
        "snapshot": "",
        "require_fresh_index": False,
        "registry": {"references": {}, "needed": [], "host": "one", "login_keys": [], "ca": ""},
    },
    "place": {"host": "one", "given": False, "embedded": True, "imaging_hosts": 1, "storage": "database"},
    "database": {},
    "server_certificate": {},
    "acme": {},
    "backups": {"given": [], "embedded": True, "host": "one", "folders": {}},
    "users": [{"name": "admin", "role": "admin"}],
    "login_providers": [],
    "smtp": {},
    "default_credentials_allowed": False,
    "folder": {"ca_certificate": "/state/ca.crt", "ca_name": ""},
    "new_ca": False,
    "stranger": {"host": "one", "clients_ca": "", "found": "", "ca_bundle": "", "known": ""},
}


def keys(value: object) -> object:
    """The shape of a dictionary of dictionaries; what is in the others is given by people."""
    ours = ("host", "port_holders", "images", "registry", "place", "folder", "stranger")
    return (
        {key: keys(inner) if key in ours else None for key, inner in value.items()} if isinstance(value, dict) else None
    )


def test_nothing_wrong() -> None:
    assert preflight_problems(GOOD) == []


def test_the_role_gives_all_that_it_takes() -> None:
    assert keys(yaml.safe_load(ROLE.read_text())["__preflight_given"]) == keys(GOOD)


def test_everything_wrong() -> None:
    wrong = {
        **GOOD,
        "host": {**GOOD["host"], "root": False},
        "stack": "Clinic",
        "settings": {"orthweb_modality": [], "orthweb_new_ca": "perhaps", "orthweb_storage": "tape"},
        "limits": {"nginx_pids": 1},
        "ports": {"orthweb_dicom_port": 11112, "orthweb_portal_port": 0},
        "dicom_listeners": [{"port": 11112, "tls": "yes"}],
        "server_names": ["no name/"],
        "modalities": [],
        "images": {**GOOD["images"], "source": "nowhere"},
        "place": {**GOOD["place"], "given": True},
        "database": {"ca_certificate": ""},
        "server_certificate": {"certificate": "/nonexistent", "private_key": __file__, "ca_certificate": __file__},
        "users": [],
        "folder": {"ca_certificate": "/state/ca.crt", "ca_name": "OrthWeb ward CA"},
        "stranger": {**GOOD["stranger"], "found": "-----BEGIN CERTIFICATE-----x"},
    }
    begins = [
        "No root on one",
        'orthweb_stack is "Clinic"',
        "orthweb_modality is not a setting of this archive",
        "orthweb_new_ca is 'perhaps': use true or false.",
        'orthweb_storage is "tape": choose database or filesystem.',
        "nginx_pids is 1",
        "orthweb_portal_port is 0",
        "orthweb_dicom_listeners, entry 1 (port 11112): tls is 'yes'",
        "orthweb_server_name or orthweb_server_aliases: 'no name/'",
        "orthweb_modalities is empty",
        'orthweb_images_source is "nowhere"',
        "orthweb_database is set, but one is in the group database",
        "orthweb_database has no host.",
        "orthweb_server_certificate.certificate is /nonexistent: set",
        "orthweb_users, no admin has a password",
        "The certificate folder belongs to another stack",
        "The archive that runs on one was deployed with another CA",
    ]
    said = preflight_problems(wrong)
    assert [problem[: len(begin)] for problem, begin in zip(said, begins, strict=True)] == begins


@pytest.mark.parametrize(
    ("setting", "value", "subject"),
    [
        ("orthweb_server_certificate", "/etc/pacs.pem", "server_certificate"),
        ("orthweb_images_snapshot", ["yesterday"], "images"),
    ],
)
def test_what_has_the_wrong_type_is_named_and_not_looked_at_further(setting: str, value: object, subject: str) -> None:
    given = {**GOOD, "settings": {setting: value}, subject: value}
    (problem,) = preflight_problems({**given, "stack": GOOD["stack"]})
    assert problem.startswith(f"{setting} is {value!r}: use ")


def test_a_load_balancer_is_judged() -> None:
    (problem,) = preflight_problems({**GOOD, "settings": {"orthweb_balancer_ranges": ["balancer"]}})
    assert problem.startswith("orthweb_balancer_ranges has 'balancer'")


def test_the_name_is_judged_although_the_aliases_have_the_wrong_type() -> None:
    given = {**GOOD, "settings": {"orthweb_server_aliases": "a b/"}, "server_names": ["no name/", "a b/"]}
    of_aliases, of_name = preflight_problems(given)
    assert of_aliases == "orthweb_server_aliases is 'a b/': use a list."
    assert of_name.startswith("orthweb_server_name or orthweb_server_aliases: 'no name/'")


@pytest.mark.parametrize("value", ["orthanc@db", None, 5])
def test_a_database_that_is_none_is_said(value: object) -> None:
    problems = preflight_problems(
        {**GOOD, "place": {**GOOD["place"], "given": True, "embedded": False}, "database": value}
    )
    assert [problem.split(":")[0] for problem in problems] == ["orthweb_database does not describe a database"]


def test_a_plain_modality_takes_a_port() -> None:
    plain = [
        {"name": "ct", "aet": "CT"},
        {"name": "mr", "aet": "MR", "host": "10.1.2.3", "tls": False, "listener": 443},
    ]
    assert preflight_problems({**GOOD, "modalities": plain}) == [
        "orthweb_modalities, listener 443 and orthweb_portal_port are both 443: use different ports."
    ]
    (problem,) = preflight_problems({**GOOD, "modalities": [plain[0], {**plain[1], "listener": 11112}]})
    assert problem.startswith("orthweb_modalities, entry 2 (mr): port 11112 uses TLS")


def test_a_new_ca_on_purpose_is_allowed() -> None:
    stranger = {**GOOD["stranger"], "found": "-----BEGIN CERTIFICATE-----x"}
    assert preflight_problems({**GOOD, "stranger": stranger, "new_ca": True}) == []
