# SPDX-License-Identifier: GPL-3.0-or-later
"""What of a secret has to change. The target of ansible-test asks a simulated Secrets Manager."""

from __future__ import annotations

import json

import pytest
from ansible_collections.cellcs.orthweb.plugins.module_utils.aws.generated_secret import (
    Update,
    generated,
    read,
    update_of,
    written,
)

KEY = "arn:aws:kms:us-east-1:123456789012:key/1234"
DESCRIBED = {"KmsKeyId": KEY, "Tags": [{"Key": "team", "Value": "imaging"}, {"Key": "theirs", "Value": "x"}]}
KEPT = {"username": "orthanc", "password": "pw", "note": "theirs"}


def test_a_password_is_letters_and_digits() -> None:
    password = generated(32)
    assert len(password) == 32
    assert password.isascii() and password.isalnum()
    assert generated(32) != password


def test_what_is_written_is_read() -> None:
    assert read(written("orthanc", "pw")) == {"username": "orthanc", "password": "pw"}


@pytest.mark.parametrize("text", ["", "pw", "[]", '"pw"', "{}", '{"password": ""}', '{"password": null}'])
def test_what_has_no_password_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        read(text)


@pytest.mark.parametrize("key", [KEY, "1234", None, ""])
def test_what_is_as_it_should_be_is_kept(key: str | None) -> None:
    assert not update_of(DESCRIBED, KEPT, "orthanc", key, {"team": "imaging"})


def test_another_user_has_the_same_password_and_what_others_added() -> None:
    update = update_of(DESCRIBED, KEPT, "archive", None, {})
    assert json.loads(update.options.pop("SecretString")) == {**KEPT, "username": "archive"}
    assert update == Update({}, {})


def test_a_new_password_has_the_same_user_and_what_others_added() -> None:
    update = update_of(DESCRIBED, KEPT, "orthanc", None, {}, "new")
    assert json.loads(update.options.pop("SecretString")) == {**KEPT, "password": "new"}
    assert update == Update({}, {})


def test_another_key() -> None:
    assert update_of(DESCRIBED, KEPT, "orthanc", "5678", {}) == Update({"KmsKeyId": "5678"}, {})
    assert update_of({}, KEPT, "orthanc", KEY, {}) == Update({"KmsKeyId": KEY}, {})


def test_tags_that_are_missing_or_differ() -> None:
    update = update_of(DESCRIBED, KEPT, "orthanc", None, {"team": "it", "stack": "clinic"})
    assert update == Update({}, {"team": "it", "stack": "clinic"})
    assert update
