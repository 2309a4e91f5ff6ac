# SPDX-License-Identifier: GPL-3.0-or-later
"""Who logs in to the portal: what is refused."""

from __future__ import annotations

import pytest
from ansible_collections.cellcs.orthweb.plugins.plugin_utils.preflight.users import portal_user_problems

HASH = "$6$abcdefgh12345678$VvxI.Gvltucp0tBviwgUcKh3BBnwkL0TXvNujcfVOTD0WbIX2wnH16CfpFrsBuFisDAvIhOFDfLpcm/JOLFC0/"
ADMIN = {"name": "admin", "role": "admin"}


@pytest.mark.parametrize(
    "users",
    [
        [ADMIN],
        [{**ADMIN, "password": "a long one: with äöü, spaces"}],
        [ADMIN, {"name": "rita@clinic.example", "role": "reader", "password_hash": HASH}],
        [ADMIN, {"name": "rosa", "role": "radiologist"}],
        [ADMIN, {"name": "ct-1", "role": "uploader", "password": "with $ and length"}],
        [ADMIN, {"name": "rita", "role": "reader", "password": "correct horse battery"}],
        [ADMIN, {"name": "rita", "role": "reader", "password": "kL9#x2Qv8mWz"}],
        [ADMIN, {"name": "ct", "role": "uploader", "password": "protected-password-of-ours"}],
        [ADMIN, {"name": "second", "role": "admin", "password_hash": HASH.replace("$6$", "$6$rounds=10000$")}],
    ],
)
def test_what_is_right_is_not_refused(users: list[dict[str, str]]) -> None:
    assert portal_user_problems(users) == []


@pytest.mark.parametrize(
    "user, said",
    [
        ({"name": "rita", "role": "reader", "pasword": "x"}, "it has unknown keys: pasword"),
        ({"role": "reader"}, "name must be"),
        ({"name": "rita:x", "role": "reader"}, "name must be"),
        ({"name": "rita\n", "role": "reader"}, "name must be"),
        ({"name": "-rita", "role": "reader"}, "name must be"),
        ({"name": 7, "role": "reader"}, "name must be"),
        ({"name": "nginx", "role": "reader"}, "nginx's own account"),
        ({"name": "acceptance", "role": "reader"}, "the program that checks deployments"),
        ({"name": "rita", "role": "reader", "kind": "robot"}, "kind is robot: choose person or program"),
        ({"name": "rita", "role": "reader", "mail": "rita"}, "not a mail address"),
        ({"name": "rita"}, "role is missing: choose admin, radiologist, reader or uploader"),
        ({"name": "rita", "role": "Admin"}, "role is Admin"),
        ({"name": "rita", "role": "reader", "password": "kL9#x2Qv8mWz", "password_hash": HASH}, "not both"),
        ({"name": "rita", "role": "reader", "password_hash": "$1$a$b"}, "openssl passwd -6"),
        ({"name": "rita", "role": "reader", "password_hash": HASH + "\n"}, "openssl passwd -6"),
        ({"name": "rita", "role": "reader", "password_hash": HASH.replace("$6$", "$6$rounds=100000$")}, "passwd -6"),
        ({"name": "rita", "role": "reader", "password": 1234}, "quotation marks"),
        ({"name": "rita", "role": "reader", "password": "orthanc"}, "every scanner"),
        ({"name": "second", "role": "admin", "password": "pa$$"}, "dollar sign"),
        ({"name": "rita", "role": "reader", "password": "eleven.char"}, "it is shorter than 12 characters"),
        ({"name": "rita", "role": "uploader", "password": "z"}, "it is shorter than 12 characters"),
        ({"name": "rita", "role": "reader", "password": "kL9#Rita-x2Qv8"}, "it contains the account's name"),
        ({"name": "rita@clinic.example", "role": "reader", "password": "kL9#rita-x2Qv8"}, "the account's name"),
        ({"name": "rita", "role": "reader", "password": "aaaaaaaaaaaaaaaa"}, "a row of keys"),
        ({"name": "rita", "role": "reader", "password": "123456789012"}, "a row of keys"),
        ({"name": "rita", "role": "reader", "password": "mnbvcxzlkjhgf"}, "a row of keys"),
        ({"name": "rita", "role": "reader", "password": "Password2026!"}, "words that attackers try first"),
        ({"name": "rita", "role": "reader", "password": "P@ssw0rd-1234"}, "words that attackers try first"),
        ({"name": "rita", "role": "reader", "password": "orthanc-orthanc"}, "words that attackers try first"),
        ({"name": "rita", "role": "reader", "password": "Admin123Admin123"}, "words that attackers try first"),
        ({"name": "rita", "role": "reader", "password": "2026 Hospital PACS"}, "words that attackers try first"),
        ({"name": "rita", "role": "reader", "password": "a\tb"}, "control character"),
        ({"name": "admin", "role": "reader"}, "the name admin is in 2 entries"),
    ],
)
def test_what_is_wrong_is_said_with_its_entry(user: dict[str, object], said: str) -> None:
    problems = portal_user_problems([ADMIN, user])
    assert len(problems) == 1 and said in problems[0], problems
    assert problems[0].startswith(("entry 2 (", "the name admin"))


@pytest.mark.parametrize("users", [None, "admin", {}, ["admin"]])
def test_what_is_no_list_is_said(users: object) -> None:
    assert portal_user_problems(users) == ["it must be a list of entries, each with a name and a role."]


@pytest.mark.parametrize("users", [[], [{"name": "rita", "role": "reader"}], [{**ADMIN, "password_hash": HASH}]])
def test_somebody_must_be_able_to_prove_the_deployment(users: list[dict[str, str]]) -> None:
    (problem,) = portal_user_problems(users)
    assert "no admin has a password that is known here" in problem


def test_the_known_password_is_allowed_where_somebody_insists() -> None:
    assert portal_user_problems([{**ADMIN, "password": "orthanc"}], True) == []
    (problem,) = portal_user_problems([{**ADMIN, "password": "orthanc1"}], True)
    assert "shorter than 12 characters" in problem


def test_no_sentence_shows_a_password() -> None:
    weak = ["tiny-secret", "Zz9admin-Zz9Zz9", "qwertzuiopas", "xray-Secret-2026"]
    problems = portal_user_problems([{**ADMIN, "password": password} for password in weak])
    assert len(problems) == len(weak) + 1  # and the name, which is in all of them
    assert not [word for word in weak if any(word.lower() in problem.lower() for problem in problems)]
