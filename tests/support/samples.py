# SPDX-License-Identifier: GPL-3.0-or-later
"""Sample images for the tests' peers, made once in a process: writing one takes longer than sending it."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.samples import new_study, samples


@cache
def _contents(kinds: tuple[str, ...], copies: int) -> dict[str, bytes]:
    made = samples(Path(), new_study(None, "ID", "DOE^JOHN"), kinds, copies)
    return {sample.path.name: sample.content for sample in made}


def write_samples(folder: Path, *kinds: str, copies: int = 1) -> Path:
    """Write ``copies`` CT instances and one of each other kind, always the same; return the folder."""
    for name, content in _contents(kinds, copies).items():
        (folder / name).write_bytes(content)
    return folder
