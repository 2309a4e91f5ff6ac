# SPDX-License-Identifier: GPL-3.0-or-later
"""Which DICOM files there are: from files, folders and patterns to instances."""

from __future__ import annotations

import glob
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from .files import DicomFileError, Instance, read_instance, shown


@dataclass(frozen=True)
class Skipped:
    """A file that was met in a folder or by a pattern, and that is no DICOM instance, or a ``suspect`` one."""

    path: Path
    reason: str
    suspect: bool = False

    def to_result(self) -> dict[str, str | bool]:
        """Return it as a module's result."""
        return {"path": shown(self.path), "reason": self.reason, "suspect": self.suspect}


@dataclass(frozen=True)
class Collection:
    """What was found under some paths. ``problems`` are paths that were named and cannot be used."""

    instances: tuple[Instance, ...]
    skipped: tuple[Skipped, ...]
    problems: tuple[str, ...]


def collect(paths: Iterable[str]) -> Collection:
    """Find the instances in files, folders (all the way down) and patterns (``**`` crosses folders).

    A file that is named must be a DICOM instance; one that a folder or a pattern brings in may be something else.
    A folder that cannot be read is a problem: nobody knows what is left behind there. Links to files are followed;
    those to folders, and those that lead nowhere, are passed over, and suspect.
    """
    instances: dict[str, Instance] = {}
    skipped: dict[str, Skipped] = {}
    problems: list[str] = []
    for path in paths:
        try:
            named = Path(path).is_file()
            entries = [_Entry(path)] if named else _entries_under(path)
        except OSError as error:
            problems.append(f"{shown(error.filename or path)}: cannot be read: {error.strerror or error}")
            continue
        except ValueError as error:
            problems.append(f"{shown(path)}: is not a path: {error}")
            continue
        if not entries:
            problems.append(f"{shown(path)}: no such file or folder, and no file matches it as a pattern")
        for entry in entries:
            file = Path(entry.path)
            key = str(file)
            if key in instances or (key in skipped and not named):
                continue
            if entry.not_followed:
                skipped[key] = Skipped(file, entry.not_followed, suspect=True)
                continue
            try:
                instances[key] = read_instance(file)
            except DicomFileError as error:
                if named:
                    problems.append(f"{shown(file)}: {error}")
                else:
                    skipped[key] = Skipped(file, str(error), error.suspect)
    return Collection(tuple(instances.values()), tuple(skipped.values()), tuple(problems))


@dataclass(frozen=True, slots=True)
class _Entry:
    """A file that was met, or a link that is not followed, and why not."""

    path: str
    not_followed: str = ""


_EVERYTHING = ("**",)


def _entries_under(path: str) -> list[_Entry]:
    """Return the files of a folder, or those that match a pattern, in the order of their paths. Raises ``OSError``."""
    if Path(path).is_dir():
        return list(_walk(path, [_EVERYTHING]))
    parts = Path(path).parts
    fixed = next((number for number, part in enumerate(parts) if glob.has_magic(part)), len(parts))
    folder = Path(*parts[:fixed])
    if fixed == len(parts) or not folder.is_dir():
        return []
    return list(_walk(str(folder), [parts[fixed:]]))


def _walk(folder: str, patterns: list[tuple[str, ...]]) -> Iterator[_Entry]:
    """Yield all files under a folder that match one of ``patterns``, each of them the parts of a relative path.

    Only folders that a pattern leads into are looked at. Links to files are followed, others are said to be links.
    """
    with os.scandir(folder) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    for entry in entries:
        below = list(dict.fromkeys(rest for pattern in patterns for rest in _below(pattern, entry.name)))
        wanted = any(_is_file_of(pattern, entry.name) for pattern in patterns)
        if entry.is_dir(follow_symlinks=False):
            if below:
                yield from _walk(entry.path, below)
        elif entry.is_symlink():
            yield from _linked(entry.path, wanted, bool(below))
        elif wanted and entry.is_file():
            yield _Entry(entry.path)


def _linked(path: str, wanted: bool, leads_on: bool) -> Iterator[_Entry]:
    """Yield what a link is: a file, or something that would be left behind without a word."""
    try:
        mode = Path(path).stat().st_mode
    except OSError as error:
        if wanted:
            reason = f"is a broken link ({error.strerror}): fix it, or remove it"
            yield _Entry(path, reason)
        return
    if stat.S_ISDIR(mode):
        if leads_on:
            target = shown(os.path.realpath(path))
            yield _Entry(
                path, f"is a link to a folder, which is not followed: add {target} to paths, if it is not listed there"
            )
    elif wanted and stat.S_ISREG(mode):
        yield _Entry(path)


def _below(pattern: tuple[str, ...], folder: str) -> Iterator[tuple[str, ...]]:
    """Yield what is left of a pattern inside a folder of that name: nothing, one rest, or several behind ``**``."""
    first, rest = pattern[0], pattern[1:]
    if first == "**":
        yield pattern
        if rest:
            yield from _below(rest, folder)
    elif rest and fnmatchcase(folder, first):
        yield rest


def _is_file_of(pattern: tuple[str, ...], file: str) -> bool:
    first, rest = pattern[0], pattern[1:]
    if first == "**":
        return not rest or _is_file_of(rest, file)
    return not rest and fnmatchcase(file, first)
