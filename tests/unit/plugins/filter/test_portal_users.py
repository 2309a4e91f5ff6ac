# SPDX-License-Identifier: GPL-3.0-or-later
"""Who logs in to the portal: what is kept of each."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from ansible_collections.cellcs.orthweb.plugins.filter.portal_users import portal_users

HASH = "$6$abcdefgh12345678$VvxI.Gvltucp0tBviwgUcKh3BBnwkL0TXvNujcfVOTD0WbIX2wnH16CfpFrsBuFisDAvIhOFDfLpcm/JOLFC0/"
ADMIN = {"name": "admin", "role": "admin"}
SEED = "n0t" * 22


def test_a_password_is_generated_once_and_differs_from_the_others() -> None:
    users = [ADMIN, {"name": "rita", "role": "reader"}]
    first = portal_users(users, {}, "pepper", SEED)
    kept = {user["name"]: user["password"] for user in first}
    assert len(set(kept.values())) == 2 and all(len(password) == 32 for password in kept.values())
    assert portal_users(users, kept, "pepper", "another seed") == first
    assert portal_users(users, {}, "pepper", "another seed") != first


def test_a_given_password_wins_and_a_given_hash_stays() -> None:
    given, hashed = portal_users(
        [{**ADMIN, "password": "given"}, {"name": "rita", "role": "reader", "password_hash": HASH}],
        {"admin": "kept", "rita": "kept"},
        "pepper",
        SEED,
    )
    assert given["password"] == "given"
    assert hashed == {
        "name": "rita",
        "role": "reader",
        "kind": "person",
        "mail": "",
        "password": "",
        "password_hash": HASH,
    }


@pytest.mark.skipif(not shutil.which("openssl"), reason="openssl is not here")
def test_the_hash_is_one_that_openssl_makes_too() -> None:
    (user,) = portal_users([{**ADMIN, "password": "given"}], {}, "pepper", SEED)
    _empty, kind, salt, _digest = user["password_hash"].split("$")
    command = ["openssl", "passwd", f"-{kind}", "-salt", salt, "-stdin"]
    made = subprocess.run(command, input="given", capture_output=True, text=True, check=True).stdout.strip()
    assert user["password_hash"] == made
    (other,) = portal_users([{**ADMIN, "name": "second", "password": "given"}], {}, "pepper", SEED)
    assert other["password_hash"].split("$")[2] != salt
