# SPDX-License-Identifier: GPL-3.0-or-later
"""What only the controller has (CA, certificates, passwords), beside the backups, encrypted with their passphrase.

One file for each state of it. Its name says when it was kept, and has the beginning of its hash.
"""

from __future__ import annotations

import base64
import hashlib
from datetime import datetime, timedelta
from tempfile import TemporaryFile

from encrypted import decrypted
from repository import FailedError, Repository

STAMP = "%Y%m%dT%H%M%S"


def folder(repository: Repository) -> str:
    return f"controller/{repository.stanza}"


def kept(repository: Repository) -> list[str]:
    """Names, the oldest first."""
    return sorted(repository.ask("repo-ls", folder(repository), seconds=120).split())


def keep(repository: Repository, packed: bytes, moment: datetime, days: int) -> bool:
    """Put it there unless the newest one is equal; whether it was put. Those that are older than so many days go.

    :param packed: as the module ``controller_folder`` packs it, in Base64
    """
    there = kept(repository)
    digest = hashlib.sha256(packed).hexdigest()[:16]
    if there and there[-1].endswith(f"-{digest}"):
        return False
    with TemporaryFile() as file:
        file.write(packed)
        file.seek(0)
        name = f"{repository.path}/{folder(repository)}/{moment:{STAMP}}-{digest}"
        repository.ask("repo-put", name, given=file, seconds=300)
    oldest = f"{moment - timedelta(days=days):{STAMP}}"
    for name in there:
        if name < oldest:
            repository.ask("repo-rm", f"{folder(repository)}/{name}", seconds=120)
    return True


def newest(repositories: list[Repository]) -> bytes:
    """Of the first repository that has one, in Base64."""
    said = []
    for repository in repositories:
        try:
            if there := kept(repository):
                packed = decrypted(repository, f"{folder(repository)}/{there[-1]}")
                base64.b64decode(packed, validate=True)
                return packed
            said.append(f"repository {repository.name}: there is none of {repository.stanza}")
        except (FailedError, ValueError) as failure:
            said.append(f"repository {repository.name}: {failure}")
    raise FailedError("No copy of the controller's folder was found. " + "; ".join(said))
