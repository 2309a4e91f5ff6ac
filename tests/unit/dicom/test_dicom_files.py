# SPDX-License-Identifier: GPL-3.0-or-later
"""Headers are read no further than needed, and say what the whole file says."""

from __future__ import annotations

from pathlib import Path

import pydicom
import pytest
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom_files import DicomFileError, read_instance

FILES = Path(pydicom.__file__).parent / "data" / "test_files"


def instances():
    for path in sorted(FILES.rglob("*.dcm")):
        try:
            yield path, read_instance(path)
        except DicomFileError:
            continue


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_instances_are_what_the_whole_file_says():
    """Among them are big endian, deflated, implicit and compressed ones."""
    syntaxes = set()
    for path, instance in instances():
        whole = pydicom.dcmread(path)
        syntaxes.add(instance.transfer_syntax_uid)
        assert instance.transfer_syntax_uid == whole.file_meta.TransferSyntaxUID
        assert instance.sop_class_uid == whole.SOPClassUID
        assert instance.sop_instance_uid == whole.SOPInstanceUID
        assert instance.study_instance_uid == whole.StudyInstanceUID
        assert instance.series_instance_uid == whole.SeriesInstanceUID
        assert instance.file_bytes == path.stat().st_size
    assert {pydicom.uid.ExplicitVRBigEndian, pydicom.uid.DeflatedExplicitVRLittleEndian} <= syntaxes
    assert len(syntaxes) > 8


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("uid", ["1." + "2" * 63, "1.2.\u0663", "not a UID"])
def test_what_is_no_uid_is_said_before_anything_is_sent(tmp_path, uid):
    raw = (FILES / "CT_small.dcm").read_bytes()
    start = raw.index(b"\x08\x00\x16\x00UI")
    end = start + 8 + int.from_bytes(raw[start + 6 : start + 8], "little")
    value = uid.encode()
    value += bytes(len(value) % 2)
    element = raw[start : start + 6] + len(value).to_bytes(2, "little") + value
    (tmp_path / "odd.dcm").write_bytes(raw[:start] + element + raw[end:])
    with pytest.raises(DicomFileError, match=r"^has no UID \(PS3\.5 §9\.1\) as SOPClassUID") as refused:
        read_instance(tmp_path / "odd.dcm")
    assert refused.value.suspect
