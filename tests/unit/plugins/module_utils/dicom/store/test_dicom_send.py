# SPDX-License-Identifier: GPL-3.0-or-later
"""Several associations side by side, and what becomes of the instances when one of them breaks."""

from __future__ import annotations

import os
import struct
import threading
from collections import Counter
from pathlib import Path

import pydicom
import pytest
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.peer import Timeouts
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.store import c_store
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.store.files import Instance, read_instance
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.store.groups import proposals_for
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.store.journal import Journal, JournalError
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.store.paths import collect
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.store.send import associations_problem, send
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import evt
from pynetdicom.presentation import AllStoragePresentationContexts
from pynetdicom.sop_class import CTImageStorage

from support.peers import STORED_SYNTAXES, peer_at
from support.samples import write_samples

WIDE = Timeouts(connect=30, tls=30, association=30, dimse=30)
CLASSES = [str(context.abstract_syntax) for context in AllStoragePresentationContexts[:70]]
SYNTAXES = [ExplicitVRLittleEndian, ImplicitVRLittleEndian]
PATIENCE = 25  # seconds that a peer waits for what must come; below the time-outs of the sender


def patient_peer(port: int, **changes):
    return peer_at(port, timeouts=WIDE, retry_delay=0.01, **changes)


def data_set_of(instance: Instance) -> bytes:
    return instance.path.read_bytes()[instance.data_set_offset :]


def test_associations_are_open_side_by_side(archive, instances):
    """Each of the first four is answered only when all four are there."""
    four = threading.Barrier(4)

    def meet(event):
        if event.request.AffectedSOPInstanceUID in {each.sop_instance_uid for each in instances[:4]}:
            four.wait(PATIENCE)
        return 0x0000

    scp = archive(status=meet)
    sending = send(patient_peer(scp.port), instances, associations=4)
    assert sending.failed == (), sending.sentence
    assert sending.associations == 4
    assert scp.stored == {each.sop_instance_uid: data_set_of(each) for each in instances}


def test_a_slow_one_does_not_hold_up_the_rest_and_keeps_its_place(archive, instances):
    """The first is answered only when all the others are stored, which they must be over the other association."""
    others_stored = threading.Event()
    answered = Counter()

    def answer(event):
        uid = event.request.AffectedSOPInstanceUID
        if uid == instances[0].sop_instance_uid:
            return 0x0000 if others_stored.wait(PATIENCE) else 0xA700
        answered[uid] += 1
        if len(answered) == len(instances) - 1:
            others_stored.set()
        return 0x0000

    sending = send(patient_peer(archive(status=answer).port), instances, associations=2)
    assert sending.failed == (), sending.sentence
    assert [outcome.instance for outcome in sending.outcomes] == list(instances)
    assert set(answered.values()) == {1}


def test_no_more_associations_than_instances(archive, instances):
    assert send(patient_peer(archive().port), instances[:2], associations=16).associations <= 2
    assert send(patient_peer(1), [], associations=16).outcomes == ()


def test_a_peer_that_takes_fewer_associations_gets_all_over_those(archive, instances):
    scp = archive(maximum_associations=1)
    sending = send(patient_peer(scp.port), instances, associations=4)
    assert sending.failed == (), sending.sentence
    assert len(scp.stored) == 20


def test_an_association_that_is_refused_does_not_wait_on_when_all_is_stored(archive, instances):
    refused = threading.Event()
    scp = archive(
        maximum_associations=1,
        status=lambda event: 0x0000 if refused.wait(PATIENCE) else 0xA700,
        handlers=[(evt.EVT_REJECTED, lambda event: refused.set())],
    )
    peer = peer_at(scp.port, timeouts=WIDE, retries=1, retry_delay=120)
    ended = []
    sender = threading.Thread(target=lambda: ended.append(send(peer, instances, associations=2)), daemon=True)
    sender.start()
    sender.join(90)
    assert refused.is_set()
    assert len(ended) == 1
    assert ended[0].failed == (), ended[0].sentence


def test_another_association_is_asked_for_only_when_the_last_one_is_there(listener, instances):
    """A peer that says nothing gets one request, not four."""
    connections = []
    silence = threading.Event()

    def say_nothing(connection):
        connections.append(connection)
        silence.wait(PATIENCE)

    sending = send(peer_at(listener(say_nothing)), instances, associations=4)
    silence.set()
    assert {outcome.failure for outcome in sending.outcomes} == {"association_timeout"}
    assert len(connections) == 1


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> tuple[Instance, ...]:
    """One instance for each of 140 presentation contexts."""
    folder = tmp_path_factory.mktemp("many")
    image = pydicom.dcmread(write_samples(folder, "ct") / "ct.dcm")
    (folder / "ct.dcm").unlink()
    for sop_class in CLASSES:
        for syntax in SYNTAXES:
            image.SOPClassUID = image.file_meta.MediaStorageSOPClassUID = sop_class
            image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = pydicom.uid.generate_uid()
            image.file_meta.TransferSyntaxUID = syntax
            image.save_as(
                folder / f"{image.SOPInstanceUID}.dcm", implicit_vr=syntax == ImplicitVRLittleEndian, little_endian=True
            )
    return collect([str(folder)]).instances


@pytest.mark.parametrize("associations", [1, 3])
def test_more_presentation_contexts_than_an_association_can_have(archive, many, associations):
    assert len(proposals_for(many)) == len(many) == 140
    scp = archive(contexts=[(sop_class, SYNTAXES) for sop_class in CLASSES])
    sending = send(patient_peer(scp.port), many, associations)
    assert sending.failed == (), sending.sentence
    assert [outcome.instance for outcome in sending.outcomes] == list(many)
    assert scp.stored == {each.sop_instance_uid: data_set_of(each) for each in many}


@pytest.mark.parametrize(("associations", "expected"), [(0, False), (1, True), (16, True), (17, False)])
def test_numbers_of_associations(associations, expected):
    assert (associations_problem(associations) is None) is expected


# Associations that break


@pytest.mark.parametrize("associations", [1, 4])
def test_what_was_in_flight_is_sent_again_and_nothing_else(archive, instances, associations):
    """Every fifth request breaks the association. The witness, sent again to see that the peer lives, is no matter."""
    requests = Counter()
    acknowledged = Counter()
    lock = threading.Lock()

    def answer(event):
        uid = event.request.AffectedSOPInstanceUID
        with lock:
            requests[uid] += 1
            if requests.total() % 5 == 0:
                event.assoc.abort()
            else:
                acknowledged[uid] += 1
        return 0x0000

    sending = send(patient_peer(archive(status=answer).port, retries=20), instances, associations)
    assert sending.failed == (), sending.sentence
    assert acknowledged.keys() == {each.sop_instance_uid for each in instances}
    # The smallest that was stored so far is the witness: there are as many as there are sizes, at most.
    sizes = {each.data_set_bytes for each in instances}
    assert sum(1 for count in acknowledged.values() if count > 1) <= len(sizes)
    assert requests.total() > len(instances)


def test_retries_are_counted_in_a_row(archive, instances):
    """Three associations break, each after some answers, and one retry is enough."""
    first_request = {instances[position].sop_instance_uid for position in (3, 8, 13)}

    def answer(event):
        uid = event.request.AffectedSOPInstanceUID
        if uid in first_request:
            first_request.remove(uid)
            event.assoc.abort()
        return 0x0000

    sending = send(patient_peer(archive(status=answer).port, retries=1), instances)
    assert sending.failed == (), sending.sentence
    assert first_request == set()


@pytest.mark.parametrize("associations", [1, 3])
def test_one_that_breaks_every_association_does_not_hold_up_the_others(archive, instances, associations):
    poison = instances[7].sop_instance_uid
    requests = Counter()

    def answer(event):
        requests[event.request.AffectedSOPInstanceUID] += 1
        if event.request.AffectedSOPInstanceUID == poison:
            event.assoc.abort()
        return 0x0000

    scp = archive(status=answer)
    sending = send(patient_peer(scp.port, retries=2), instances, associations)
    assert [outcome.instance.sop_instance_uid for outcome in sending.failed] == [poison]
    assert sending.outcomes[7].failure in ("association_aborted", "connection_closed")
    assert requests[poison] == 3
    assert len(sending.stored) == 19


def test_without_retries_the_other_association_sends_the_rest(archive, instances):
    """The one that breaks does so while the other is open, which then takes all but what was in flight."""
    two = threading.Barrier(2)
    broken = instances[0].sop_instance_uid

    def answer(event):
        uid = event.request.AffectedSOPInstanceUID
        if uid in {each.sop_instance_uid for each in instances[:2]}:
            two.wait(PATIENCE)
        if uid == broken:
            event.assoc.abort()
        return 0x0000

    sending = send(patient_peer(archive(status=answer).port), instances, associations=2)
    assert [outcome.instance.sop_instance_uid for outcome in sending.failed] == [broken]


def test_a_peer_that_is_not_there_is_tried_as_often_as_told(listener, instances):
    connections = []
    port = listener(connections.append)  # and closes it
    sending = send(patient_peer(port, retries=3), instances)
    assert {outcome.failure for outcome in sending.outcomes} == {"connection_closed"}
    assert sending.associations == 0
    # The sender looks once more at a peer that closes, to see whether it speaks TLS.
    assert len(connections) in (4, 8)


# Files


def test_files_that_are_not_what_they_were(archive, instances):
    instances[0].path.unlink()
    instances[1].path.write_bytes(instances[1].path.read_bytes() + b"\0\0")
    scp = archive()
    sending = send(patient_peer(scp.port), instances)
    assert [outcome.failure for outcome in sending.outcomes[:3]] == ["file_not_read", "file_not_read", None]
    assert "No such file" in sending.outcomes[0].status_text
    assert "changed after its header had been read" in sending.outcomes[1].status_text
    assert len(scp.stored) == len(sending.stored) == 18


def test_a_file_that_breaks_off_ends_its_association_only(archive, instances):
    memory = Path("/proc/self/mem")  # opens, and cannot be read at 0: Input/output error
    size = memory.stat().st_size
    broken = Instance(
        memory, CTImageStorage, "1.2.3", "1.2", "1.2", STORED_SYNTAXES[0], 0, size, memory.stat().st_mtime_ns
    )
    scp = archive()
    sending = send(patient_peer(scp.port), [*instances[:3], broken, *instances[3:]])
    assert [outcome.failure for outcome in sending.failed] == ["file_not_read"]
    assert "Input/output error" in sending.outcomes[3].status_text
    assert "1.2.3" not in scp.stored
    assert len(scp.stored) == 20


@pytest.mark.parametrize("length", [200_000, 9_000_000])
def test_a_file_that_changes_while_it_is_sent_is_not_stored(archive, instances, monkeypatch, tmp_path_factory, length):
    """It is cut off, or goes on, when the first part of it is read."""
    path = instances[1].path
    with path.open("ab") as file:  # a private element that makes it large enough to be read in many parts
        file.write(struct.pack("<HH2s2xL", 0x7FE1, 0x1001, b"OB", 8_000_000) + bytes(8_000_000))
    some = [instances[0], read_instance(path), *instances[2:5]]
    opened = c_store.open_unchanged

    def open_and_change(instance):
        file = opened(instance)
        if instance.path == path:
            os.truncate(path, length)
        return file

    monkeypatch.setattr(c_store, "open_unchanged", open_and_change)
    scp = archive()
    recorded = []
    sending = send(patient_peer(scp.port), some, record=lambda instance, status: recorded.append(instance))
    assert [outcome.failure for outcome in sending.outcomes] == [None, "file_not_read", None, None, None]
    assert "changed while it was sent" in sending.outcomes[1].status_text
    assert len(scp.stored) == len(recorded) == 4
    assert instances[1].sop_instance_uid not in scp.stored


# The journal


def test_what_the_journal_lists_is_not_sent(archive, instances, tmp_path):
    scp = archive()
    peer = patient_peer(scp.port)
    path = tmp_path / "journal"
    with Journal.open(path, peer) as journal:
        assert send(peer, instances[:12], 2, journal.acknowledged, journal.record).failed == ()
    scp.stored.clear()
    changed = instances[3].path
    changed.touch()
    again = collect([str(tmp_path)]).instances
    with Journal.open(path, peer) as journal:
        sending = send(peer, again, 2, journal.acknowledged, journal.record)
    assert [outcome.already_stored for outcome in sending.outcomes] == [True] * 3 + [False] + [True] * 8 + [False] * 8
    assert scp.stored.keys() == {each.sop_instance_uid for each in (again[3], *again[12:])}
    assert sending.summary()["already_stored"] == 11


@pytest.mark.parametrize("associations", [1, 3])
def test_a_journal_that_cannot_be_written_ends_the_sending(archive, instances, associations):
    recorded = []

    def record(instance, status):
        if len(recorded) >= 5:
            raise JournalError("journal: cannot be written: No space left on device.")
        recorded.append(instance)

    scp = archive()
    sending = send(patient_peer(scp.port), instances, associations, record=record)
    assert 5 < len(sending.stored) == len(scp.stored) <= 5 + associations
    assert {outcome.failure for outcome in sending.failed} == {"journal_not_written"}
    assert "not sent. journal: cannot be written" in sending.failed[0].status_text
    assert sending.journal_problem
    assert len(sending.outcomes) == 20


def test_failures_are_counted_by_kind(archive, instances):
    answers = iter([0xA700] * 3 + [0xC001] * 5 + [0xB000] + [0x0000] * 11)
    sending = send(patient_peer(archive(status=lambda event: next(answers)).port), instances)
    assert sending.summary()["failures"] == [
        {
            "failure": "dimse_status",
            "status": "C001",
            "status_text": "refused: the peer cannot understand the data set (C001)",
            "count": 5,
        },
        {
            "failure": "dimse_status",
            "status": "A700",
            "status_text": sending.outcomes[0].status_text,
            "count": 3,
        },
    ]
    assert sending.summary()["stored"] == 12


def test_an_instance_is_what_its_file_was(instances):
    assert read_instance(instances[0].path) == instances[0]
    assert instances[0].file_bytes == instances[0].path.stat().st_size
