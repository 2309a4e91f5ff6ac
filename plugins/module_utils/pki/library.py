# SPDX-License-Identifier: GPL-3.0-or-later
"""The library that all of this is built on: whether it is there, and new enough."""

from __future__ import annotations

import traceback

from ansible.module_utils.basic import missing_required_lib

try:
    import cryptography

    IMPORT_ERROR: str | None = None
except ImportError:
    IMPORT_ERROR = traceback.format_exc()

NEEDED = "cryptography >= 38"


def library_problem() -> dict[str, str] | None:
    """What ``fail_json`` is to say; ``None`` where all is well."""
    if IMPORT_ERROR:
        return {"msg": missing_required_lib(NEEDED), "exception": IMPORT_ERROR}
    if int(cryptography.__version__.partition(".")[0]) < 38:
        return {"msg": f"cryptography {cryptography.__version__} is too old. {missing_required_lib(NEEDED)}"}
    return None
