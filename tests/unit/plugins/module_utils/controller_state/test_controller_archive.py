# SPDX-License-Identifier: GPL-3.0-or-later
"""The same files give the same bytes, and what comes out is what went in, or nothing."""

from __future__ import annotations

import hashlib
import io
import lzma
import os
import tarfile

import pytest
from ansible_collections.cellcs.orthweb.plugins.module_utils.controller_state import archive
from ansible_collections.cellcs.orthweb.plugins.module_utils.controller_state.archive import (
    ArchiveError,
    Entry,
    Packed,
    join,
    pack,
    read_header,
    split,
    unpack,
)

TREE = {
    "secrets.json": Entry(0o600, b"{}"),
    "pki": Entry(0o700, None),
    "pki/ca.crt": Entry(0o644, os.urandom(5000)),
    "pki/empty": Entry(0o600, b""),
    "pki/a name of ä": Entry(0o400, b"x"),
}


def packed(plain: bytes) -> Packed:
    return Packed(hashlib.sha256(plain).hexdigest(), len(plain), lzma.compress(plain))


def tar(*members: tarfile.TarInfo) -> Packed:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as written:
        for member in members:
            written.addfile(member, io.BytesIO(b"x" * member.size))
    return packed(stream.getvalue())


def member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname = kind, target
    return made


def test_what_is_packed_comes_out_again() -> None:
    assert unpack(pack(TREE)) == TREE


def test_the_order_does_not_matter_and_everything_else_does() -> None:
    first = pack(TREE)
    assert pack(dict(reversed(TREE.items()))) == first
    for other in (
        {**TREE, "secrets.json": Entry(0o600, b"{ }")},
        {**TREE, "secrets.json": Entry(0o640, b"{}")},
        {**TREE, "more": Entry(0o600, b"")},
    ):
        assert pack(other).sha256 != first.sha256


def test_contents_are_in_no_text_of_it() -> None:
    assert "{}" not in f"{pack(TREE)}{TREE['secrets.json']}{read_header(split(pack(TREE), 1000)[0])}"


@pytest.mark.parametrize("part_bytes", [130, 200, 1000, 48000])
def test_parts_are_joined(part_bytes: int) -> None:
    parts = split(pack(TREE), part_bytes)
    assert all(0 < len(part) <= part_bytes for part in parts)
    header = read_header(parts[0])
    assert header.parts == len(parts)
    assert unpack(join(header, parts[1:])) == TREE


def test_a_part_of_another_state_is_noticed() -> None:
    other = {**TREE, "pki/ca.crt": Entry(0o644, os.urandom(5000))}
    first, second = (split(pack(tree), 3000) for tree in (TREE, other))
    with pytest.raises(ArchiveError):
        unpack(join(read_header(first[0]), second[1:]))


@pytest.mark.parametrize("text", [b"", b"password", b"[]\n", b'{"password": "x"}', b'{"format": 1}\n'])
def test_what_is_no_copy_is_refused(text: bytes) -> None:
    with pytest.raises(ArchiveError, match="line"):
        read_header(text)


def test_a_later_format_is_named() -> None:
    with pytest.raises(ArchiveError, match="format 2"):
        read_header(b'{"format": 2}\n')


@pytest.mark.parametrize("name", ["../outside", "/etc/passwd", "pki/../../outside", ".", "./x", "pki//x", ".."])
def test_nothing_leaves_the_folder(name: str) -> None:
    with pytest.raises(ArchiveError, match="does not stay in the folder"):
        unpack(tar(member("pki", tarfile.DIRTYPE), member(name)))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_nothing_but_files_and_folders(kind: bytes) -> None:
    with pytest.raises(ArchiveError, match="neither a file nor a folder"):
        unpack(tar(member("ok"), member("link", kind, "/etc")))


@pytest.mark.parametrize("names", [["x", "x"], ["pki/ca.key"], ["pki", "pki/ca.key"]])
def test_each_once_and_in_a_folder(names: list[str]) -> None:
    with pytest.raises(ArchiveError, match="there twice, or in no folder"):
        unpack(tar(*(member(name) for name in names)))


def test_special_modes_are_dropped() -> None:
    odd = member("x")
    odd.mode = 0o4755
    assert unpack(tar(odd))["x"].mode == 0o755


def test_what_is_damaged_is_refused() -> None:
    whole = pack(TREE)
    for damaged in (
        Packed(whole.sha256, whole.size, whole.data[:-200]),
        Packed(whole.sha256, whole.size - 1, whole.data),
        Packed("0" * 64, whole.size, whole.data),
        Packed(whole.sha256, whole.size, b"nothing of the kind"),
        packed(b"no tar"),
    ):
        with pytest.raises(ArchiveError):
            unpack(damaged)


def test_a_bomb_is_not_decompressed() -> None:
    with pytest.raises(ArchiveError, match="claims"):
        unpack(Packed("0" * 64, archive.LARGEST + 1, b""))
    with pytest.raises(ArchiveError, match="SHA-256"):
        unpack(Packed("0" * 64, 1000, lzma.compress(bytes(100_000_000))))
