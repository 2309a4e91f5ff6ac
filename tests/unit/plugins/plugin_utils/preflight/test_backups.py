# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the embedded database is backed up."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.cellcs.orthweb.plugins.plugin_utils.preflight.backups import backup_problems

FOLDER: dict[str, Any] = {"name": "nas", "type": "folder", "path": "/mnt/nas/orthweb"}
SFTP: dict[str, Any] = {
    "name": "away",
    "type": "sftp",
    "path": "/backups",
    "host": "sftp.clinic.example",
    "user": "backup",
    "private_key": __file__,
    "fingerprint": "SHA256:V09TD09AhtvFPV/BrJIZhBFsyD5vwKhVdvCyLIGHtGc",
}


S3: dict[str, Any] = {
    "name": "bucket",
    "type": "s3",
    "path": "/orthweb",
    "bucket": "clinic-backups",
    "endpoint": "s3.eu-central-1.amazonaws.com",
    "region": "eu-central-1",
    "access_key": "key",
    "secret_key": "secret",
}


def problems(given: object, **folders: str) -> list[str]:
    found = {"/mnt/nas/orthweb": folders["nas"]} if folders else {}
    return list(backup_problems(given, embedded=True, host="pacs1", folders=found))


def test_what_works() -> None:
    more = {**SFTP, "name": "b", "host": "192.0.2.1", "port": 2222, "passphrase": "x" * 20}
    assert problems([]) == problems([FOLDER]) == problems([FOLDER, SFTP, more]) == []


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"name": "N A S"}, "name must be of a-z"),
        ({"type": "ftp"}, "type is ftp: choose folder, s3 or sftp."),
        ({"type": None}, "type is missing"),
        ({"path": ""}, "path is missing"),
        ({"path": "relative"}, "path is relative"),
        ({"path": "/"}, "path is /:"),
        ({"path": "/mnt/../etc"}, "path is /mnt/../etc"),
        ({"path": "/mnt/a:b"}, "path is /mnt/a:b"),
        ({"passphrase": "short"}, "passphrase must have 20 characters"),
        ({"passphrase": "x" * 20 + "\ny"}, "passphrase must have 20 characters"),
        ({"pathh": "/x"}, "did you mean path?"),
    ],
)
def test_what_does_not(changed: dict[str, Any], said: str) -> None:
    [problem] = problems([FOLDER | changed])
    assert problem.startswith("orthweb_backup_repositories, ") and said in problem


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"host": ""}, "host is missing"),
        ({"host": "not a host"}, "host:"),
        ({"port": 70000}, "port is 70000"),
        ({"user": "a b"}, "user is a b"),
        ({"private_key": "/nonexistent"}, "private_key is /nonexistent"),
        ({"fingerprint": ""}, "fingerprint is missing"),
        ({"fingerprint": "MD5:00:11"}, "fingerprint is MD5:00:11"),
        ({"fingerprint": "SHA256:V09T"}, "fingerprint is SHA256:V09T"),
    ],
)
def test_what_does_not_by_sftp(changed: dict[str, Any], said: str) -> None:
    [problem] = problems([SFTP | changed])
    assert said in problem


@pytest.mark.parametrize("given", [None, "nas", {"name": "nas"}, ["nas"]])
def test_no_list(given: object) -> None:
    [problem] = problems(given)
    assert "must be a list" in problem


def test_no_second_copy() -> None:
    assert any("more than one entry named nas" in problem for problem in problems([FOLDER, FOLDER]))
    [problem] = problems([FOLDER, FOLDER | {"name": "other"}])
    assert "the same place twice" in problem


def test_passphrases_are_not_said() -> None:
    secret = "a secret"
    assert all(secret not in problem for problem in problems([SFTP | {"passphrase": secret, "host": ""}]))


@pytest.mark.parametrize(("state", "said"), [("absent", "does not exist on pacs1"), ("refused", "run chown 5432:5432")])
def test_the_folder_on_the_host(state: str, said: str) -> None:
    [problem] = problems([FOLDER], nas=state)
    assert said in problem
    assert list(backup_problems([FOLDER], embedded=False, host="x", folders={"/mnt/nas/orthweb": state})) == []


def test_a_bucket() -> None:
    assert problems([S3, {**S3, "name": "other", "bucket": "others", "uri_style": "path", "port": 8333}]) == []
    assert problems([S3, {**S3, "name": "other"}]) == [
        "orthweb_backup_repositories has the same place twice: one of them would be no second copy."
    ]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"endpoint": "https://s3.example"}, "Set the server's name alone"),
        ({"bucket": "No_Bucket"}, "bucket is No_Bucket: set the name of a bucket"),
        ({"region": "", "secret_key": None}, "region and secret_key are missing"),
        ({"access_key": ""}, "access_key is missing. Keep the secret key in a vault."),
        ({"uri_style": "dns"}, "uri_style is dns: choose host"),
        ({"ca": "/nonexistent"}, "ca is /nonexistent: set the path"),
        ({"port": 0}, "port is"),
        ({"host": "x"}, "host"),
    ],
)
def test_what_a_bucket_lacks(changed: dict[str, Any], said: str) -> None:
    [problem] = problems([S3 | changed])
    assert said in problem
    assert "secret" not in problem.replace("secret_key", "").replace("secret key", "")
