# SPDX-License-Identifier: GPL-3.0-or-later
"""pgBackRest's configuration, and what a person is told of backups."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from ansible.errors import AnsibleFilterError

HEX = re.compile(r"[0-9a-f]{64}", re.ASCII)
KINDS = {"full": "Full", "diff": "Differential", "incr": "Incremental"}


def pgbackrest_configuration(repositories: Sequence[Mapping[str, Any]], options: Mapping[str, Any]) -> str:
    """The text of ``pgbackrest.conf``, with secrets.

    :param repositories: as ``orthweb_backup_repositories`` has them
    :param options: ``stanza``, ``data`` (the cluster's folder), ``passphrase``, ``keep_days`` and ``processes``
    """
    lines = [
        "[global]",
        *[line for number, each in enumerate(repositories, 1) for line in _repository(number, each, options)],
        "compress-type=zst",
        f"process-max={options['processes']}",
        "start-fast=y",
        # What fails is tried again by the server, which keeps its WAL: nothing is dropped.
        "archive-timeout=60",
        "lock-path=/run/backup/lock.d",
        "spool-path=/run/backup/spool",
        "log-level-console=off",
        "log-level-stderr=warn",
        "log-level-file=off",
        "log-timestamp=n",
        "",
        f"[{options['stanza']}]",
        f"pg1-path={options['data']}",
        "pg1-socket-path=/run/postgresql",
        "pg1-user=postgres",
    ]
    return "\n".join(lines) + "\n"


def _repository(number: int, given: Mapping[str, Any], options: Mapping[str, Any]) -> Iterator[str]:
    """Its lines, with the number that pgBackRest knows it by."""
    own: dict[str, object] = {
        "cipher-type": "aes-256-cbc",
        "cipher-pass": given.get("passphrase") or options["passphrase"],
        "bundle": "y",
        "block": "y",
        # By time, not by number: a compromised database that causes backups does not push older ones out.
        "retention-full-type": "time",
        "retention-full": options["keep_days"],
    }
    if given["type"] == "folder":
        own |= {"type": "posix", "path": _path(given)}
    elif given["type"] == "sftp":
        own |= {
            "type": "sftp",
            "path": _path(given),
            "sftp-host": given["host"],
            "sftp-host-port": given.get("port", 22),
            "sftp-host-user": given["user"],
            "sftp-host-key-check-type": "fingerprint",
            "sftp-host-key-hash-type": "sha256",
            "sftp-host-fingerprint": fingerprint(given["fingerprint"]),
            "sftp-private-key-file": f"/etc/pgbackrest/{given['name']}.key",
        }
    elif given["type"] == "s3":
        own |= {
            "type": "s3",
            "path": _path(given),
            "s3-bucket": given["bucket"],
            "s3-endpoint": given["endpoint"],
            "s3-region": given["region"],
            "s3-key": given["access_key"],
            "s3-key-secret": given["secret_key"],
            "s3-uri-style": given.get("uri_style", "host"),
            "storage-port": given.get("port", 443),
        }
        if "ca" in given:
            own["storage-ca-file"] = f"/etc/pgbackrest/{given['name']}.ca"
    for key, value in own.items():
        yield f"repo{number}-{key}={value}"


def fingerprint(text: str) -> str:
    """As pgBackRest wants it, of 64 hexadecimal digits or of what ``ssh-keygen -l`` prints (``SHA256:...``)."""
    if HEX.fullmatch(text):
        return text
    encoded = text.removeprefix("SHA256:")
    return base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True).hex()


def pgbackrest_places(repositories: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """``name`` of each, and its ``path`` as pgBackRest has it."""
    return [{"name": each["name"], "path": _path(each)} for each in repositories]


def _path(given: Mapping[str, Any]) -> str:
    """A folder of the host is mounted into the container."""
    return f"/repositories/{given['name']}" if given["type"] == "folder" else str(given["path"])


def pgbackrest_files(repositories: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """Files of the controller that the configuration refers to: ``name`` in the container's folder, and ``path``."""
    kinds = {"key": "private_key", "ca": "ca"}
    return [
        {"name": f"{each['name']}.{ending}", "path": each[key]}
        for each in repositories
        for ending, key in kinds.items()
        if key in each
    ]


def backups_made(answer: Mapping[str, Any]) -> list[str]:
    """Lines for a person: label, size, duration and newest restorable moment.

    :param answer: what ``backup now`` says
    """
    lines = [
        f"{KINDS[made['kind']]} backup {made['label']} in {name}: {made['size'] / 2**20:.1f} MiB, of which "
        f"{made['stored'] / 2**20:.1f} MiB were stored, in {made['seconds']} s."
        for name, made in answer["made"].items()
    ]
    return [*lines, f"Newest restorable moment: {answer['restorable'] or 'none'}"]


def restore_moment(text: str) -> str:
    """The moment as far as which to restore, in ISO 8601 with an offset; empty for the end.

    :param text: such as ``2026-11-28 14:03``, in UTC unless it names an offset
    """
    if not text:
        return ""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise AnsibleFilterError(
            f"Nothing was touched: {text!r} is no moment. Write it like 2026-11-28 14:03 (UTC), or with an offset: "
            "2026-11-28 14:03+01:00."
        ) from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    if moment > datetime.now(UTC):
        raise AnsibleFilterError(
            f"Nothing was touched: {text} is in the future. Leave it out for all that is archived."
        )
    return moment.isoformat()


def restored(answer: Mapping[str, Any], moment: str) -> list[str]:
    """Lines for a person.

    :param answer: what ``restore run`` says
    :param moment: as far as which was asked for
    """
    counts = ", ".join(f"{answer[level]} {level}" for level in ("patients", "studies", "series", "instances"))
    newest, last = answer["newest"], answer["time"]
    lines = [
        f"{counts}.",
        f"The newest change of a study is of {_compact(newest)}." if newest else "There is no study.",
        f"The last transaction is of {last}." if last else "There was nothing to recover after the backup.",
    ]
    if moment and not answer["paused"]:
        lines.append(
            f"Nothing later was archived, so that this is the state of {moment}, as far as the repository knows."
        )
    return lines


def _compact(text: str) -> str:
    """Orthanc's own form, ``20261128T140300``, for people."""
    return datetime.strptime(text, "%Y%m%dT%H%M%S").strftime("%Y-%m-%d %H:%M:%S")
