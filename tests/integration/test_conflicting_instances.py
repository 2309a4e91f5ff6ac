# SPDX-License-Identifier: GPL-3.0-or-later
"""A SOP instance that arrives again with other contents does not replace what is there, and is written down."""

from __future__ import annotations

import json
import subprocess

from pydicom.uid import generate_uid

from support.images import associate, ct_image, fetch, is_stored
from support.stack import Stack, docker


def recorded(stack: Stack) -> list[dict[str, str]]:
    path = "/var/lib/orthanc/conflicting-instances.jsonl"
    lines = docker("exec", stack.container("orthanc"), "cat", path, check=False).splitlines()
    return [json.loads(line) for line in lines]


def test_written_down_and_kept_out(stack: Stack) -> None:
    image = ct_image(generate_uid())
    image.PatientName = "Secret^Name"
    before = len(recorded(stack))
    association = associate(stack)
    assert is_stored(association, image)
    assert is_stored(association, image)
    assert len(recorded(stack)) == before, "An identical copy is nothing to write down"

    first = image.PixelData
    image.PixelData = bytes(len(first))
    assert is_stored(association, image), "The sender is told that the archive has the instance"
    association.release()
    assert fetch(stack, image.SOPInstanceUID).PixelData == first

    [new] = recorded(stack)[before:]
    assert new["sop_instance_uid"] == image.SOPInstanceUID
    assert (new["calling_aet"], new["over"]) == ("WORKSTATION", "DICOM")
    log = subprocess.run(
        ["docker", "logs", stack.container("orthanc")], capture_output=True, text=True, check=True
    ).stderr
    [said] = [line for line in log.splitlines() if image.SOPInstanceUID in line]
    assert "Conflicting SOP instance discarded" in said
    assert "Secret" not in log + json.dumps(new)
