# SPDX-License-Identifier: GPL-3.0-or-later
"""Who logs in to the portal."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

from .words import listed, unknown_keys

KEYS = ("name", "role", "kind", "mail", "password", "password_hash")
ROLES = ("admin", "radiologist", "reader", "uploader")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,62}", re.ASCII)
KINDS = ("person", "program")
MAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
# nginx's own account in Orthanc, and the program that checks a deployment.
RESERVED = {
    "nginx": "that of nginx's own account in Orthanc",
    "acceptance": "that of the program that checks deployments",
}
# crypt(5): a check of 5000 rounds takes 3 ms, in which nginx does nothing else. 99999 rounds are 60 ms.
SHA512_CRYPT = re.compile(r"\$6\$(rounds=[0-9]{4,5}\$)?[./0-9A-Za-z]{1,16}\$[./0-9A-Za-z]{86}", re.ASCII)
SHORTEST_PASSWORD = 12
# A password of nothing but these, and of what is not a letter, is among the first that are tried.
TRIED_FIRST = re.compile(
    "(?:abc|admin|administrator|archive|asdf|asdfgh|baseball|changeme|changethis|clinic|default|demo|dicom|doctor|dragon"
    "|football|geheim|guest|hallo|hello|hospital|iloveyou|klinik|krankenhaus|letmein|login|master|medical|monkey|nginx"
    "|orthanc|orthweb|pacs|pass|passwd|passphrase|password|passwort|portal|postgres|princess|qwerty|qwertyuiop|qwertz"
    "|qwertzuiop|radiologie|radiologist|radiology|reader|root|secret|server|sunshine|temp|test|uploader|user|viewer|welcome"
    "|willkommen|xray)+"
)
LOOK_ALIKES = str.maketrans("@4301$5!", "aaeoissi")
KEYBOARD = (
    "abcdefghijklmnopqrstuvwxyz",
    "12345678901234567890",
    "qwertyuiopasdfghjklzxcvbnm",
    "qwertzuiopasdfghjklyxcvbnm",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm",
)


def _weakness(name: str, password: str) -> str:
    """Why it would be guessed, or nothing. Without a word of the password itself."""
    if len(password) < SHORTEST_PASSWORD:
        return f"it is shorter than {SHORTEST_PASSWORD} characters"
    lower = password.casefold()
    names = {part for part in (name.casefold(), name.casefold().partition("@")[0]) if len(part) > 3}
    if any(part in lower for part in names):
        return "it contains the account's name"
    if len(set(lower)) < 5 or any(lower in row or lower[::-1] in row for row in KEYBOARD):
        return "it is a row of keys, or has few different characters"
    core = re.sub("^[^a-z]+|[^a-z]+$", "", lower)
    if any(TRIED_FIRST.fullmatch(re.sub("[^a-z]", "", word)) for word in (core, core.translate(LOOK_ALIKES))):
        return "it consists of words that attackers try first"
    return ""


def _problems(user: dict[str, Any], default_allowed: bool) -> Iterable[str]:
    if problem := unknown_keys(user, KEYS):
        yield f"it {problem}"
    name = user.get("name")
    if not isinstance(name, str) or not NAME.fullmatch(name):
        yield "name must be 1 to 63 letters, digits, dots, underscores, hyphens or @, beginning with a letter or digit."
    elif name in RESERVED:
        yield f"the name {name} is {RESERVED[name]}: choose another."
    if user.get("role") not in ROLES:
        yield f"role is {user.get('role', 'missing')}: choose {listed(ROLES, 'or')}."
    if user.get("kind", "person") not in KINDS:
        yield f"kind is {user['kind']}: choose {listed(KINDS, 'or')}."
    if user.get("mail") and not MAIL.fullmatch(str(user["mail"])):
        yield f"mail is {user['mail']}, which is not a mail address."
    password = user.get("password") or ""
    if password and user.get("password_hash"):
        yield "set password or password_hash, not both."
    if user.get("password_hash") and not SHA512_CRYPT.fullmatch(str(user["password_hash"])):
        yield "password_hash is not a SHA-512 crypt hash: create one with `openssl passwd -6`."
    if not isinstance(password, str):
        yield "password is not a string: put it in quotation marks."
    elif password == "orthanc" and not default_allowed:
        yield (
            'password is "orthanc", which every scanner on the Internet tries first: choose another, or omit it to '
            "have one generated."
        )
    elif "$" in password and user.get("role") == "admin":
        yield "password has a dollar sign, which Orthanc's upstream image would expand: choose one without."
    elif re.search(r"[\x00-\x1f\x7f]", password):
        yield "password has a control character, which no browser sends."
    elif password and password != "orthanc" and (weakness := _weakness(str(name), password)):
        yield f"password is easy to guess: {weakness}. Choose another, or omit it to have one generated."


def portal_user_problems(users: object, default_allowed: bool = False) -> list[str]:
    """Sentences, each with the entry it is about, and none with a password; empty if nothing is wrong.

    :param users: entries with ``name``, ``role``, and maybe ``password`` or ``password_hash``
    :param default_allowed: whether a password may be the one that Orthanc used to come with
    """
    if not isinstance(users, list) or not all(isinstance(user, dict) for user in users):
        return ["it must be a list of entries, each with a name and a role."]
    problems = [
        f"entry {number} ({user.get('name', 'no name')}): {problem}"
        for number, user in enumerate(users, 1)
        for problem in _problems(user, default_allowed)
    ]
    names = Counter(str(user.get("name")) for user in users)
    problems += [f"the name {name} is in {count} entries." for name, count in names.items() if count > 1]
    if not any(user.get("role") == "admin" and not user.get("password_hash") for user in users):
        problems.append(
            "no admin has a password that is known here, so that nobody could log in with credentials.json: add one "
            "without password_hash."
        )
    return problems
