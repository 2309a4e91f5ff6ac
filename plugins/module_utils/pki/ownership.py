# SPDX-License-Identifier: GPL-3.0-or-later
"""Who owns the files of a PKI, and who else may open them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

CA_KEY_MODE = 0o600  # whatever is declared: nothing but this module needs it
PUBLIC_MODE = 0o644


@dataclass(frozen=True, slots=True, kw_only=True)
class Ownership:
    """``user_id`` and ``group_id`` are -1 where they are left as they come, as for :func:`os.chown`."""

    user_id: int = -1
    group_id: int = -1
    private_mode: int = 0o600
    folder_mode: int = 0o700

    @property
    def ids(self) -> tuple[int, int]:
        return self.user_id, self.group_id


@dataclass(frozen=True, slots=True)
class AttributeChange:
    """A file or folder whose owner, group or mode is not as declared."""

    path: Path
    mode: int
    before: str
    after: str
