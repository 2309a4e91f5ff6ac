# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that a peer cannot take, and peers that take none: no good file is lost or blamed, and nothing waits long."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pydicom
import pytest
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.peer import Timeouts
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.samples import new_study, samples
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.store.files import Instance
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.store.journal import Journal
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.store.paths import collect
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.store.send import send
from pynetdicom import AE, evt
from pynetdicom.sop_class import CTImageStorage

from support.peers import STORED_SYNTAXES, peer_at

# A time-out that a busy machine does not reach by itself; a peer that hangs says so (``unanswered``).
TIMEOUTS = Timeouts(connect=10, tls=10, association=10, dimse=2)


def peer_of(port: int, **changes: Any):
    return peer_at(port, **{"timeouts": TIMEOUTS, "retry_delay": 0.05, **changes})


@dataclass
class Behaviour:
    """A peer that does something with what it is sent: ``hang``, ``abort`` or ``close`` for chosen UIDs."""

    unanswered: Callable[[Any], None]
    ways: dict[str, str] = field(default_factory=dict)
    otherwise: str = "store"
    one_at_a_time: bool = False
    hang_seconds: float | None = None  # until the test is over
    requests: Counter[str] = field(default_factory=Counter)
    answered: set[str] = field(default_factory=set)
    over: threading.Event = field(default_factory=threading.Event)
    lock: Any = field(default_factory=threading.Lock)

    def __call__(self, event: Any) -> int:
        uid = event.request.AffectedSOPInstanceUID
        self.requests[uid] += 1
        if self.one_at_a_time:
            with self.lock:
                return self._treat(event, uid)
        return self._treat(event, uid)

    def _treat(self, event: Any, uid: str) -> int:
        way = self.ways.get(uid, self.otherwise)
        if way == "hang":
            if self.hang_seconds is None:
                self.unanswered(event)
            self.over.wait(self.hang_seconds or 60)
        elif way == "abort":
            event.assoc.abort()
        elif way == "close":
            event.assoc.dul.socket.close()
        else:
            self.answered.add(uid)
        return 0x0000


@pytest.fixture
def behaviour(unanswered: Callable[[Any], None]) -> Iterator[Callable[..., Behaviour]]:
    made = []

    def make(*args: Any, **settings: Any) -> Behaviour:
        made.append(Behaviour(unanswered, *args, **settings))
        return made[-1]

    yield make
    for each in made:
        each.over.set()


def uids(instances: Any) -> set[str]:
    return {each.sop_instance_uid for each in instances}


# The file


@pytest.mark.parametrize("associations", [1, 3])
@pytest.mark.parametrize("bad", [0, 7, 19])
def test_a_file_that_makes_the_peer_hang_costs_one_time_out(archive, behaviour, instances, associations, bad):
    poison = instances[bad].sop_instance_uid
    way = behaviour({poison: "hang"})
    sending = send(peer_of(archive(status=way).port), instances, associations)
    assert uids(outcome.instance for outcome in sending.failed) == {poison}
    assert way.requests[poison] == 1
    assert way.answered == uids(instances) - {poison}
    outcome = sending.outcomes[bad]
    assert (outcome.failure, outcome.set_aside, outcome.not_tried) == ("dimse_timeout", True, False)
    assert outcome.status_text.startswith("set aside. ")
    assert "did not answer C-STORE within 2 s" in outcome.status_text
    assert "so the problem is this file" in outcome.status_text
    assert "overloaded" not in sending.sentence
    assert "did not store 1 of 20 instances, 1 of them set aside." in sending.sentence
    assert sending.summary()["set_aside"] == 1


@pytest.mark.parametrize("way", ["abort", "close"])
@pytest.mark.parametrize("associations", [1, 3])
def test_a_file_that_the_peer_breaks_off_on(archive, behaviour, instances, associations, way):
    poison = instances[7].sop_instance_uid
    peer = behaviour({poison: way})
    sending = send(peer_of(archive(status=peer).port), instances, associations)
    assert uids(outcome.instance for outcome in sending.failed) == {poison}
    assert peer.answered == uids(instances) - {poison}
    assert sending.outcomes[7].set_aside
    assert sending.outcomes[7].failure in ("association_aborted", "connection_closed")


@pytest.mark.slow  # it waits for real time-outs
def test_good_files_that_hang_along_with_a_bad_one_are_not_blamed(archive, behaviour, instances):
    """The peer stores one at a time: while it hangs on one, the others that are in flight time out as well."""
    poison = instances[2].sop_instance_uid
    patient = replace(TIMEOUTS, dimse=4)  # four at a time, on a machine that is busy
    peer = behaviour({poison: "hang"}, one_at_a_time=True, hang_seconds=2.5 * patient.dimse)
    sending = send(peer_of(archive(status=peer).port, timeouts=patient), instances, associations=4)
    assert uids(outcome.instance for outcome in sending.failed) == {poison}, sending.sentence
    assert peer.answered == uids(instances) - {poison}
    assert peer.requests[poison] <= 2
    assert sending.outcomes[2].set_aside


def test_a_file_that_hung_only_once_is_stored_if_there_are_retries(archive, behaviour, instances):
    slow = instances[4].sop_instance_uid
    peer = behaviour({slow: "hang"})

    def hang_once(event):
        if peer.requests[slow]:
            peer.ways.clear()
        return peer(event)

    sending = send(peer_of(archive(status=hang_once).port, retries=5), instances)
    assert sending.failed == (), sending.sentence
    assert peer.requests[slow] == 2


@pytest.mark.parametrize(("retries", "requests"), [(0, 1), (1, 2), (20, 2)])
def test_a_file_that_always_hangs_costs_one_more_at_the_end_at_most(archive, behaviour, instances, retries, requests):
    poison = instances[4].sop_instance_uid
    peer = behaviour({poison: "hang"})
    sending = send(peer_of(archive(status=peer).port, retries=retries), instances)
    assert peer.requests[poison] == requests
    assert uids(outcome.instance for outcome in sending.failed) == {poison}
    assert ("did so again when the file was sent alone" in sending.outcomes[4].status_text) is (requests == 2)


def test_a_file_that_crashes_the_peer_does_so_four_times_at_most(archive, behaviour, instances):
    poison = instances[4].sop_instance_uid
    peer = behaviour({poison: "abort"})
    sending = send(peer_of(archive(status=peer).port, retries=20), instances)
    assert uids(outcome.instance for outcome in sending.failed) == {poison}
    assert peer.requests[poison] == 4


def test_a_whole_series_of_bad_files_is_not_the_peer(archive, behaviour, folder):
    """They come first, before the peer has stored anything, and are more in a row than the peer is allowed."""
    (folder / "0-bad").mkdir()
    for sample in samples(folder / "0-bad", new_study(None, "ID2", "NAME"), ["ct"], copies=5):
        sample.write()
    instances = collect([str(folder)]).instances
    bad = uids(instances[:5])
    peer = behaviour(dict.fromkeys(bad, "abort"))
    sending = send(peer_of(archive(status=peer).port), instances)
    assert peer.answered == uids(instances) - bad
    assert uids(outcome.instance for outcome in sending.failed) == bad
    assert all(outcome.set_aside for outcome in sending.failed), sending.sentence


def test_a_peer_that_crashes_on_a_file_and_comes_back(behaviour, instances):
    """Its port is closed for a while, as that of a container that is started anew."""
    poison = instances[5].sop_instance_uid
    peer = behaviour()
    servers: list[Any] = []

    def start() -> None:
        ae = AE(ae_title="ORTHANC")
        ae.add_supported_context(CTImageStorage, STORED_SYNTAXES)
        port = servers[0].server_address[1] if servers else 0
        servers.append(ae.start_server(("127.0.0.1", port), block=False, evt_handlers=[(evt.EVT_C_STORE, answer)]))

    def crash() -> None:
        servers[-1].shutdown()
        time.sleep(0.5)
        start()

    def answer(event: Any) -> int:
        if event.request.AffectedSOPInstanceUID == poison:
            threading.Thread(target=crash).start()
            event.assoc.dul.socket.close()
            return 0x0000
        return peer(event)

    start()
    try:
        sending = send(peer_of(servers[0].server_address[1], retry_delay=1), instances)
    finally:
        servers[-1].shutdown()
    assert len(servers) == 2
    assert uids(outcome.instance for outcome in sending.failed) == {poison}, sending.sentence
    assert sending.outcomes[5].set_aside


# The peer


@pytest.mark.parametrize(("way", "associations"), [("hang", 1), ("hang", 3), ("abort", 1), ("close", 3)])
def test_a_peer_that_takes_no_file_is_left_after_three(archive, behaviour, instances, way, associations):
    peer = behaviour(otherwise=way)
    sending = send(peer_of(archive(status=peer).port), instances, associations)
    assert len(sending.failed) == 20
    assert sending.set_aside == ()
    assert peer.requests.total() <= 4 * associations
    tried = [outcome for outcome in sending.outcomes if not outcome.not_tried]
    assert uids(outcome.instance for outcome in tried) == peer.requests.keys()
    assert all("the problem is the peer rather than this file" in outcome.status_text for outcome in tried)
    for outcome in sending.not_tried:
        assert outcome.status_text.startswith("not sent. ORTHANC at 127.0.0.1:")
        assert "the problem is the peer, not a file" in outcome.status_text
    assert f"{len(sending.not_tried)} of them not sent." in sending.sentence


@pytest.mark.parametrize("associations", [1, 4])
def test_a_peer_that_stops_answering_in_the_midst(archive, behaviour, instances, associations):
    peer = behaviour()

    def stop(event):
        if len(peer.answered) >= 10:
            peer.otherwise = "hang"
        return peer(event)

    sending = send(peer_of(archive(status=stop, maximum_associations=100).port), instances, associations)
    assert 10 <= len(sending.stored) < 10 + associations
    assert uids(outcome.instance for outcome in sending.stored) == peer.answered
    assert sending.set_aside == ()
    if sending.not_tried:
        assert "not even an instance that it had stored before" in sending.not_tried[0].status_text
    assert "overloaded" not in sending.sentence


def test_a_single_file_does_not_tell(archive, behaviour, instances):
    peer = behaviour(otherwise="hang")
    sending = send(peer_of(archive(status=peer).port), instances[:1])
    assert not sending.outcomes[0].set_aside
    assert "It is unclear whether the problem is this file or the peer" in sending.outcomes[0].status_text


# The next run


def test_the_next_run_tries_it_last_and_says_so(archive, behaviour, instances, tmp_path_factory):
    poison = instances[3]
    peer = behaviour({poison.sop_instance_uid: "hang"})
    order: list[str] = []

    def note(event):
        order.append(event.request.AffectedSOPInstanceUID)
        return peer(event)

    scp = archive(status=note)
    path = tmp_path_factory.mktemp("journal") / "journal"

    def run(some):
        with Journal.open(path, peer_of(scp.port)) as journal:
            return send(
                peer_of(scp.port), some, 1, journal.acknowledged, journal.record, record_aside=journal.record_aside
            )

    assert run(instances[:10]).outcomes[3].set_aside
    order.clear()
    second = run(instances)
    assert order.count(poison.sop_instance_uid) == 1
    assert order.index(poison.sop_instance_uid) == 10  # behind all that were left
    assert uids(outcome.instance for outcome in second.failed) == {poison.sop_instance_uid}
    assert "It was set aside in 1 run(s) before this one, too." in second.outcomes[3].status_text
    third = run(instances)
    assert third.outcomes[3].set_aside, third.sentence  # what the journal lists speaks for the peer
    assert "It was set aside in 2 run(s)" in third.outcomes[3].status_text

    peer.ways.clear()
    fourth = run(instances)
    assert fourth.failed == ()
    assert fourth.outcomes[3].stored
    assert run(instances).outcomes[3].already_stored


# A7xx


def without(instance: Instance, keyword: str) -> None:
    image = pydicom.dcmread(instance.path)
    delattr(image, keyword)
    image.save_as(instance.path)


def test_a700_is_told_by_what_decides(archive, instances):
    without(instances[1], "PatientID")
    again = collect([str(instances[0].path.parent)]).instances
    refused = {again[number].sop_instance_uid for number in (1, 5, 18, 19)}
    scp = archive(status=lambda event: 0xA700 if event.request.AffectedSOPInstanceUID in refused else 0x0000)
    sending = send(peer_of(scp.port), again)
    texts = {number: sending.outcomes[number].status_text for number in (1, 5, 18, 19)}
    assert uids(outcome.instance for outcome in sending.failed) == refused
    for text in texts.values():
        assert text.startswith("refused: out of resources (A700), or required tags are missing")
        assert "Orthanc's has 'Store has failed because required tags'" in text
    assert "The file lacks PatientID. Orthanc accepts that" in texts[1]
    for number in (5, 18, 19):
        assert "The file has PatientID, StudyInstanceUID, SeriesInstanceUID and SOPInstanceUID." in texts[number]
    assert "more likely the file than the archive" in texts[5]
    assert texts[18] == texts[19]
    assert "Nothing was stored after it, so the problem may be the archive" in texts[18]
    assert {outcome.failure for outcome in sending.failed} == {"dimse_status"}


def test_a700_to_everything_ends_with_the_files(archive, instances):
    """It is an answer: nobody waits, and each is sent once."""
    requests: Counter[str] = Counter()

    def refuse(event):
        requests[event.request.AffectedSOPInstanceUID] += 1
        return 0xA700

    start = time.monotonic()
    sending = send(peer_of(archive(status=refuse).port, retries=20, retry_delay=60), instances)
    assert time.monotonic() - start < 30
    assert set(requests.values()) == {1}
    assert sending.not_tried == ()


# Files of all kinds


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("associations", [1, 4])
def test_files_of_all_kinds_to_a_peer_that_hangs_on_one(archive, behaviour, associations):
    """Those of pydicom: 34 pairs of SOP class and transfer syntax, damaged files among them."""
    instances = collect([str(Path(pydicom.__file__).parent / "data" / "test_files")]).instances
    poison = instances[len(instances) // 3]
    peer = behaviour({poison.sop_instance_uid: "hang"})
    syntaxes = sorted({each.transfer_syntax_uid for each in instances})
    contexts = [(each, syntaxes) for each in {each.sop_class_uid for each in instances}]
    sending = send(peer_of(archive(status=peer, contexts=contexts).port), instances, associations)
    bad = {each.path for each in instances if each.sop_instance_uid == poison.sop_instance_uid}
    assert len(instances) > 100
    assert {outcome.instance.path for outcome in sending.failed} == bad, sending.sentence
    assert all(outcome.set_aside for outcome in sending.failed)
    assert peer.answered == uids(instances) - {poison.sop_instance_uid}
