# SPDX-License-Identifier: GPL-3.0-or-later
"""What the archive is called from outside."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.names import host_name_problem


def server_name_problems(names: Sequence[object]) -> Iterator[str]:
    """Of the names and addresses that the certificate will carry."""
    for name in names:
        if problem := host_name_problem(str(name)):
            yield f"orthweb_server_name or orthweb_server_aliases: {problem}"
