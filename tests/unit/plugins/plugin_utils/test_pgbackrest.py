# SPDX-License-Identifier: GPL-3.0-or-later
"""pgBackRest's configuration, and what a person is told of backups."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.cellcs.orthweb.plugins.plugin_utils.pgbackrest import (
    backups_made,
    fingerprint,
    pgbackrest_configuration,
    pgbackrest_files,
    pgbackrest_places,
    restore_moment,
    restored,
)

OPTIONS: dict[str, Any] = {
    "stanza": "clinic",
    "data": "/var/lib/postgresql/data/17",
    "passphrase": "generated",
    "keep_days": 28,
    "processes": 2,
}
FOLDER = {"name": "nas", "type": "folder", "path": "/mnt/nas"}
PRINTED = "SHA256:V09TD09AhtvFPV/BrJIZhBFsyD5vwKhVdvCyLIGHtGc"
IN_HEX = "574f530f4f4086dbc53d5fc1ac921984116cc83e6fc0a85576f0b22c8187b467"
SFTP = {
    "name": "away",
    "type": "sftp",
    "path": "/backups",
    "host": "sftp.example",
    "user": "backup",
    "private_key": "~/.ssh/backup",
    "fingerprint": PRINTED,
}


def lines(*repositories: dict[str, Any]) -> list[str]:
    return pgbackrest_configuration(repositories, OPTIONS).splitlines()


def test_each_repository_has_its_number() -> None:
    written = lines(FOLDER, SFTP)
    assert "repo1-path=/repositories/nas" in written
    assert "repo2-path=/backups" in written and "repo2-sftp-host=sftp.example" in written
    assert written[-4:-2] == ["[clinic]", "pg1-path=/var/lib/postgresql/data/17"]


def test_all_are_encrypted_each_with_its_own_passphrase() -> None:
    written = lines(FOLDER, {**SFTP, "passphrase": "given by a person"})
    assert [line for line in written if "cipher" in line] == [
        "repo1-cipher-type=aes-256-cbc",
        "repo1-cipher-pass=generated",
        "repo2-cipher-type=aes-256-cbc",
        "repo2-cipher-pass=given by a person",
    ]


def test_backups_are_kept_by_time() -> None:
    """By number, whoever can cause backups could push the older ones out."""
    written = lines(FOLDER, SFTP)
    for number in (1, 2):
        assert f"repo{number}-retention-full-type=time" in written
        assert f"repo{number}-retention-full=28" in written


def test_the_server_s_key_is_pinned() -> None:
    written = lines(SFTP)
    assert "repo1-sftp-host-key-check-type=fingerprint" in written
    assert f"repo1-sftp-host-fingerprint={IN_HEX}" in written
    assert fingerprint(IN_HEX) == IN_HEX
    with pytest.raises(ValueError):
        fingerprint("SHA256:no fingerprint!")


def test_keys_are_files_of_the_controller() -> None:
    assert pgbackrest_files([FOLDER, SFTP]) == [{"name": "away.key", "path": "~/.ssh/backup"}]
    assert "repo2-sftp-private-key-file=/etc/pgbackrest/away.key" in lines(FOLDER, SFTP)


def test_where_they_are_for_pgbackrest() -> None:
    """The configuration and the program have the same path."""
    places = pgbackrest_places([FOLDER, SFTP])
    assert places == [{"name": "nas", "path": "/repositories/nas"}, {"name": "away", "path": "/backups"}]
    assert all(f"repo{number}-path={place['path']}" in lines(FOLDER, SFTP) for number, place in enumerate(places, 1))


def test_what_a_person_is_told() -> None:
    made = {"label": "20261130-082249F", "kind": "full", "size": 31196378, "stored": 3770704, "seconds": 12}
    said = backups_made({"made": {"nas": made}, "failed": {}, "restorable": "2026-11-30T08:24:08+00:00"})
    assert said == [
        "Full backup 20261130-082249F in nas: 29.8 MiB, of which 3.6 MiB were stored, in 12 s.",
        "Newest restorable moment: 2026-11-30T08:24:08+00:00",
    ]


def test_a_bucket() -> None:
    given = {
        **{"name": "bucket", "type": "s3", "path": "/orthweb", "bucket": "clinic", "endpoint": "s3.example"},
        **{"region": "eu-central-1", "access_key": "key", "secret_key": "secret", "ca": "ca.crt", "uri_style": "path"},
    }
    written = lines(FOLDER, given)
    for line in ("type=s3", "path=/orthweb", "s3-bucket=clinic", "s3-endpoint=s3.example", "s3-key-secret=secret"):
        assert f"repo2-{line}" in written
    assert "repo2-s3-uri-style=path" in written and "repo2-storage-port=443" in written
    assert "repo2-storage-ca-file=/etc/pgbackrest/bucket.ca" in written
    assert pgbackrest_files([given]) == [{"name": "bucket.ca", "path": "ca.crt"}]


@pytest.mark.parametrize("text", ["2026-11-28 14:03", "2026-11-28 15:03+01:00", "2026-11-28T14:03:00Z"])
def test_a_moment_is_in_utc_unless_it_says_otherwise(text: str) -> None:
    assert datetime.fromisoformat(restore_moment(text)) == datetime(2026, 11, 28, 14, 3, tzinfo=UTC)


@pytest.mark.parametrize("text", ["yesterday", "14:03", "2999-01-01"])
def test_what_is_no_moment_is_refused(text: str) -> None:
    assert restore_moment("") == ""
    with pytest.raises(AnsibleFilterError, match="Nothing was touched"):
        restore_moment(text)


def test_what_was_restored() -> None:
    answer = {"patients": 1, "studies": 2, "series": 3, "instances": 4, "newest": "20261128T140300", "paused": False}
    said = restored({**answer, "time": "2026-11-28 14:03:01+00"}, "2026-11-29 00:00")
    assert said[:2] == [
        "1 patients, 2 studies, 3 series, 4 instances.",
        "The newest change of a study is of 2026-11-28 14:03:00.",
    ]
    assert "Nothing later was archived" in said[3]
    assert len(restored({**answer, "time": None, "paused": True}, "2026-11-29 00:00")) == 3
