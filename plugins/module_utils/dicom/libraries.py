# SPDX-License-Identifier: GPL-3.0-or-later
"""The libraries that all of this is built on: whether they are there, and how they are kept quiet.

A file that uses one guards its own import, so that a module loads no library but those it needs. The module asks here,
before anything is used.
"""

from __future__ import annotations

import importlib
import logging
import traceback
import warnings

from ansible.module_utils.basic import missing_required_lib


def library_problem(*needed: str) -> dict[str, str] | None:
    """Return what ``fail_json`` is to say if one of these libraries is missing, else ``None``."""
    try:
        for library in needed:
            importlib.import_module(library.replace("-", "_"))
    except ImportError:
        *others, last = needed
        named = f"{', '.join(others)} and {last}" if others else last
        return {"msg": missing_required_lib(named), "exception": traceback.format_exc()}
    return None


def silence_libraries() -> None:
    """Stop the libraries from telling standard error about odd values. For a process of our own only."""
    warnings.simplefilter("ignore")
    for name in ("pydicom", "pynetdicom", "dicomweb_client"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
