# SPDX-License-Identifier: GPL-3.0-or-later
"""A database that we do not run, and where a stack has its database."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.cellcs.orthweb.plugins.plugin_utils.preflight.database import database_problems, place_problems


@pytest.fixture
def given(tmp_path: Path) -> dict:
    (tmp_path / "ca.crt").write_text("-----BEGIN CERTIFICATE-----")
    return {"host": "db.clinic.example", "password": "(given)", "ca_certificate": str(tmp_path / "ca.crt")}


@pytest.mark.parametrize(
    "also",
    [
        {},
        {"port": "5432", "name": "images", "user": "archive"},
        {"password": "", "admin_user": "postgres", "admin_password": "(given)"},
        {"identity_user": "orthanc"},
        {"identity_user": "login", "identity_password": "(given)"},
        {"identity_user": "login", "admin_user": "postgres", "admin_password": "(given)"},
        {"user": "u" * 63, "identity_user": "login", "admin_user": "postgres", "admin_password": "(given)"},
        {"host": "", "password": "", "ca_certificate": ""},  # on AWS, where they come later
        {"host": None, "password": None},
    ],
)
def test_what_is_right_is_fine(given: dict, also: dict) -> None:
    assert list(database_problems({**given, **also})) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"pasword": "x"},
            "orthweb_database has unknown keys: pasword (did you mean password?). Known keys: host, port,",
        ),
        ({"host": "db:5432"}, "orthweb_database.host: 'db:5432' has brackets or a port"),
        ({"port": "postgres"}, "orthweb_database.port is postgres: a port is a number"),
        ({"name": "1st"}, 'orthweb_database.name is "1st": use 1 to 63 letters'),
        ({"user": "o'brien"}, 'orthweb_database.user is "o\'brien": use'),
        ({"password": ""}, "orthweb_database has neither password nor admin_user"),
        ({"admin_user": "postgres"}, "orthweb_database has only one of admin_user and admin_password"),
        ({"admin_password": "(given)"}, "orthweb_database has only one of admin_user and admin_password"),
        ({"admin_user": "orthanc", "admin_password": "(given)"}, "orthweb_database.user is the admin"),
        (
            {"identity_user": "dba", "admin_user": "dba", "admin_password": "(given)"},
            "orthweb_database.identity_user is the admin",
        ),
        (
            {"identity_user": "login;", "identity_password": "(given)"},
            'orthweb_database.identity_user is "login;": use',
        ),
        ({"identity_user": "login"}, "orthweb_database has identity_user, but no identity_password"),
        ({"identity_password": "(given)"}, "orthweb_database has identity_password, but neither identity_user"),
        (
            {"user": "u" * 55, "admin_user": "dba", "admin_password": "(given)"},
            "orthweb_database.user has 55 characters",
        ),
        ({"ca_certificate": "/nonexistent"}, "orthweb_database.ca_certificate is /nonexistent, but there is no"),
        ({"ca_certificate": "/dev/null"}, "orthweb_database.ca_certificate is /dev/null, but there is no"),
    ],
)
def test_each_mistake_has_its_sentence(given: dict, change: dict, said: str) -> None:
    (problem,) = database_problems({**given, **change})
    assert problem.startswith(said)


def test_what_is_missing_is_said() -> None:
    assert list(database_problems({})) == ["orthweb_database has no host.", "orthweb_database has no ca_certificate."]


PLACE = {"host": "one", "given": False, "embedded": True, "imaging_hosts": 1, "storage": "database"}


@pytest.mark.parametrize(
    "also", [{}, {"storage": "filesystem"}, {"given": True, "embedded": False, "imaging_hosts": 3}]
)
def test_one_database_is_fine(also: dict) -> None:
    assert list(place_problems(**{**PLACE, **also})) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"given": True}, "orthweb_database is set, but one is in the group database"),
        ({"embedded": False}, "one has no database"),
        ({"imaging_hosts": 2}, "There are 2 imaging hosts, and each would have an archive of its own"),
        (
            {"given": True, "embedded": False, "imaging_hosts": 2, "storage": "filesystem"},
            "orthweb_storage is filesystem, and there are 2 imaging hosts",
        ),
    ],
)
def test_none_or_several_are_not(change: dict, said: str) -> None:
    (problem,) = place_problems(**{**PLACE, **change})
    assert problem.startswith(said)
