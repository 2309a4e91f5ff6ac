# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's folder of a stack: what of it is worth keeping, and putting another in its place."""

from __future__ import annotations

import json
import shutil
import stat
import tempfile
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..atomic_file import write_atomically
from .archive import Entry, Tree

# What this controller has last seen of the copy, in each region that the folder is used for. It is no part of the copy.
SEEN = "account-copy.json"
# Made again by each deployment, or of this controller alone (its timer).
MADE_AGAIN = frozenset(
    {SEEN, "outputs.json", "portal-ca.crt", "rds-ca.pem", "renewal.json", "renewal.log", "renewal-status.json"}
)


class FolderError(Exception):
    """The folder cannot be kept as it is; the text says why."""


@dataclass(frozen=True)
class Seen:
    """A version of the copy, and what it held. Both are empty where none was ever seen."""

    version: str = ""
    sha256: str = ""


def read(path: Path) -> dict[str, Entry]:
    """What is worth keeping; nothing if the folder is not there. Raises :class:`FolderError`."""
    tree: dict[str, Entry] = {}
    if not path.is_dir():
        return tree
    _read_into(tree, path, "")
    # A folder that only had what is made again holds nothing.
    return tree if any(entry.content is not None for entry in tree.values()) else {}


def _read_into(tree: dict[str, Entry], folder: Path, prefix: str) -> None:
    for path in sorted(folder.iterdir()):
        name = prefix + path.name
        if name in MADE_AGAIN or _is_momentary(path.name):
            continue
        status = path.lstat()
        if stat.S_ISDIR(status.st_mode):
            tree[name] = Entry(stat.S_IMODE(status.st_mode) & 0o777, None)
            _read_into(tree, path, f"{name}/")
        elif stat.S_ISREG(status.st_mode):
            tree[name] = Entry(stat.S_IMODE(status.st_mode) & 0o777, path.read_bytes())
        elif stat.S_ISLNK(status.st_mode):
            raise FolderError(f"{path} is a symbolic link, of which no copy can be kept: put the file itself there")


def _is_momentary(name: str) -> bool:
    """Locks, what ssh-keygen leaves behind, and temporary files of a run that goes on or was killed."""
    return name in (".lock", "known_hosts.old") or (name.startswith(".tmp-") and name.endswith("~"))


def read_seen(path: Path, region: str) -> Seen:
    noted = _noted(path)
    with suppress(TypeError, KeyError):
        # Where it was written before regions were told apart, nobody knows of which one it is.
        kept = noted.get("regions", {}).get(region, noted)
        return Seen(str(kept["version"]), str(kept["sha256"]))
    return Seen()


def write_seen(path: Path, seen: Seen, region: str) -> None:
    if read_seen(path, region) != seen:
        noted = _noted(path)
        noted["regions"] = {**noted.get("regions", {}), region: asdict(seen)}
        write_atomically(path / SEEN, json.dumps(noted).encode() + b"\n", mode=0o600)


def _noted(path: Path) -> dict[str, Any]:
    with suppress(OSError, ValueError):
        noted = json.loads((path / SEEN).read_bytes())
        if isinstance(noted, dict) and isinstance(noted.get("regions", {}), dict):
            return noted
    return {}


def replace(
    path: Path, tree: Tree, seen: Seen | None = None, region: str = "", keep_old_as: Path | None = None
) -> None:
    """Put a folder with ``tree`` in the place of ``path``, which holds the old one or the new one at any time, or for
    a moment nothing. Raises :class:`OSError`.

    :param seen: the version of the copy in an AWS account, and its region, if it is from there
    :param keep_old_as: where the old one goes; without it, the old one is removed, apart from what is made again
    """
    path = path.resolve()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    for leftover in path.parent.glob(f".{path.name}.new-*"):  # of one that was killed
        shutil.rmtree(leftover, ignore_errors=True)
    new = Path(tempfile.mkdtemp(prefix=f".{path.name}.new-", dir=path.parent))  # 0700
    try:
        for name, entry in sorted(tree.items()):
            target = new / name
            if entry.content is None:
                target.mkdir(mode=0o700)
            else:
                write_atomically(target, entry.content, mode=entry.mode)
        for name in sorted(tree, reverse=True):  # what is in a folder before its mode, which may be without writing
            if tree[name].content is None:
                (new / name).chmod(tree[name].mode)
        for name in sorted(MADE_AGAIN):
            with suppress(FileNotFoundError):
                shutil.copy2(path / name, new / name, follow_symlinks=False)
        if seen:
            write_seen(new, seen, region)
        _swap(path, new, keep_old_as)
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _swap(path: Path, new: Path, keep_old_as: Path | None) -> None:
    old = keep_old_as or new.with_name(f"{new.name}-old")
    if path.exists():
        path.rename(old)
    new.rename(path)
    if not keep_old_as:
        shutil.rmtree(old, ignore_errors=True)
