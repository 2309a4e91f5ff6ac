# SPDX-License-Identifier: GPL-3.0-or-later
"""Many peers in one go: declared as a list, checked side by side, told in one sentence."""

from __future__ import annotations

import resource
import ssl
import traceback
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from ..failure import DicomError
from ..net.tls import TlsContexts, tls_problems
from ..peer import Peer, entry_options, peer_from_options, peer_problems
from ..words import NAMED
from .probe import Report, check

LARGEST_PARALLEL = 256

# Two connections at most, and what the resolver opens.
FILES_A_CHECK = 4


@dataclass(frozen=True)
class Reports:
    """What came out for each of several peers, in the order in which they were declared."""

    reports: tuple[Report, ...]

    @property
    def failed(self) -> tuple[Report, ...]:
        """Return the reports of the peers that are not alive."""
        return tuple(report for report in self.reports if not report.alive)

    @property
    def alive(self) -> tuple[Report, ...]:
        """Return the reports of the peers that are alive."""
        return tuple(report for report in self.reports if report.alive)

    @property
    def sentence(self) -> str:
        """Tell a person what came out: how many, the first few failures in full, and the names of the rest."""
        count, failed = len(self.reports), self.failed
        if not failed:
            return f"{count} of {count} peers are alive."
        told = [f"{len(failed)} of {count} peers are not alive.", *(each.sentence for each in failed[:NAMED])]
        rest = Counter(str(each.failure.failure) for each in failed[NAMED:] if each.failure)
        if rest:
            names = ", ".join(f"{name} ({times})" for name, times in rest.most_common())
            told.append(f"And {rest.total()} more: {names}.")
        return " ".join(told)

    def to_result(self) -> dict[str, Any]:
        """Return the reports as a module's result."""
        return {
            "msg": self.sentence,
            "alive": not self.failed,
            "alive_count": len(self.alive),
            "failed_count": len(self.failed),
            "peers": [report.to_result() for report in self.reports],
        }


def declared_peers(
    entries: Sequence[Mapping[str, Any]], defaults: Mapping[str, Any], contexts: TlsContexts
) -> tuple[list[Peer], list[str]]:
    """Return the peers that ``entries`` declare, and all that is wrong with any of them.

    A problem is told with the index and the host of its entry, and once for all entries if all of them have it. The
    TLS contexts of entries without one are in ``contexts`` afterwards.
    """
    if not entries:
        return [], ["peers: is empty"]
    peers: list[Peer] = []
    where: dict[str, list[str]] = {}
    for index, entry in enumerate(entries):
        options = entry_options(entry, defaults)
        peer = peer_from_options(options)
        peers.append(peer)
        label = f"peers[{index}]" + (f" ({peer.host})" if peer.host else "")
        for problem in peer_problems(options) + tls_problems(peer.tls, contexts):
            where.setdefault(problem, []).append(label)
    problems: list[str] = []
    for problem, labels in where.items():
        every = len(labels) == len(entries) > 1
        problems += [f"each of peers: {problem}"] if every else [f"{label}: {problem}" for label in labels]
    return peers, problems


def check_all(peers: Sequence[Peer], count: int, parallel: int, contexts: TlsContexts) -> Reports:
    """Check ``peers`` side by side, at most ``parallel`` at a time, each as ``check`` does.

    ``contexts`` are those that ``tls_problems`` has found nothing wrong with. What goes wrong in the check of one peer
    is in its report, and costs no other its own.
    """
    # Here, one after the other: those that are not made yet are made once.
    made = [contexts.context(peer.tls) if peer.tls else None for peer in peers]
    with ThreadPoolExecutor(max_workers=min(parallel, len(peers), _most_by_open_files())) as pool:
        return Reports(tuple(pool.map(_check_safely, peers, [count] * len(peers), made)))


def _most_by_open_files() -> int:
    """Return how many checks at a time the limit of open files allows: 256 with the usual 1024."""
    limit, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return LARGEST_PARALLEL if limit == resource.RLIM_INFINITY else max(limit // FILES_A_CHECK, 1)


def _check_safely(peer: Peer, count: int, context: ssl.SSLContext | None) -> Report:
    try:
        return check(peer, count, context)
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        return Report(
            peer,
            failure=DicomError(
                "internal_error",
                f"The check of {peer} failed because of a bug in this module: {type(error).__name__}: {error} "
                f"({last.name}, line {last.lineno}). Nothing is known about the peer. Please report the bug.",
            ),
        )
