# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines of PostgreSQL's password file."""

from __future__ import annotations

import re
from collections.abc import Callable

from ansible.errors import AnsibleFilterError


def pgpass_line(password: str, host: str, port: int, database: str, user: str) -> str:
    """``host:port:database:user:password`` as libpq reads it, without a line end."""
    if "\n" in password:
        raise AnsibleFilterError("A password with a line break cannot be in a password file of PostgreSQL.")
    return ":".join(re.sub(r"([:\\])", r"\\\1", str(field)) for field in (host, port, database, user, password))


class FilterModule:
    def filters(self) -> dict[str, Callable[..., str]]:
        return {"pgpass_line": pgpass_line}
