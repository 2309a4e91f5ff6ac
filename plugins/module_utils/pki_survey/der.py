# SPDX-License-Identifier: GPL-3.0-or-later
"""As much of DER (X.690) as it takes to look at a structure from outside before a library opens it."""

from __future__ import annotations

_INTEGER, _OCTET_STRING, _CONSTRUCTED = 0x02, 0x04, 0x20
# A PKCS#12 file with its key takes 20.
_MAX_DEPTH = 40
_INDEFINITE = "BER of indefinite length; 'openssl pkcs12' can rewrite it in DER"


class UnsupportedEncodingError(Exception):
    """BER that is not DER: what is in it cannot be seen in passing."""


def is_whole(data: bytes) -> bool:
    """Whether ``data`` is one SEQUENCE, from its first octet to its last."""
    try:
        return data[:1] == b"\x30" and _content(data, 0, len(data))[1] == len(data)
    except (ValueError, UnsupportedEncodingError):
        return False


def first_structure(data: bytes) -> bytes:
    """The structure that ``data`` begins with. :class:`ValueError` if it is cut off."""
    return data[: _content(data, 0, len(data))[1]]


def key_derivation_rounds(data: bytes) -> int:
    """The highest number of rounds that opening ``data`` may take.

    Everywhere (PBES1, PBKDF2 and scrypt's cost in RFC 8018 and 7914, the MAC in RFC 7292 §4) it is the INTEGER behind
    the OCTET STRING with the salt. Raises :class:`ValueError` for what is cut off or nested without end.
    """
    return _rounds(data, 0, len(data), 0)


def _rounds(data: bytes, at: int, end: int, depth: int) -> int:
    if depth > _MAX_DEPTH:
        raise ValueError(f"nested deeper than {_MAX_DEPTH} levels")
    highest, before = 0, None
    while at < end:
        tag = data[at]
        start, at = _content(data, at, end)
        if tag & _CONSTRUCTED:
            highest = max(highest, _rounds(data, start, at, depth + 1))
        elif tag == _OCTET_STRING and data[start : start + 3] == b"\x30\x80\x30":
            raise UnsupportedEncodingError(_INDEFINITE)
        elif tag == _OCTET_STRING and is_whole(data[start:at]):  # PKCS#12 has its contents in such
            highest = max(highest, _rounds(data, start, at, depth + 1))
        elif tag == _INTEGER and before == _OCTET_STRING:
            highest = max(highest, int.from_bytes(data[start:at], "big"))
        before = tag
    return highest


def _content(data: bytes, at: int, end: int) -> tuple[int, int]:
    """Where the content of the structure at ``at`` begins and ends (X.690 §8.1.3)."""
    if at + 2 > end:
        raise ValueError("cut off")
    length, start = data[at + 1], at + 2
    if length == 0x80:
        raise UnsupportedEncodingError(_INDEFINITE)
    if length > 0x80:
        start += length & 0x7F
        length = int.from_bytes(data[at + 2 : start], "big")
    if start + length > end:
        raise ValueError("cut off")
    return start, start + length
