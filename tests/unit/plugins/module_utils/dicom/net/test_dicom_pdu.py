# SPDX-License-Identifier: GPL-3.0-or-later
"""What we have pynetdicom and pydicom write and read: that it is what we mean."""

from __future__ import annotations

from io import BytesIO

import pytest
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.net.pdu import (
    C_ECHO_RQ,
    C_STORE_RQ,
    MALFORMED,
    NO_DATA_SET,
    VERIFICATION,
    WITH_DATA_SET,
    Proposal,
    associate_request,
    command_set,
    read_acceptance,
    status_of_response,
    verification_proposal,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian, JPEG2000Lossless
from pynetdicom.dsutils import decode
from pynetdicom.pdu import A_ASSOCIATE_AC, A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import (
    A_ASSOCIATE,
    ImplementationClassUIDNotification,
    ImplementationVersionNameNotification,
    MaximumLengthNotification,
)
from pynetdicom.presentation import build_context
from pynetdicom.sop_class import CTImageStorage, MRImageStorage

from support.peers import peer_at

RESPONSE = {
    "AffectedSOPClassUID": VERIFICATION,
    "CommandField": 0x8030,
    "MessageIDBeingRespondedTo": 3,
    "CommandDataSetType": NO_DATA_SET,
}
SYNTAXES = (ImplicitVRLittleEndian, ExplicitVRLittleEndian, JPEG2000Lossless)
PROPOSALS = [verification_proposal(), Proposal(CTImageStorage, SYNTAXES), Proposal(MRImageStorage, SYNTAXES[:1])]


def an_acceptance(results: list[tuple[int, str]], maximum: int = 16384, version: str | None = "VERSION_1") -> bytes:
    """Return an A-ASSOCIATE-AC by pynetdicom with these results and transfer syntaxes."""
    length, implementation = MaximumLengthNotification(), ImplementationClassUIDNotification()
    length.maximum_length_received = maximum
    implementation.implementation_class_uid = UID("1.2.3.4")
    answer = A_ASSOCIATE()
    answer.application_context_name = "1.2.840.10008.3.1.1.1"
    answer.calling_ae_title, answer.called_ae_title = "ORTHWEB", "ORTHANC"
    answer.result, answer.result_source = 0, 1
    contexts = []
    for position, (result, syntax) in enumerate(results):
        context = build_context(PROPOSALS[position].sop_class_uid, [syntax])
        context.context_id, context.result = 2 * position + 1, result
        contexts.append(context)
    answer.presentation_context_definition_results_list = contexts
    answer.user_information = [length, implementation]
    if version:
        name = ImplementationVersionNameNotification()
        name.implementation_version_name = version
        answer.user_information.append(name)
    return A_ASSOCIATE_AC(answer).encode()


def test_the_association_request_asks_for_what_was_proposed():
    request = associate_request(peer_at(104, calling_aet="CT 1", called_aet="A" * 16, maximum_pdu=4096), PROPOSALS)
    decoded = A_ASSOCIATE_RQ()
    decoded.decode(request)
    asked = decoded.to_primitive()
    assert (asked.calling_ae_title, asked.called_ae_title) == ("CT 1", "A" * 16)
    contexts = asked.presentation_context_definition_list
    assert [context.context_id for context in contexts] == [1, 3, 5]
    assert [context.abstract_syntax for context in contexts] == [each.sop_class_uid for each in PROPOSALS]
    assert [tuple(context.transfer_syntax) for context in contexts] == [each.transfer_syntax_uids for each in PROPOSALS]
    assert asked.maximum_length_received == 4096


@pytest.mark.parametrize(
    "elements",
    [
        {
            "AffectedSOPClassUID": VERIFICATION,
            "CommandField": C_ECHO_RQ,
            "MessageID": 65535,
            "CommandDataSetType": NO_DATA_SET,
        },
        {
            "AffectedSOPClassUID": CTImageStorage,
            "CommandField": C_STORE_RQ,
            "MessageID": 7,
            "Priority": 0,
            "CommandDataSetType": WITH_DATA_SET,
            "AffectedSOPInstanceUID": "1.2.3.45",
        },
    ],
)
def test_a_command_set_is_headed_by_its_length(elements):
    encoded = command_set(elements)
    decoded = decode(BytesIO(encoded), True, True)
    assert {element.keyword: element.value for element in decoded} == {
        "CommandGroupLength": len(encoded) - 12,
        **elements,
    }


@pytest.mark.parametrize("status", [0x0000, 0x0122, 0xFFFF])
def test_the_status_of_a_response_to_our_request(status):
    encoded = command_set({**RESPONSE, "Status": status, "ErrorComment": "of no matter"})
    assert status_of_response(encoded, {"CommandField": C_ECHO_RQ, "MessageID": 3}) == status
    with pytest.raises(MALFORMED):
        status_of_response(encoded, {"CommandField": C_ECHO_RQ, "MessageID": 4})
    with pytest.raises(MALFORMED):
        status_of_response(encoded, {"CommandField": C_STORE_RQ, "MessageID": 3})


def test_a_response_without_a_status_is_malformed():
    with pytest.raises(MALFORMED):
        status_of_response(command_set(RESPONSE), {"CommandField": C_ECHO_RQ, "MessageID": 3})


def test_a_status_of_one_byte_is_malformed():
    status = bytes.fromhex("000000090100000000")
    with pytest.raises(MALFORMED):
        status_of_response(command_set(RESPONSE) + status, {"CommandField": C_ECHO_RQ, "MessageID": 3})


@settings(deadline=None)
@given(
    results=st.tuples(
        *(st.tuples(st.integers(0, 4), st.sampled_from(each.transfer_syntax_uids)) for each in PROPOSALS)
    ),
    maximum=st.one_of(st.just(0), st.integers(7, 0xFFFFFFFF)),
    version=st.sampled_from([None, "X", "A" * 16]),
)
def test_what_was_accepted_and_what_was_refused(results, maximum, version):
    acceptance = read_acceptance(an_acceptance([*results], maximum, version), PROPOSALS)
    asked = [*zip(PROPOSALS, results, (1, 3, 5), strict=True)]
    assert acceptance.accepted == {
        (proposal.sop_class_uid, syntax): context_id for proposal, (result, syntax), context_id in asked if result == 0
    }
    assert [each.proposal for each in acceptance.refused] == [
        proposal for proposal, (result, _syntax), _id in asked if result
    ]
    assert acceptance.information.maximum_pdu == maximum
    assert acceptance.information.implementation_class_uid == "1.2.3.4"
    assert acceptance.information.implementation_version_name == (version or "")


def test_a_context_without_an_answer_is_refused():
    acceptance = read_acceptance(an_acceptance([(0, ImplicitVRLittleEndian)]), PROPOSALS[:2])
    assert acceptance.accepted == {(VERIFICATION, ImplicitVRLittleEndian): 1}
    assert [each.proposal for each in acceptance.refused] == [PROPOSALS[1]]


@pytest.mark.parametrize(
    ("results", "maximum"),
    [
        ([(0, JPEG2000Lossless)], 16384),  # not proposed for verification
        ([(0, ImplicitVRLittleEndian)], 6),  # too short to hold a byte
    ],
)
def test_an_acceptance_of_what_was_not_asked_is_malformed(results, maximum):
    with pytest.raises(MALFORMED):
        read_acceptance(an_acceptance(results, maximum), PROPOSALS[:1])
