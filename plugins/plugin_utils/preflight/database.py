# SPDX-License-Identifier: GPL-3.0-or-later
"""A database that we do not run (``orthweb_database``), and where a stack has its database at all."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.names import host_name_problem

from .files import has_certificate
from .words import port_problem, unknown_keys

KEYS = (
    "host", "port", "name", "user", "password", "identity_user", "identity_password", "ca_certificate",
    "admin_user", "admin_password",
)  # fmt: skip
LONGEST_WITH_SUFFIX = 63 - len("_identity")
IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,62}", re.ASCII)


def database_problems(database: Mapping[str, Any]) -> Iterator[str]:
    """Of a database that exists. A missing key is a mistake, an empty value is one that comes later.

    On AWS, host and passwords are known only later: RDS is asked for first and waited for last. The other values are
    checked as soon as there is a host.

    :param database: with any text in place of its passwords
    """
    if not isinstance(database, Mapping):
        yield (
            "orthweb_database does not describe a database: use keys such as host and ca_certificate "
            "(docs/existing-pieces.md)."
        )
        return
    for key in ("host", "ca_certificate"):
        if key not in database:
            yield f"orthweb_database has no {key}."
    if problem := unknown_keys(database, KEYS):
        yield f"orthweb_database {problem}"
    if database.get("host"):
        yield from _address_problems(database)
        yield from _account_problems(database)
        yield from _ca_problems(str(database.get("ca_certificate") or ""))


def _address_problems(database: Mapping[str, Any]) -> Iterator[str]:
    if problem := host_name_problem(str(database["host"])):
        yield f"orthweb_database.host: {problem}"
    if problem := port_problem(database.get("port", 5432)):
        yield f"orthweb_database.port is {problem}"
    for key in ("name", "user", *(["identity_user"] if database.get("identity_user") else [])):
        if not IDENTIFIER.fullmatch(str(database.get(key, "orthanc"))):
            yield (
                f'orthweb_database.{key} is "{database[key]}": use 1 to 63 letters, digits, underscores and hyphens, '
                "not beginning with a digit."
            )


def _account_problems(database: Mapping[str, Any]) -> Iterator[str]:
    admin = database.get("admin_user", "")
    if not (database.get("password") or admin):
        yield (
            "orthweb_database has neither password nor admin_user: set the password of Orthanc's user, or an admin who "
            "creates that user."
        )
    if bool(admin) != bool(database.get("admin_password")):
        yield (
            "orthweb_database has only one of admin_user and admin_password: set both, or neither if user and database "
            "exist already."
        )
    user, identity = database.get("user", "orthanc"), database.get("identity_user")
    if admin == user:
        yield "orthweb_database.user is the admin: Orthanc never logs in as the admin. Use a separate user."
    if admin and admin == identity:
        yield "orthweb_database.identity_user is the admin: the login service never logs in as the admin."
    if database.get("identity_password") and not (identity or admin):
        yield "orthweb_database has identity_password, but neither identity_user, whose it is, nor an admin."
    if identity and identity != user and not (database.get("identity_password") or admin):
        yield (
            "orthweb_database has identity_user, but no identity_password: set it, or an admin who creates that user."
        )
    if admin and not identity and len(str(user)) > LONGEST_WITH_SUFFIX:
        yield (
            f"orthweb_database.user has {len(str(user))} characters: with more than {LONGEST_WITH_SUFFIX}, set "
            "identity_user, too, as its default would be too long."
        )


def _ca_problems(path: str) -> Iterator[str]:
    if not has_certificate(path):
        yield (
            f"orthweb_database.ca_certificate is {path or 'missing'}, but there is no certificate in PEM format at "
            "that path on the controller."
        )


def place_problems(*, host: str, given: bool, embedded: bool, imaging_hosts: int, storage: str) -> Iterator[str]:
    """The embedded database is reached on its own host only.

    :param given: whether there is ``orthweb_database``
    :param embedded: whether ``host`` runs a database of the stack
    :param imaging_hosts: how many there are
    :param storage: where the images are kept, as ``orthweb_storage`` has it
    """
    if given and embedded:
        yield (
            f"orthweb_database is set, but {host} is in the group database, which would run another one: remove the "
            "host from the group, or orthweb_database from the variables."
        )
    elif not (given or embedded):
        yield (
            f"{host} has no database: add it to the group database, too, to run one there, or set orthweb_database to "
            "an existing one."
        )
    elif embedded and imaging_hosts > 1:
        yield (
            f"There are {imaging_hosts} imaging hosts, and each would have an archive of its own: let them share one "
            "database (orthweb_database)."
        )
    elif storage == "filesystem" and imaging_hosts > 1:
        yield (
            f"orthweb_storage is filesystem, and there are {imaging_hosts} imaging hosts: each would have only the "
            "images that it received itself. Use orthweb_storage: database, or one host."
        )
