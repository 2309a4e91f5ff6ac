# SPDX-License-Identifier: GPL-3.0-or-later
"""The standard's numbers in words, and the first few of many things."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")

NAMED = 3  # of many things that are wrong, a sentence names this many

# A-ASSOCIATE-RJ, PS3.8 §9.3.4
_RESULT = {1: "rejected permanently", 2: "rejected for now"}
_SOURCE = {
    1: "the application (DICOM UL service-user)",
    2: "the upper layer (DICOM UL service-provider, ACSE)",
    3: "the upper layer (DICOM UL service-provider, presentation)",
}
_REASON = {
    (1, 1): "no reason given",
    (1, 2): "application context name not supported",
    (1, 3): "calling AE title not recognized",
    (1, 7): "called AE title not recognized",
    (2, 1): "no reason given",
    (2, 2): "protocol version not supported",
    (3, 1): "temporary congestion",
    (3, 2): "local limit exceeded",
}
_REMEDY = {
    (1, 3): "Add our calling AE title to the peer, or use one that it knows.",
    (1, 7): "Call the peer by the AE title that it has.",
    (3, 1): "Try again later.",
    (3, 2): "The peer has as many associations as it allows: try again later, or raise its limit.",
}

# A-ABORT, PS3.8 §9.3.8
_ABORT_SOURCE = {0: "the application (service-user)", 2: "the upper layer (service-provider)"}
_ABORT_REASON = {
    0: "no reason given",
    1: "unrecognized PDU",
    2: "unexpected PDU",
    4: "unrecognized PDU parameter",
    5: "unexpected PDU parameter",
    6: "invalid PDU parameter value",
}

# A-ASSOCIATE-AC, PS3.8 §9.3.3.2
_CONTEXT_RESULT = {
    0: "accepted",
    1: "rejected by the application",
    2: "rejected without a reason",
    3: "SOP class (abstract syntax) not supported",
    4: "transfer syntax not supported",
}

# PS3.7 Annex C, and PS3.4 §B.2.3 for storage
_STATUS = {
    0x0000: "success",
    0x0107: "success, but some attributes were ignored (attribute list error)",
    0x0110: "processing failure",
    0x0111: "duplicate SOP instance",
    0x0112: "no such SOP instance",
    0x0115: "invalid argument value",
    0x0116: "success, but a value was out of range",
    0x0117: "invalid SOP instance UID",
    0x0118: "no such SOP class",
    0x0122: "SOP class not supported",
    0x0124: "not authorized",
    0x0210: "duplicate message ID",
    0x0211: "operation not recognized",
    0x0212: "mistyped argument",
    0x0213: "resource limitation",
    0xB000: "stored, but data elements were coerced",
    0xB006: "stored, but data elements were discarded",
    0xB007: "stored, but the data set does not match its SOP class",
    0xFE00: "cancelled",
}
_STATUS_RANGES = (
    (0xA700, 0xA7FF, "refused: out of resources"),
    (0xA900, 0xA9FF, "refused: the data set does not match its SOP class"),
    (0xB000, 0xBFFF, "accepted with a warning"),
    (0xC000, 0xCFFF, "refused: the peer cannot understand the data set"),
)


def rejection_in_words(result: int, source: int, reason: int) -> dict[str, str]:
    """Return ``result``, ``source`` and ``reason`` of an A-ASSOCIATE-RJ in words (PS3.8 §9.3.4)."""
    return {
        "result": _RESULT.get(result, f"reserved value {result}"),
        "source": _SOURCE.get(source, f"reserved value {source}"),
        "reason": _REASON.get((source, reason), f"reserved value {reason}"),
    }


def rejection_remedy(source: int, reason: int) -> str:
    """Say what to do about an A-ASSOCIATE-RJ."""
    return _REMEDY.get((source, reason), "Its log says why.")


def abort_in_words(source: int, reason: int) -> str:
    """Return the source and the reason of an A-ABORT in words (PS3.8 §9.3.8). Only a provider gives reasons."""
    who = _ABORT_SOURCE.get(source, f"reserved source {source}")
    return f"{who}: {_ABORT_REASON.get(reason, f'reserved reason {reason}')}" if source == 2 else who


def context_result_in_words(result: int) -> str:
    """Return the result of a presentation context in words (PS3.8 §9.3.3.2)."""
    return _CONTEXT_RESULT.get(result, f"reserved result {result}")


def status_in_words(status: int) -> str:
    """Return a DIMSE status in words (PS3.7 Annex C, PS3.4 §B.2.3), the number not included."""
    if status in _STATUS:
        return _STATUS[status]
    for first, last, words in _STATUS_RANGES:
        if first <= status <= last:
            return words
    return "status unknown to the standard"


def status_accepts(status: int) -> bool:
    """Say whether a DIMSE status is success or a warning, so that the peer has done what it was asked to."""
    return status in (0x0000, 0x0001, 0x0107, 0x0116) or 0xB000 <= status <= 0xBFFF


def first_few(things: Sequence[T], say: Callable[[T], str] = str) -> str:
    """Name the first few of ``things``, as ``say`` says each, and how many more there are."""
    more = len(things) - NAMED
    return "; ".join(say(each) for each in things[:NAMED]) + (f"; and {more} more" if more > 0 else "")
