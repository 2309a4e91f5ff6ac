# SPDX-License-Identifier: GPL-3.0-or-later
"""Files as one value: the same files always give the same bytes, and nothing but files comes out again."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import lzma
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

FORMAT = 1
# More than any folder of ours has: what claims to be larger is not one.
LARGEST = 256 * 1024 * 1024


class ArchiveError(Exception):
    """What was read is not what :func:`pack` has written; the text says why."""


@dataclass(frozen=True)
class Entry:
    """A file, or a folder, which has no content."""

    mode: int
    content: bytes | None = field(repr=False)


Tree = Mapping[str, Entry]  # by path, relative to the controller's folder, with slashes


@dataclass(frozen=True)
class Packed:
    """Compressed files, with what is needed to know that they are whole.

    :ivar sha256: of the uncompressed archive, so that it does not depend on the version of the compressor
    :ivar size: of the uncompressed archive, in bytes
    """

    sha256: str
    size: int
    data: bytes = field(repr=False)


def pack(tree: Tree) -> Packed:
    """A tar archive without times and owners, in the order of the names, compressed with xz."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name in sorted(tree):
            entry, member = tree[name], tarfile.TarInfo(name)
            member.mode = entry.mode
            member.type = tarfile.DIRTYPE if entry.content is None else tarfile.REGTYPE
            member.size = len(entry.content or b"")
            tar.addfile(member, io.BytesIO(entry.content or b""))
    plain = stream.getvalue()
    return Packed(hashlib.sha256(plain).hexdigest(), len(plain), lzma.compress(plain))


def unpack(packed: Packed) -> dict[str, Entry]:
    """What was packed. Raises :class:`ArchiveError` for anything else.

    Not with tarfile's extraction filters, which Debian 12's Python does not have.
    """
    if packed.size > LARGEST:
        raise ArchiveError(f"it claims to have {packed.size} bytes")
    try:
        plain = lzma.LZMADecompressor(memlimit=LARGEST).decompress(packed.data, max_length=packed.size + 1)
    except lzma.LZMAError as error:
        raise ArchiveError(f"it cannot be decompressed: {error}") from error
    if len(plain) != packed.size or hashlib.sha256(plain).hexdigest() != packed.sha256:
        raise ArchiveError("its SHA-256 or its size is not the one that was written with it")
    tree: dict[str, Entry] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(plain), mode="r:") as tar:
            for member in tar:
                _refuse_odd(member, tree)
                reader = tar.extractfile(member) if member.isreg() else None
                tree[member.name] = Entry(member.mode & 0o777, reader.read() if reader else None)
    except tarfile.TarError as error:
        raise ArchiveError(f"it is no tar archive: {error}") from error
    return tree


def _refuse_odd(member: tarfile.TarInfo, tree: Tree) -> None:
    path = PurePosixPath(member.name)
    if path.is_absolute() or ".." in path.parts or str(path) != member.name or member.name == ".":
        raise ArchiveError(f'it has the path "{member.name}", which does not stay in the folder')
    if not (member.isreg() or member.isdir()):
        raise ArchiveError(f'"{member.name}" in it is neither a file nor a folder')
    above = [str(parent) for parent in path.parents if str(parent) != "."]
    if member.name in tree or any(name not in tree or tree[name].content is not None for name in above):
        raise ArchiveError(f'"{member.name}" in it is there twice, or in no folder of it')


def split(packed: Packed, part_bytes: int) -> list[bytes]:
    """The parts to store, none longer than ``part_bytes``. The first begins with a line that says what they are."""
    count = 1
    while True:
        about = {"format": FORMAT, "sha256": packed.sha256, "bytes": packed.size, "parts": count}
        whole = json.dumps(about).encode() + b"\n" + packed.data
        parts = [whole[start : start + part_bytes] for start in range(0, len(whole), part_bytes)]
        if len(parts) == count:
            return parts
        count = len(parts)


@dataclass(frozen=True)
class Header:
    """What the first part says. ``rest`` is what follows in it."""

    sha256: str
    size: int
    parts: int
    rest: bytes = field(repr=False)


def read_header(first: bytes) -> Header:
    """Raises :class:`ArchiveError` for what :func:`split` has not written."""
    line, _newline, rest = first.partition(b"\n")
    about: object = None
    with contextlib.suppress(ValueError):
        about = json.loads(line)
    if not isinstance(about, dict) or "format" not in about:
        raise ArchiveError("it does not begin with the line that every copy begins with")
    if about["format"] != FORMAT:
        raise ArchiveError(f"it has format {about['format']}, and this version of the collection knows {FORMAT} only")
    try:
        return Header(str(about["sha256"]), int(about["bytes"]), int(about["parts"]), rest)
    except (KeyError, TypeError, ValueError) as error:
        raise ArchiveError("its first line lacks something") from error


def join(header: Header, others: list[bytes]) -> Packed:
    """The opposite of :func:`split`."""
    return Packed(header.sha256, header.size, header.rest + b"".join(others))
