# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the embedded database is backed up."""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.names import host_name_problem
from ansible_collections.cellcs.orthweb.plugins.plugin_utils.modalities import is_address
from ansible_collections.cellcs.orthweb.plugins.plugin_utils.pgbackrest import fingerprint

from .words import listed, port_problem, unknown_keys

SETTING = "orthweb_backup_repositories"
KEYS = {
    "folder": ("name", "type", "path", "passphrase"),
    "sftp": ("name", "type", "path", "passphrase", "host", "port", "user", "private_key", "fingerprint"),
    "s3": (
        *("name", "type", "path", "passphrase", "bucket", "endpoint", "port", "region"),
        *("access_key", "secret_key", "uri_style", "ca"),
    ),
}
NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,31}", re.ASCII)
SAFE_PATH = re.compile(r"/[^\s:,=]*", re.ASCII)
BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", re.ASCII)
LEAST_PASSPHRASE = 20
UID = 5432


def backup_problems(given: object, *, embedded: bool, host: str, folders: Mapping[str, str]) -> Iterator[str]:
    """Of ``orthweb_backup_repositories``, none with a passphrase.

    :param embedded: whether the database is ours
    :param folders: by path, what is wrong with it on the host, ``absent`` or ``refused``
    """
    if not isinstance(given, list) or not all(isinstance(each, dict) for each in given):
        yield f"{SETTING} must be a list of entries with name and type; [] for none."
        return
    for entry in given:
        name = str(entry.get("name", "(no name)"))
        yield from (f"{SETTING}, {name}: {problem}" for problem in _problems(entry))
        state = folders.get(str(entry.get("path"))) if entry.get("type") == "folder" and embedded else None
        if state == "absent":
            yield (
                f"{SETTING}, {name}: {entry['path']} does not exist on {host}: mount it, or make it with "
                f"install --directory --owner {UID} --group {UID} --mode 0700 {entry['path']}."
            )
        elif state == "refused":
            yield (
                f"{SETTING}, {name}: the user {UID}, which makes backups, cannot write to {entry['path']} on {host}: "
                f"run chown {UID}:{UID} {entry['path']}. If that is refused on NFS, let its server do it."
            )
    yield from _doubles(given)


def _doubles(given: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    names = [str(entry.get("name")) for entry in given]
    if doubles := sorted({name for name in names if names.count(name) > 1}):
        yield f"{SETTING} has more than one entry named {listed(doubles)}."
    places = [str([entry.get(each, "") for each in ("host", "endpoint", "bucket", "path")]) for entry in given]
    if len(set(places)) < len(places):
        yield f"{SETTING} has the same place twice: one of them would be no second copy."


def _problems(entry: Mapping[str, Any]) -> Iterator[str]:
    kind = entry.get("type")
    if not NAME.fullmatch(str(entry.get("name", ""))):
        yield "name must be of a-z, 0-9 and hyphens, such as nas."
    if kind not in KEYS:
        yield f"type is {kind or 'missing'}: choose {listed(sorted(KEYS), 'or')}."
        return
    if problem := unknown_keys(entry, KEYS[kind]):
        yield problem
    path = str(entry.get("path") or "")
    if not SAFE_PATH.fullmatch(path) or path == "/" or ".." in PurePosixPath(path).parts:
        yield f"path is {path or 'missing'}: set an absolute path without spaces, colons, commas and equals signs."
    passphrase = entry.get("passphrase")
    if passphrase is not None and (
        len(str(passphrase)) < LEAST_PASSPHRASE or str(passphrase).split() != [str(passphrase)]
    ):
        yield f"passphrase must have {LEAST_PASSPHRASE} characters or more, and no spaces. Without one, one is made."
    if kind == "sftp":
        yield from _sftp_problems(entry)
    if kind == "s3":
        yield from _s3_problems(entry)


def _s3_problems(entry: Mapping[str, Any]) -> Iterator[str]:
    endpoint = str(entry.get("endpoint") or "")
    if problem := host_name_problem(endpoint):
        yield f"endpoint: {problem.rstrip('.')}. Set the server's name alone, such as s3.eu-central-1.amazonaws.com."
    if "port" in entry and (problem := port_problem(entry["port"])):
        yield f"port is {problem}"
    if not BUCKET.fullmatch(str(entry.get("bucket") or "")):
        yield f"bucket is {entry.get('bucket') or 'missing'}: set the name of a bucket, which must exist."
    if missing := [each for each in ("region", "access_key", "secret_key") if not entry.get(each)]:
        yield f"{listed(missing)} {'is' if len(missing) == 1 else 'are'} missing. Keep the secret key in a vault."
    if entry.get("uri_style", "host") not in ("host", "path"):
        yield f"uri_style is {entry['uri_style']}: choose host (as AWS has it) or path."
    if "ca" in entry and not Path(str(entry["ca"])).expanduser().is_file():
        yield f"ca is {entry['ca']}: set the path of the CA's certificate on the controller."


def _sftp_problems(entry: Mapping[str, Any]) -> Iterator[str]:
    host, user, key, printed = (str(entry.get(each) or "") for each in ("host", "user", "private_key", "fingerprint"))
    if not host:
        yield "host is missing: set the name or address of the SFTP server."
    elif not is_address(host) and (problem := host_name_problem(host)):
        yield f"host: {problem.rstrip('.')}."
    if not re.fullmatch(r"[A-Za-z0-9._-]+", user, re.ASCII):
        yield f"user is {user or 'missing'}: set the account on the SFTP server."
    if "port" in entry and (problem := port_problem(entry["port"])):
        yield f"port is {problem}"
    if not key or not Path(key).expanduser().is_file():
        yield f"private_key is {key or 'missing'}: set the path of the SSH key on the controller, without a passphrase."
    try:
        known = len(fingerprint(printed)) == 64
    except (binascii.Error, ValueError):
        known = False
    if not known:
        yield (
            f"fingerprint is {printed or 'missing'}: set what ssh-keygen -l -f prints of the server's host key there "
            "(SHA256:...). Another server in its place is refused."
        )
