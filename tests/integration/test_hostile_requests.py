# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests that say they are larger than they are, or become larger than anybody has room for.

They are refused or bounded, while others are answered, and the process stays the same one.
"""

from __future__ import annotations

import io
import json
import socket
import ssl
import struct
import threading
import time
import zipfile
from base64 import b64encode
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
from pydicom import Dataset
from pydicom.encaps import encapsulate
from pydicom.filebase import DicomBytesIO
from pydicom.uid import (
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLSLossless,
    RLELossless,
    generate_uid,
)

from support.images import associate, ct_image, is_stored
from support.rest import rest
from support.stack import Stack, process_id

MEMORY_MB = 1024
PATIENCE_SECONDS = 10  # on a machine that does other things, too


@pytest.fixture(scope="module")
def archive(stack: Stack) -> Iterator[Stack]:
    stack.configure("--tags", "orthanc", orthanc_memory_mb=MEMORY_MB).ok()
    yield stack
    stack.configure("--tags", "orthanc").ok()


@contextmanager
def others_are_answered(stack: Stack) -> Iterator[None]:
    """Somebody else searches and stores, all the while, and never waits long."""
    before, over = process_id(stack.container("orthanc"), "Orthanc"), threading.Event()
    waited: list[float] = []
    failed: list[int] = []

    def search_and_store() -> None:
        session = rest(stack)
        while not over.is_set():
            begun = time.monotonic()
            found = session.get(f"{stack.portal}/dicom-web/studies?limit=1", timeout=60)
            association = associate(stack)
            if found.status_code not in (200, 204) or not is_stored(association, ct_image(generate_uid())):
                failed.append(found.status_code)
            association.release()
            waited.append(time.monotonic() - begun)
            over.wait(0.2)

    somebody = threading.Thread(target=search_and_store)
    somebody.start()
    try:
        yield
    finally:
        over.set()
        somebody.join()
    assert not failed, failed
    assert waited
    assert max(waited) < PATIENCE_SECONDS, waited
    assert process_id(stack.container("orthanc"), "Orthanc") == before, "Orthanc was started anew"


@pytest.mark.parametrize("path", ["/orthanc/instances", "/dicom-web/studies", "/orthanc/tools/find"])
def test_a_request_that_announces_more_than_it_sends(archive: Stack, path: str) -> None:
    host = f"POST {path} HTTP/1.1\r\nHost: localhost:{archive.portal_port}\r\n"
    login = b64encode(":".join(archive.login).encode()).decode()
    kind = 'multipart/related; type="application/dicom"; boundary=x' if "dicom-web" in path else "application/dicom"
    head = f"{host}Authorization: Basic {login}\r\nContent-Type: {kind}\r\nContent-Length: 3000000000\r\n\r\n"
    context = ssl.create_default_context(cafile=archive.ca)
    with others_are_answered(archive), ExitStack() as open_ones:
        for _each in range(20):
            plain = socket.create_connection(("localhost", archive.portal_port), timeout=30)
            one = open_ones.enter_context(context.wrap_socket(plain, server_hostname="localhost"))
            one.sendall(head.encode() + b"x" * 1024)
        time.sleep(5)  # they are all there, and say no more


def zip_that_holds(claimed: int) -> bytes:
    """A zip of some 20 KB, whose one file has 20 MB and is said to have ``claimed`` bytes."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("image.dcm", bytes(20_000_000))
    packed = bytearray(file.getvalue())
    for signature, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        struct.pack_into("<I", packed, packed.index(signature) + offset, claimed)
    return bytes(packed)


@pytest.mark.parametrize("claimed", [0xFFFFFFF0, 3_000_000_000])
def test_a_zip_that_says_it_holds_more_than_there_is_room_for(archive: Stack, claimed: int) -> None:
    bomb = zip_that_holds(claimed)
    assert len(bomb) < 25_000
    with others_are_answered(archive):
        for _each in range(5):
            answer = rest(archive).post(f"{archive.portal}/orthanc/instances", data=bomb, timeout=120)
            assert answer.status_code >= 400, answer.text


def test_a_zip_that_does_hold_it(archive: Stack) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as bomb, bomb.open("image.dcm", "w") as entry:
        for _each in range(MEMORY_MB + 1):
            entry.write(bytes(1 << 20))
    with others_are_answered(archive):
        answer = rest(archive).post(f"{archive.portal}/orthanc/instances", data=file.getvalue(), timeout=120)
        assert answer.status_code >= 400, answer.text


def frame(syntax: str) -> bytes:
    """The beginning of a frame that says, in the words of its syntax, that it is 65,535 by 65,535."""
    size = struct.pack(">HH", 0xFFFF, 0xFFFF)
    if syntax == JPEGBaseline8Bit:
        tables = b"\xff\xdb\x00\x43\x00" + b"\x01" * 64
        huffman = b"".join(b"\xff\xc4\x00\x14" + kind + b"\x01" + bytes(15) + b"\x00" for kind in (b"\x00", b"\x10"))
        frame_header = b"\xff\xc0\x00\x0b\x08" + size + b"\x01\x01\x11\x00"
        scan = b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00" + bytes(1000)
        return b"\xff\xd8" + tables + huffman + frame_header + scan + b"\xff\xd9"
    if syntax == JPEGLSLossless:
        header = b"\xff\xf7\x00\x0b\x08" + size + b"\x01\x01\x11\x00"
        return b"\xff\xd8" + header + b"\xff\xda\x00\x08\x01\x01\x00\x00\x00\x00" + bytes(1000) + b"\xff\xd9"
    if syntax == JPEG2000Lossless:
        ends = struct.pack(">IIIIIIII", 0xFFFF, 0xFFFF, 0, 0, 0xFFFF, 0xFFFF, 0, 0)
        siz = b"\xff\x51" + struct.pack(">HH", 41, 0) + ends + struct.pack(">HBBB", 1, 7, 1, 1)
        cod = b"\xff\x52\x00\x0c\x00\x00\x00\x01\x00\x05\x04\x04\x00\x01"
        qcd = b"\xff\x5c\x00\x13\x40" + bytes([0x48, 0x48, 0x50] * 5 + [0x48])
        tile = b"\xff\x90\x00\x0a\x00\x00\x00\x00\x00\x00\x00\x01\xff\x93" + bytes(1000)
        return b"\xff\x4f" + siz + cod + qcd + tile + b"\xff\xd9"
    return struct.pack("<16I", 1, 64, *[0] * 14) + b"\x81\x00" * 500  # RLE: each pair is 128 pixels


def huge(syntax: str) -> bytes:
    image = ct_image(generate_uid())
    image.Rows = image.Columns = 0xFFFF
    image.BitsAllocated = image.BitsStored = 8
    image.HighBit, image.PixelRepresentation = 7, 0
    image.file_meta.TransferSyntaxUID = syntax
    for keyword in ("SmallestImagePixelValue", "LargestImagePixelValue", "PixelPaddingValue", "DataSetTrailingPadding"):
        if keyword in image:
            delattr(image, keyword)
    if syntax == ExplicitVRLittleEndian:
        image.PixelData = bytes(1024)
    else:
        image.PixelData = encapsulate([frame(syntax)])
        image["PixelData"].is_undefined_length = True
    file = DicomBytesIO()
    Dataset.save_as(image, file, enforce_file_format=True)
    return file.getvalue()


@pytest.mark.parametrize(
    "syntax", [ExplicitVRLittleEndian, JPEGBaseline8Bit, JPEGLSLossless, JPEG2000Lossless, RLELossless]
)
def test_an_image_larger_than_any(archive: Stack, syntax: str) -> None:
    session = rest(archive)
    with others_are_answered(archive):
        stored = session.post(f"{archive.portal}/orthanc/instances", data=huge(syntax), timeout=60)
        if stored.status_code != 200:
            return
        path = stored.json()["Path"]
        tags = session.get(f"{archive.portal}/orthanc{path}/simplified-tags", timeout=60).json()
        web = "/dicom-web/studies/{StudyInstanceUID}/series/{SeriesInstanceUID}/instances/{SOPInstanceUID}"
        web = web.format(**tags)
        statuses = {}
        for way in ("preview", "image-uint8", "rendered", "frames/0/image-uint16", "frames/0/raw", "numpy"):
            statuses[way] = session.get(f"{archive.portal}/orthanc{path}/{way}", timeout=120).status_code
        for way, accept in (
            ("/rendered", "image/jpeg"),
            ("/frames/1", 'multipart/related; type="application/octet-stream"; transfer-syntax=1.2.840.10008.1.2.1'),
            ("", 'multipart/related; type="application/dicom"; transfer-syntax=1.2.840.10008.1.2.1'),
            ("", f'multipart/related; type="application/dicom"; transfer-syntax={JPEGBaseline8Bit}'),
        ):
            headers = {"Accept": accept}
            statuses[f"{way} {accept}"] = session.get(
                archive.portal + web + way, headers=headers, timeout=120
            ).status_code
        print(json.dumps(statuses))
        assert statuses["preview"] >= 400, statuses
        assert session.delete(f"{archive.portal}/orthanc{path}", timeout=60).status_code == 200
