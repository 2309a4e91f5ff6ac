# SPDX-License-Identifier: GPL-3.0-or-later
"""Sequences in sequences (PS3.5 section 7.5 sets no limit), to 10,000 levels: refused or stored, never a crash."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
import requests
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid
from pynetdicom import AE, _config

from support.images import CALLED_AET, CALLING_AET
from support.stack import Stack

LEVELS = [40, 500, 10_000]
LENGTHS = ["undefined", "defined"]
REFERENCED, PRIVATE = (0x0008, 0x1140), (0x0009, 0x1001)
ALL = [(levels, lengths, tag) for levels in LEVELS for lengths in LENGTHS for tag in (REFERENCED, PRIVATE)]
# By C-STORE, DCMTK's time grows with the square of the levels: the deepest one once.
OVER_DICOM = [one for one in ALL if one[0] < 10_000] + [(10_000, "undefined", REFERENCED)]

pytestmark = pytest.mark.usefixtures("the_same_process")


def element(tag: tuple[int, int], representation: bytes, value: bytes) -> bytes:
    """PS3.5 section 7.1.2."""
    long = representation in (b"OB", b"SQ", b"UN")
    length = struct.pack("<2xI" if long else "<H", len(value))
    return struct.pack("<HH", *tag) + representation + length + value


def uid(value: str) -> bytes:
    return value.encode() + b"\0" * (len(value) % 2)


def nested(levels: int, lengths: str, tag: tuple[int, int]) -> bytes:
    """So many sequences with one item each (PS3.5 section 7.5), around an empty item."""
    head = struct.pack("<HH", *tag) + b"SQ\0\0"
    if lengths == "undefined":
        opened = head + b"\xff" * 4 + b"\xfe\xff\x00\xe0" + b"\xff" * 4
        closed = b"\xfe\xff\x0d\xe0" + bytes(4) + b"\xfe\xff\xdd\xe0" + bytes(4)
        return opened * levels + closed * levels
    item, sequence = 8, 12
    parts = []
    for inner in range(levels - 1, -1, -1):
        size = inner * (item + sequence)  # of what is in this item
        parts.append(head + struct.pack("<I", size + item) + b"\xfe\xff\x00\xe0" + struct.pack("<I", size))
    return b"".join(parts)


def file_with(levels: int, lengths: str, tag: tuple[int, int]) -> bytes:
    instance = generate_uid()
    meta = (
        element((2, 1), b"OB", b"\0\1")
        + element((2, 2), b"UI", uid(CTImageStorage))
        + element((2, 3), b"UI", uid(instance))
        + element((2, 0x10), b"UI", uid(ExplicitVRLittleEndian))
        + element((2, 0x12), b"UI", uid("1.2.3.4"))
    )
    identity = element((8, 0x16), b"UI", uid(CTImageStorage)) + element((8, 0x18), b"UI", uid(instance))
    creator = element((9, 0x10), b"LO", b"NESTED") if tag == PRIVATE else b""
    rest = element((0x20, 0xD), b"UI", uid(generate_uid())) + element((0x20, 0xE), b"UI", uid(generate_uid()))
    dataset = identity + creator + nested(levels, lengths, tag) + element((0x10, 0x20), b"LO", b"NESTED") + rest
    return bytes(128) + b"DICM" + element((2, 0), b"UL", struct.pack("<I", len(meta))) + meta + dataset


def send(stack: Stack, path: str, content: bytes, **headers: str) -> requests.Response:
    address = f"{stack.portal}{path}"
    return requests.post(address, data=content, auth=stack.login, verify=stack.ca, headers=headers, timeout=60)


def remove(stack: Stack) -> None:
    found = send(stack, "/orthanc/tools/lookup", b"NESTED").json()
    for patient in found:
        requests.delete(f"{stack.portal}/orthanc{patient['Path']}", auth=stack.login, verify=stack.ca, timeout=60)


@pytest.mark.parametrize(("levels", "lengths", "tag"), ALL)
def test_post(stack: Stack, levels: int, lengths: str, tag: tuple[int, int]) -> None:
    assert send(stack, "/orthanc/instances", file_with(levels, lengths, tag)).status_code in (200, 400)
    remove(stack)


@pytest.mark.parametrize(("levels", "lengths", "tag"), ALL)
def test_stow_rs(stack: Stack, levels: int, lengths: str, tag: tuple[int, int]) -> None:
    content = file_with(levels, lengths, tag)
    body = b"--part\r\nContent-Type: application/dicom\r\n\r\n" + content + b"\r\n--part--\r\n"
    form = {"Content-Type": 'multipart/related; type="application/dicom"; boundary=part'}
    assert send(stack, "/dicom-web/studies", body, **form).status_code in (200, 400, 409)
    remove(stack)


@pytest.mark.parametrize(("levels", "lengths", "tag"), OVER_DICOM)
def test_c_store(
    stack: Stack, levels: int, lengths: str, tag: tuple[int, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_config, "STORE_SEND_CHUNKED_DATASET", True)  # the file as it is, not as pydicom reads it
    file = tmp_path / "nested.dcm"
    file.write_bytes(file_with(levels, lengths, tag))
    ae = AE(CALLING_AET)
    ae.dimse_timeout = 120
    ae.add_requested_context(CTImageStorage, ExplicitVRLittleEndian)
    tls = (stack.client_tls(), "localhost")
    association = ae.associate("localhost", stack.dicom_port, ae_title=CALLED_AET, tls_args=tls)
    assert association.is_established
    answer = association.send_c_store(file)
    association.release()
    # Stored, or refused: 0xCxxx cannot understand, 0xAxxx (PS3.4 section B.2.3).
    assert "Status" in answer and (answer.Status == 0 or answer.Status >= 0xA000), answer
    remove(stack)
