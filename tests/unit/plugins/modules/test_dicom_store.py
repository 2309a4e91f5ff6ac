# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.net.pdu import data_set_fragments
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.peer import Timeouts, TlsOptions
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.samples import SAMPLES, UNUSUAL
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.store import groups
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.store import progress as writing
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.store.files import read_instance
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.store.groups import proposals_for
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.store.journal import Journal
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.store.paths import collect
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.store.send import send
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.words import status_accepts, status_in_words
from ansible_collections.cellcs.orthweb.plugins.modules import dicom_sample, dicom_store
from pydicom.uid import UID
from pynetdicom.sop_class import CTImageStorage

from support.peers import peer_at, server_context
from support.samples import write_samples

WIDE = Timeouts(connect=30, tls=30, association=30, dimse=30)
PYDICOM_FILES = Path(pydicom.__file__).parent / "data" / "test_files"


@pytest.fixture
def study(tmp_path):
    """A folder with one sample of each kind."""
    return write_samples(tmp_path, *SAMPLES, copies=2)


def patient_peer(port: int, tls: TlsOptions | None = None):
    return peer_at(port, tls, timeouts=WIDE)


def data_set_of(path: Path) -> bytes:
    return path.read_bytes()[read_instance(path).data_set_offset :]


# dicom_sample


def test_samples_are_filed_under_the_new_study_with_pixel_data_untouched(run_module, tmp_path):
    folder = tmp_path / "new" / "folder"
    ran = run_module(dicom_sample, {"path": str(folder), "copies": 3, "patient_id": "P1", "patient_name": "Röntgen^W"})
    assert ran.result["changed"] is True
    files = ran.result["files"]
    assert [file["kind"] for file in files] == ["ct", "ct", "ct", "mr", "ultrasound", "jpeg2000", "rle"]
    assert sorted(file["path"] for file in files) == sorted(str(path) for path in folder.iterdir())
    assert len({file["sop_instance_uid"] for file in files}) == 7
    assert len({file["series_instance_uid"] for file in files}) == 5
    for file in files:
        image = pydicom.dcmread(file["path"])
        original = pydicom.dcmread(PYDICOM_FILES / SAMPLES[file["kind"]])
        assert image.PixelData == original.PixelData
        assert image.file_meta.TransferSyntaxUID == original.file_meta.TransferSyntaxUID == file["transfer_syntax_uid"]
        assert image.SOPClassUID == image.file_meta.MediaStorageSOPClassUID == file["sop_class_uid"]
        assert image.SOPInstanceUID == image.file_meta.MediaStorageSOPInstanceUID == file["sop_instance_uid"]
        assert image.StudyInstanceUID == ran.result["study_instance_uid"]
        assert image.SeriesInstanceUID == file["series_instance_uid"]
        assert (image.PatientID, str(image.PatientName)) == ("P1", "Röntgen^W")
        assert Path(file["path"]).stat().st_size == file["bytes"]
        assert all(UID(file[key]).is_valid for key in file if key.endswith("_uid"))
    assert {file["transfer_syntax_uid"] for file in files} >= {
        "1.2.840.10008.1.2.1",
        "1.2.840.10008.1.2.4.90",
        "1.2.840.10008.1.2.5",
    }


def test_unusual_samples_have_what_modalities_send(run_module, tmp_path):
    options = {"path": str(tmp_path), "kinds": ["mr"], "unusual": True, "patient_id": "P1", "patient_name": "Röntgen^W"}
    ran = run_module(dicom_sample, options)
    files = {file["kind"]: file for file in ran.result["files"]}
    assert list(files) == ["mr", *UNUSUAL]
    assert len({file["study_instance_uid"] for file in files.values()}) == len(files)
    assert files["mr"]["study_instance_uid"] == ran.result["study_instance_uid"]
    images = {kind: pydicom.dcmread(file["path"]) for kind, file in files.items()}
    for kind, image in images.items():
        assert image.StudyInstanceUID == files[kind]["study_instance_uid"]
        assert image.PatientID == ("P1" if kind == "mr" else f"P1-{kind.upper()}")
    assert [kind for kind, image in images.items() if "Modality" not in image] == ["no-modality"]
    assert [kind for kind, image in images.items() if "StudyDate" not in image] == ["no-study-date"]
    assert {kind: str(image.PatientName) for kind, image in images.items()} == {
        "mr": "Röntgen^W",
        "no-modality": "Röntgen^W",
        "no-study-date": "Röntgen^W",
        "no-patient-name": "",
        "latin-1": "Müller^Jörg",
        "iso-2022": "Yamada^Tarou=山田^太郎=やまだ^たろう",
        "gb18030": "Wang^XiaoDong=王^小东",
    }
    for kind, written in {
        "latin-1": "Müller^Jörg".encode("latin-1"),
        "iso-2022": b"\x1b$B" + "山田".encode("iso2022_jp")[3:-3] + b"\x1b(B^",
        "gb18030": "王^小东".encode("gb18030"),
    }.items():
        assert written in Path(files[kind]["path"]).read_bytes(), kind


def test_samples_in_check_mode(run_module, tmp_path):
    folder = tmp_path / "new"
    ran = run_module(dicom_sample, {"path": str(folder), "study_instance_uid": "1.2.3"}, check_mode=True)
    assert ran.result["changed"] is True
    assert ran.result["study_instance_uid"] == "1.2.3"
    assert len(ran.result["files"]) == 5
    assert not folder.exists()


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"study_instance_uid": "1.2.x"}, "study_instance_uid: "),
        ({"patient_id": "A\\B"}, "patient_id: "),
        (
            {"patient_id": "A" * 50, "unusual": True},
            "patient_id: has 50 characters, but with unusual at most 48 are allowed",
        ),
        ({"patient_name": " "}, "patient_name: "),
        ({"copies": 0}, "copies: "),
    ],
)
def test_samples_that_cannot_be_made(run_module, tmp_path, options, problem):
    ran = run_module(dicom_sample, {"path": str(tmp_path), **options})
    assert ran.failed
    assert ran.result["problems"][0].startswith(problem)


def test_samples_to_a_place_that_is_none(run_module, tmp_path):
    (tmp_path / "file").touch()
    ran = run_module(dicom_sample, {"path": str(tmp_path / "file")})
    assert ran.failed
    assert "Cannot write sample files" in ran.result["msg"]


# Files


def test_files_folders_and_patterns(study):
    (study / "README").write_text("no DICOM")
    (study / "deep").mkdir()
    (study / "ct-000001.dcm").rename(study / "deep" / "one.dcm")
    found = collect([str(study), str(study / "**" / "one.dcm"), str(study / "mr.dcm")])
    assert len(found.instances) == 6
    assert [skipped.path.name for skipped in found.skipped] == ["README"]
    assert found.problems == ()
    assert [each.path.name for each in collect([str(study / "**" / "o*.dcm")]).instances] == ["one.dcm"]


def test_what_is_named_must_be_there_and_dicom(study):
    (study / "text").write_text("no DICOM")
    (study / "short").write_bytes(bytes(128) + b"DICM")
    found = collect([str(study / "text"), str(study / "nothing*"), str(study / "short")])
    assert [problem.partition(": ")[2][:20] for problem in found.problems] == [
        "is not a DICOM file:",
        "no such file or fold",
        "lacks SOPClassUID, S",
    ]


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_every_file_of_pydicom_is_read_or_refused_in_words():
    found = collect([str(PYDICOM_FILES)])
    assert len(found.instances) > 60
    assert any("DICOMDIR" in skipped.reason for skipped in found.skipped)
    assert found.problems == ()


@contextlib.contextmanager
def as_nobody() -> Iterator[Path]:
    """A folder that is open to all, in which ``give_up_rights`` may be called: no file is closed to root."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    user = os.geteuid()
    try:
        yield folder
    finally:
        os.seteuid(user)
        shutil.rmtree(folder)


def give_up_rights() -> None:
    if os.geteuid() == 0:
        os.seteuid(65534)


def test_a_folder_that_cannot_be_read_is_refused():
    """Whoever moves an archive must not leave a part of it behind unawares."""
    with as_nobody() as folder:
        (folder / "secret").mkdir(mode=0)
        give_up_rights()
        found = collect([str(folder)])
    assert found.problems == (f"{folder}/secret: cannot be read: Permission denied",)


def test_a_file_that_cannot_be_read_is_suspect():
    with as_nobody() as folder:
        (folder / "secret.dcm").touch(mode=0)
        give_up_rights()
        found = collect([str(folder)])
    assert [(each.reason, each.suspect) for each in found.skipped] == [("cannot be read: Permission denied", True)]


def test_links_that_are_not_followed_are_not_left_out_without_a_word(study, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("volume")
    (study / "mr.dcm").rename(elsewhere / "mr.dcm")
    (study / "volume").symlink_to(elsewhere)
    (study / "dangling.dcm").symlink_to("/nowhere/x.dcm")
    (study / "round.dcm").symlink_to("round.dcm")
    for path in (study, study / "**"):
        found = collect([str(path)])
        assert len(found.instances) == 5
        assert found.problems == ()
        assert [(each.path.name, each.suspect) for each in found.skipped] == [
            ("dangling.dcm", True),
            ("round.dcm", True),
            ("volume", True),
        ]
        assert found.skipped[0].reason.startswith("is a broken link (No such file or directory)")
        assert found.skipped[1].reason.startswith("is a broken link (Too many levels of symbolic links)")
        assert f"add {elsewhere} to paths" in found.skipped[2].reason
    assert [each.path.name for each in collect([str(study / "volume")]).instances] == ["mr.dcm"]


def test_patterns_take_hidden_files_once_and_pass_over_what_they_do_not_match(study):
    (study / ".hidden").mkdir()
    (study / "mr.dcm").rename(study / ".hidden" / ".mr.dcm")
    (study / "deep").mkdir()
    (study / "deep" / "loop").symlink_to(study)
    (study / "ct-000001.dcm").rename(study / "deep" / "ct-1.dcm")

    def names(pattern):
        return [str(each.path.relative_to(study)) for each in collect([str(study / pattern)]).instances]

    assert len(names("**")) == len(names("**/*")) == len(names("**/**/*.dcm")) == 6
    assert names("**/*mr.dcm") == names("*/.mr.dcm") == names(".h*/*") == [".hidden/.mr.dcm"]
    assert names("*/ct-[0-9].dcm") == names("**/deep/*.dcm") == ["deep/ct-1.dcm"]
    assert names("ct-*.dcm") == ["ct-000002.dcm"]
    assert collect([str(study / "ct-*.dcm")]).skipped == ()
    for nothing in ("*.none", "none/*.dcm", "deep/ct*/*.dcm", "mr.dcm/*"):
        assert "no file matches it as a pattern" in collect([str(study / nothing)]).problems[0]


def test_a_folder_below_a_pattern_that_cannot_be_read_is_refused():
    with as_nobody() as folder:
        (folder / "secret").mkdir(mode=0)
        (folder / "other").mkdir()
        give_up_rights()
        found = collect([str(folder / "**" / "*.dcm")])
        inside = collect([str(folder / "secret" / "x.dcm"), str(folder / "secret" / "*.dcm")])
        elsewhere = collect([str(folder / "oth*" / "*.dcm")])
    assert found.problems == (f"{folder}/secret: cannot be read: Permission denied",)
    assert [problem.partition(": ")[2] for problem in inside.problems] == ["cannot be read: Permission denied"] * 2
    assert "no file matches" in elsewhere.problems[0]


@pytest.mark.parametrize("path", ["/" + "x" * 300, "/a\0b", "/a\ud800b", "/a\ud800*"])
def test_what_can_be_no_path_is_a_problem(path):
    (problem,) = collect([path]).problems
    assert json.dumps(problem).encode()
    assert problem.encode()


def test_files_come_in_the_order_of_their_paths(study):
    for name in ("a-b", "a"):
        (study / name).mkdir()
    (study / "ct-000001.dcm").rename(study / "a" / "1.dcm")
    (study / "ct-000002.dcm").rename(study / "a-b" / "1.dcm")
    (study / "link.dcm").symlink_to(study / "mr.dcm")
    (study / "loop").symlink_to(study)
    paths = [str(each.path.relative_to(study)) for each in collect([str(study)]).instances]
    assert paths[:2] == ["a/1.dcm", "a-b/1.dcm"]
    assert paths == sorted(paths, key=lambda path: Path(path).parts)
    assert "link.dcm" in paths
    assert len(paths) == 7


def test_what_is_damaged_is_told_from_what_is_no_dicom(study):
    (study / "README").write_text("no DICOM")
    (study / "torn.dcm").write_bytes((study / "mr.dcm").read_bytes()[:340])
    skipped = {each.path.name: each for each in collect([str(study)]).skipped}
    assert (skipped["README"].suspect, skipped["torn.dcm"].suspect) == (False, True)
    assert "lacks " in skipped["torn.dcm"].reason


# Sending


def test_the_archive_gets_the_very_bytes_of_the_files(archive, study):
    scp = archive()
    instances = collect([str(study)]).instances
    sending = send(patient_peer(scp.port), instances)
    assert sending.failed == ()
    assert len(sending.stored) == 6
    assert scp.stored == {each.sop_instance_uid: data_set_of(each.path) for each in instances}
    assert sending.summary()["bytes"] == sum(each.data_set_bytes for each in instances)


def test_over_mutual_tls(archive, study, authority):
    scp = archive(tls=server_context(authority, authority.issue_to("store-server"), demand=True))
    mine = TlsOptions("localhost", str(authority.file), None, *authority.issue_to("store-client"))
    instances = collect([str(study)]).instances
    assert send(patient_peer(scp.port, mine), instances).failed == ()
    assert scp.stored == {each.sop_instance_uid: data_set_of(each.path) for each in instances}


@pytest.mark.parametrize("limit", [7, 100, 4096, 0])
@pytest.mark.parametrize("length", [0, 1, 94, 95, 188, 5000])
def test_fragments_make_up_the_data_set(limit, length):
    data = bytes(index % 251 for index in range(length))
    pdus = list(data_set_fragments(3, BytesIO(data), limit))
    assert b"".join(pdu[12:] for pdu in pdus) == data
    assert all(len(pdu) - 6 == int.from_bytes(pdu[2:6], "big") == int.from_bytes(pdu[6:10], "big") + 4 for pdu in pdus)
    assert all(len(pdu) - 6 <= limit for pdu in pdus if limit)
    assert [pdu[11] for pdu in pdus] == [0] * (len(pdus) - 1) + [2]


def test_one_context_for_each_sop_class_and_transfer_syntax(study):
    proposals = proposals_for(collect([str(study)]).instances)
    assert len(proposals) == len(set(proposals)) == 5
    assert all(len(proposal.transfer_syntax_uids) == 1 for proposal in proposals)


def test_more_contexts_than_an_association_can_have(archive, study, monkeypatch):
    monkeypatch.setattr(groups, "CONTEXTS_AN_ASSOCIATION", 2)
    scp = archive()
    assert len(send(patient_peer(scp.port), collect([str(study)]).instances).stored) == len(scp.stored) == 6


def test_a_refused_context_keeps_only_its_own_instances_back(archive, study):
    scp = archive(contexts=[(CTImageStorage, ["1.2.840.10008.1.2.1"])])
    sending = send(patient_peer(scp.port), collect([str(study)]).instances)
    assert [outcome.instance.path.name for outcome in sending.stored] == ["ct-000001.dcm", "ct-000002.dcm"]
    assert {outcome.failure for outcome in sending.failed} == {"presentation_context_refused"}
    assert "did not store 4 of 6" in sending.sentence
    assert "and 1 more" in sending.sentence
    assert "abstract syntax" in sending.sentence


def test_statuses_are_told_in_words(archive, study):
    answers = iter([0xA700, 0xB000, 0xC123, 0x0000, 0x0124, 0x0000])
    scp = archive(status=lambda event: next(answers))
    sending = send(patient_peer(scp.port), collect([str(study)]).instances)
    assert [outcome.stored for outcome in sending.outcomes] == [False, True, False, True, False, True]
    assert [outcome.status for outcome in sending.failed] == [0xA700, 0xC123, 0x0124]
    assert "out of resources (A700)" in sending.sentence
    assert {outcome.failure for outcome in sending.failed} == {"dimse_status"}


def test_an_association_that_ends_half_way(archive, study):
    def abort_the_third(event):
        if len(seen) == 2:
            event.assoc.abort()
        seen.append(event)
        return 0x0000

    seen: list = []
    sending = send(patient_peer(archive(status=abort_the_third).port), collect([str(study)]).instances)
    assert [outcome.stored for outcome in sending.outcomes] == [True, True, False, True, True, True]
    assert sending.outcomes[2].failure in ("association_aborted", "connection_closed")
    assert sending.outcomes[2].set_aside


def test_a_peer_that_takes_nothing_in(listener, study):
    """It accepts the connection and never reads: sending must end, too."""
    stop = threading.Event()
    sending = send(peer_at(listener(lambda connection: stop.wait(5))), collect([str(study)]).instances)
    stop.set()
    assert {outcome.failure for outcome in sending.outcomes} == {"association_timeout"}


def test_words_for_statuses():
    assert status_in_words(0x0000) == "success"
    assert status_in_words(0xA7FF) == "refused: out of resources"
    assert status_in_words(0x1234) == "status unknown to the standard"
    assert status_in_words(0xB000) == "stored, but data elements were coerced"
    for first, last, words in (
        (0xA700, 0xA7FF, "refused: out of resources"),
        (0xA900, 0xA9FF, "refused: the data set does not match its SOP class"),
        (0xB001, 0xBFFF, "accepted with a warning"),
        (0xC000, 0xCFFF, "refused: the peer cannot understand the data set"),
    ):
        assert status_in_words(first) == status_in_words(last) == words
        assert words not in (status_in_words(first - 2), status_in_words(last + 1))
    assert all(map(status_accepts, (0x0000, 0x0001, 0x0107, 0x0116, 0xB000, 0xB007, 0xBFFF)))
    assert not any(map(status_accepts, (0x0002, 0x0110, 0xA900, 0xAFFF, 0xC000, 0xFE00)))


def test_the_module_sends(run_module, archive, study):
    scp = archive()
    options = {"host": "127.0.0.1", "port": scp.port, "called_aet": "ORTHANC", "paths": [str(study)]}
    announced = run_module(dicom_store, options, check_mode=True)
    assert announced.result["changed"] is True
    assert "6 of 6 instances would be sent" in announced.result["msg"]
    assert announced.result["summary"]["failed"] == 0
    assert scp.stored == {}

    ran = run_module(dicom_store, options)
    assert not ran.failed
    assert ran.result["changed"] is True
    assert ran.result["failure"] is None
    assert ran.result["summary"]["stored"] == ran.result["summary"]["count"] == len(scp.stored) == 6
    assert ran.result["instances"][0].keys() == {
        "path",
        "sop_instance_uid",
        "study_instance_uid",
        "status",
        "status_text",
        "failure",
        "stored",
        "already_stored",
        "set_aside",
        "not_tried",
    }
    assert ran.result["instances"][0]["status"] == "0000"


def test_the_module_fails_or_not_as_told(run_module, archive, study):
    options = {"host": "127.0.0.1", "port": archive(status=0xA700).port, "called_aet": "ORTHANC", "paths": [str(study)]}
    failed = run_module(dicom_store, options)
    told = run_module(dicom_store, {**options, "fail_on": "never"})
    assert failed.failed
    assert not told.failed
    assert failed.result["failure"] == told.result["failure"] == "dimse_status"
    assert told.result["changed"] is False


def test_the_module_names_files_that_are_none(run_module, tmp_path):
    options = {"host": "127.0.0.1", "port": 1, "called_aet": "ORTHANC", "paths": [str(tmp_path / "none")]}
    ran = run_module(dicom_store, options)
    assert ran.failed
    assert ran.result["problems"][0].startswith("paths: ")


# The module's journal, progress and result


def told_to_send(scp, study, **options):
    return {"host": "127.0.0.1", "port": scp.port, "called_aet": "ORTHANC", "paths": [str(study)], **options}


def test_the_module_goes_on_where_it_was(run_module, archive, study, tmp_path_factory):
    journal = tmp_path_factory.mktemp("state") / "journal"
    answers = iter([0x0000, 0xA700, 0xB000, 0xA700, 0x0000, 0x0000])
    sent = []

    def answer(event):
        sent.append(event.request.AffectedSOPInstanceUID)
        return next(answers, 0x0000)

    options = told_to_send(archive(status=answer), study, journal=str(journal))
    announced = run_module(dicom_store, options, check_mode=True)
    assert "6 of 6 instances would be sent" in announced.result["msg"]
    assert not journal.exists()

    first = run_module(dicom_store, {**options, "fail_on": "never"})
    assert first.result["summary"]["stored"] == 4
    assert journal.stat().st_mode & 0o777 == 0o600
    before = journal.read_bytes()
    announced = run_module(dicom_store, options, check_mode=True)
    assert announced.result["changed"] is True
    assert "2 of 6 instances would be sent" in announced.result["msg"]
    assert [each["already_stored"] for each in announced.result["instances"]] == [True, False, True, False, True, True]
    assert journal.read_bytes() == before

    sent.clear()
    second = run_module(dicom_store, {**options, "associations": 4})
    assert not second.failed
    assert sorted(sent) == sorted(first.result["instances"][position]["sop_instance_uid"] for position in (1, 3))
    assert second.result["changed"] is True
    assert {key: second.result["summary"][key] for key in ("count", "stored", "already_stored", "failed")} == {
        "count": 6,
        "stored": 2,
        "already_stored": 4,
        "failed": 0,
    }
    assert "stored 2 of 6 instances. It had stored 4 already" in second.result["msg"]
    assert second.result["instances"][2] == {
        **first.result["instances"][2],
        "status": "B000",
        "status_text": "not sent again: the journal has stored, but data elements were coerced (B000)",
        "stored": False,
        "already_stored": True,
    }


def test_a_complete_journal_connects_nowhere(run_module, listener, study, tmp_path):
    """The peer is one that counts whoever comes, and is no DICOM service at all."""
    connections = []
    port = listener(connections.append)
    state = tmp_path / "state"
    state.mkdir()
    with Journal.open(state / "journal", peer_at(port)) as journal:
        for instance in collect([str(study)]).instances:
            journal.record(instance, 0x0000)
    options = {"host": "127.0.0.1", "port": port, "called_aet": "ORTHANC", "paths": [str(study)]}
    ran = run_module(dicom_store, {**options, "journal": str(state / "journal"), "associations": 4})
    assert not ran.failed
    assert ran.result["changed"] is False
    assert ran.result["summary"]["already_stored"] == 6
    assert "has stored all 6 instances already" in ran.result["msg"]
    assert connections == []
    assert run_module(dicom_store, options).failed  # without the journal it would have come
    assert connections != []


@pytest.mark.parametrize("option", ["journal", "progress"])
@pytest.mark.parametrize("content", [None, b"", b"{}", b"a diary\n", pytest.param(b"[" * 4000, id="nested")])
def test_files_that_cannot_be_used_are_refused_before_anything_is_sent(
    run_module, archive, study, tmp_path, option, content
):
    scp = archive()
    file = tmp_path / "none" / "file" if content is None else tmp_path / "other"
    if content is not None:
        file.write_bytes(content)
    ran = run_module(dicom_store, told_to_send(scp, study, **{option: str(file)}))
    rehearsed = run_module(dicom_store, told_to_send(scp, study, **{option: str(file)}), check_mode=True)
    assert rehearsed.failed is ran.failed
    if (option, content) == ("journal", b""):  # what a crash leaves that comes before the first line
        assert not ran.failed
        return
    assert ran.failed
    assert ran.result["msg"].startswith(f"Nothing was sent. {option}: {file}: ")
    assert scp.stored == {}
    if content is not None:
        assert file.read_bytes() == content


def test_journal_and_progress_are_two_files(run_module, archive, study, tmp_path):
    same = str(tmp_path / "file")
    ran = run_module(dicom_store, told_to_send(archive(), study, journal=same, progress=same, associations=17))
    assert [problem.partition(":")[0] for problem in ran.result["problems"]] == ["associations", "progress"]


def test_progress_can_be_watched(run_module, archive, study, tmp_path_factory, monkeypatch):
    """The peer answers for the last instance only when the file says that all others are stored."""
    monkeypatch.setattr(writing, "INTERVAL_SECONDS", 0.02)
    progress = tmp_path_factory.mktemp("state") / "progress.json"
    seen = []

    def answer(event):
        until = time.monotonic() + 20
        while len(requests) == 5 and time.monotonic() < until:
            seen.append(json.loads(progress.read_text()))
            if seen[-1]["stored"] == 4 and seen[-1]["failed"] == 1:
                break
        requests.append(event)
        return 0xA700 if len(requests) == 2 else 0x0000

    requests = []
    options = told_to_send(archive(status=answer), study, progress=str(progress), fail_on="never")
    ran = run_module(dicom_store, options)
    while_sending, at_end = seen[-1], json.loads(progress.read_text())
    assert while_sending["state"] == "sending"
    assert (while_sending["stored"], while_sending["failed"], while_sending["left"]) == (4, 1, 1)
    assert while_sending["bytes"] > 0
    assert while_sending["bytes_left"] > 0
    assert while_sending["bytes_per_second"] > 0
    assert while_sending["estimated_end"] >= while_sending["updated"]
    assert at_end["state"] == "ended"
    assert {key: at_end[key] for key in ("count", "stored", "failed", "already_stored", "left", "bytes_left")} == {
        "count": 6,
        "stored": 5,
        "failed": 1,
        "already_stored": 0,
        "left": 0,
        "bytes_left": 0,
    }
    assert at_end["bytes"] == ran.result["summary"]["bytes"]
    assert at_end["estimated_end"] is None
    assert progress.stat().st_mode & 0o777 == 0o644
    assert [path.name for path in progress.parent.iterdir()] == ["progress.json"]

    assert not run_module(dicom_store, options).failed  # the file of a former run is ours


def test_a_progress_file_that_goes_away_does_not_stop_the_sending(run_module, archive, study, tmp_path_factory):
    folder = tmp_path_factory.mktemp("state") / "deep"
    folder.mkdir()

    def answer(event):
        shutil.rmtree(folder, ignore_errors=True)
        return 0x0000

    ran = run_module(dicom_store, told_to_send(archive(status=answer), study, progress=str(folder / "progress")))
    assert not ran.failed
    assert ran.result["summary"]["stored"] == 6
    assert f"{folder}/progress: cannot be written" in str(ran.result["warnings"])


@pytest.mark.parametrize(("which", "returned"), [("all", 6), ("failed", 2), ("none", 0)])
def test_the_instances_that_are_asked_for_are_returned(run_module, archive, study, which, returned):
    (study / "README").write_text("no DICOM")
    answers = iter([0xA700, 0x0000, 0x0000, 0xA700, 0x0000, 0x0000])
    scp = archive(status=lambda event: next(answers))
    ran = run_module(dicom_store, told_to_send(scp, study, return_instances=which, fail_on="never"))
    assert len(ran.result["instances"]) == returned
    assert len(ran.result["not_instances"]) == (0 if which == "none" else 1)
    assert ran.result["summary"]["not_instances"] == 1
    assert ran.result["summary"]["stored"] == 4
    assert ran.result["summary"]["failures"][0]["count"] == ran.result["summary"]["failed"] == 2
    assert ran.result["failure"] == "dimse_status"


def test_names_that_are_not_utf_8_are_escaped_wherever_they_go_out(run_module, archive, study):
    """Ansible takes no result in which one is as it is."""
    for old, new in (("mr.dcm", b"M\xfcller.dcm"), ("ct-000001.dcm", b"K\xf6hler.dcm")):
        (study / old).rename(os.fsdecode(os.fsencode(study) + b"/" + new))
    Path(os.fsdecode(os.fsencode(study) + b"/torn\xff.dcm")).write_bytes((study / "ct-000002.dcm").read_bytes()[:340])
    refused = archive(status=0xA700)
    for ran in (
        run_module(dicom_store, told_to_send(archive(), study)),
        run_module(dicom_store, told_to_send(refused, study)),
        run_module(dicom_store, told_to_send(refused, study), check_mode=True),
    ):
        assert json.dumps(ran.result, ensure_ascii=False).encode()
        paths = [each["path"] for each in ran.result["instances"]]
        assert {f"{study}/M\\xfcller.dcm", f"{study}/K\\xf6hler.dcm"} < set(paths)
        assert ran.result["not_instances"][0]["path"] == f"{study}/torn\\xff.dcm"
        assert "torn\\xff.dcm" in str(ran.result["warnings"]).replace("\\\\", "\\")
    (problem,) = collect([f"{study}/torn\udcff.dcm"]).problems
    assert problem.startswith(f"{study}/torn\\xff.dcm: lacks ")


def test_check_mode_refuses_what_cannot_be_written(run_module, archive):
    with as_nobody() as folder:
        write_samples(folder, "ct")
        scp = archive()
        give_up_rights()
        for option in ("journal", "progress"):
            for check_mode in (True, False):
                ran = run_module(
                    dicom_store, told_to_send(scp, folder, **{option: str(folder / "new")}), check_mode=check_mode
                )
                assert ran.failed
                assert ran.result["msg"].startswith(f"Nothing was sent. {option}: {folder}/new: ")
        assert not (folder / "new").exists()
        assert scp.stored == {}


def test_the_module_warns_of_damaged_files(run_module, archive, study):
    (study / "torn.dcm").write_bytes((study / "mr.dcm").read_bytes()[:340])
    ran = run_module(dicom_store, told_to_send(archive(), study))
    assert not ran.failed
    assert "1 files or links that may be DICOM instances were passed over" in str(ran.result["warnings"])
    assert ran.result["not_instances"][0]["suspect"] is True
