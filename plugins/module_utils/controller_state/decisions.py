# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of two states is newer: that of the controller's folder, or that of the copy."""

from __future__ import annotations

from collections.abc import Sequence

from .archive import Entry, Tree

# Grows with each connection to a new host, on every controller, and can be made again.
NOBODYS = frozenset({"ssh/known_hosts"})
# Without one of these, nobody can deploy the stack again. No deployment removes them.
ESSENTIAL = ("credentials.json", "secrets.json", "ssh/id_ed25519")  # a root's key may be offline
NAMED = 5


def differences(one: Tree, other: Tree) -> list[str]:
    """Names of what is not the same in both, content and mode."""
    return sorted(name for name in {*one, *other} if one.get(name) != other.get(name))


def only_here(local: Tree, copy: Tree) -> list[str]:
    """Names of files that would be lost if the copy took the place of the local ones."""
    return sorted(
        name
        for name, entry in local.items()
        if entry.content is not None and name not in NOBODYS and entry.content != copy.get(name, _NONE).content
    )


def lost(local: Tree, copy: Tree) -> list[str]:
    """Names of what the copy has and no controller may lack."""
    return [name for name in ESSENTIAL if name in copy and name not in local]


def named(names: Sequence[str]) -> str:
    """The first of them, for a sentence."""
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")


_NONE = Entry(0, None)
