# SPDX-License-Identifier: GPL-3.0-or-later
"""Headers are read no further than needed, and say what the whole file says."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pydicom
import pytest
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.store.files import (
    MALFORMED,
    DicomFileError,
    open_unchanged,
    read_instance,
)
from pydicom.errors import BytesLengthException

FILES = Path(pydicom.__file__).parent / "data" / "test_files"


SOP_CLASS, STUDY = b"\x08\x00\x16\x00", b"\x20\x00\x0d\x00"


def ct_with(values: dict[bytes, str]) -> bytes:
    """A CT image that has these UIDs, each by its tag as it is in the file."""
    raw = (FILES / "CT_small.dcm").read_bytes()
    for tag, text in values.items():
        start = raw.index(tag + b"UI")
        end = start + 8 + int.from_bytes(raw[start + 6 : start + 8], "little")
        value = text.encode()
        value += bytes(len(value) % 2)
        raw = raw[:start] + tag + b"UI" + len(value).to_bytes(2, "little") + value + raw[end:]
    return raw


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
    (tmp_path / "odd.dcm").write_bytes(ct_with({SOP_CLASS: uid}))
    with pytest.raises(DicomFileError, match=r"^has no valid UID \(PS3\.5 §9\.1\) as SOPClassUID '") as refused:
        read_instance(tmp_path / "odd.dcm")
    assert refused.value.suspect


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_all_that_is_wrong_with_the_identifiers_is_said_at_once(tmp_path):
    (tmp_path / "odd.dcm").write_bytes(ct_with({SOP_CLASS: "class", STUDY: "study"}))
    with pytest.raises(DicomFileError) as refused:
        read_instance(tmp_path / "odd.dcm")
    assert str(refused.value) == "has no valid UID (PS3.5 §9.1) as SOPClassUID 'class', StudyInstanceUID 'study'"
    (tmp_path / "less.dcm").write_bytes(ct_with({SOP_CLASS: "", STUDY: ""}))
    with pytest.raises(DicomFileError) as refused:
        read_instance(tmp_path / "less.dcm")
    assert str(refused.value) == "lacks SOPClassUID, StudyInstanceUID, without which no archive can store it"
    assert refused.value.suspect


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_sequences_nested_without_end_and_values_of_a_wrong_length_are_damage(tmp_path):
    """What pydicom raises on these has no base in common with the rest."""
    whole = FILES / "CT_small.dcm"
    raw, offset = whole.read_bytes(), read_instance(whole).data_set_offset
    level = b"\x08\x00\x11\x11SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff"
    (tmp_path / "nested.dcm").write_bytes(raw[:offset] + level * 5000 + raw[offset:])
    (tmp_path / "length.dcm").write_bytes(
        raw[:offset] + b"\x08\x00\x05\x00US\x03\x00abc" + raw[raw.index(b"\x08\x00\x16\x00UI") :]
    )
    for name in ("nested.dcm", "length.dcm"):
        try:
            read_instance(tmp_path / name)
        except DicomFileError as refused:
            assert refused.suspect, refused
    with pytest.raises(DicomFileError, match="is a damaged DICOM file"):
        read_instance(tmp_path / "nested.dcm")
    assert issubclass(BytesLengthException, MALFORMED)


def test_what_is_behind_the_identifiers_is_not_looked_at(tmp_path):
    raw = (FILES / "CT_small.dcm").read_bytes()
    start = raw.index(b"\x20\x00\x0e\x00UI")
    end = start + 8 + int.from_bytes(raw[start + 6 : start + 8], "little")
    level = b"\x40\x00\x75\x02SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff"
    (tmp_path / "nested.dcm").write_bytes(raw[:end] + level * 5000)
    nested, whole = read_instance(tmp_path / "nested.dcm"), read_instance(FILES / "CT_small.dcm")
    assert nested.series_instance_uid == whole.series_instance_uid
    assert nested.data_set_offset == whole.data_set_offset


@pytest.mark.parametrize("change", ["shorter", "longer", "other"])
def test_a_file_that_changes_while_it_is_read_is_not_read_to_its_end(tmp_path, change):
    path = tmp_path / "ct.dcm"
    shutil.copyfile(FILES / "CT_small.dcm", path)
    instance = read_instance(path)
    with open_unchanged(instance) as unchanged:
        assert b"".join(iter(lambda: unchanged.read(1000), b"")) == path.read_bytes()[instance.data_set_offset :]
    with open_unchanged(instance) as file:
        assert len(file.read(10)) == 10  # no more of a large file than is asked for
        if change == "shorter":
            os.truncate(path, instance.file_bytes - 1000)
        elif change == "longer":
            with path.open("ab") as writer:
                writer.write(bytes(20000))
        else:
            os.utime(path, ns=(1, 1))
        given = 10
        with pytest.raises(OSError, match="changed while it was sent"):
            while data := file.read(1000):
                given += len(data)
        assert given <= instance.data_set_bytes
