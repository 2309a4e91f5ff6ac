# SPDX-License-Identifier: GPL-3.0-or-later
"""What waits to be sent, divided by the presentation contexts that it needs (PS3.8 §9.3.2.2)."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice

from ..net.pdu import Proposal
from .files import Instance

# Presentation context IDs are the odd numbers of one byte.
CONTEXTS_AN_ASSOCIATION = 128


@dataclass
class Group:
    """Instances (their positions) that fit into the presentation contexts of one association."""

    proposals: list[Proposal]
    waiting: deque[int] = field(default_factory=deque)

    def defer(self, positions: set[int]) -> None:
        """Have those of ``positions`` that wait here wait behind all others."""
        late = [position for position in self.waiting if position in positions]
        if late:
            self.waiting = deque([position for position in self.waiting if position not in positions] + late)


def proposal_for(instance: Instance) -> Proposal:
    """Return the presentation context that an instance needs."""
    return Proposal(instance.sop_class_uid, (instance.transfer_syntax_uid,))


def proposals_for(instances: Iterable[Instance]) -> list[Proposal]:
    """Return one presentation context for each pair of SOP class and transfer syntax, in order of first need.

    One context may name several transfer syntaxes, but the peer takes only one of them (PS3.8 §9.3.3.2), which would
    leave the files in the others behind.
    """
    return list(dict.fromkeys(proposal_for(instance) for instance in instances))


def grouped(instances: Sequence[Instance], positions: Sequence[int]) -> list[Group]:
    """Divide what is to be sent into groups, none of which needs above 128 presentation contexts."""
    proposals = iter(proposals_for(instances[position] for position in positions))
    groups = []
    while some := list(islice(proposals, CONTEXTS_AN_ASSOCIATION)):
        groups.append(Group(some))
    group_of = {proposal: group for group in groups for proposal in group.proposals}
    for position in positions:
        group_of[proposal_for(instances[position])].waiting.append(position)
    return groups
