# SPDX-License-Identifier: GPL-3.0-or-later
"""Compile the code of Ansible's modules once, instead of once for each task that a test runs.

A module reaches Python as a ZIP archive of sources without bytecode, and half of its time is spent on compiling them.
Python imports this file when it starts (PYTHONPATH, in tests/conftest.py). What is compiled is kept by the digest of
its source, so that it cannot be out of date.
"""

from __future__ import annotations

import hashlib
import marshal
import os
import sys
import zipimport
from contextlib import suppress
from pathlib import Path
from types import CodeType

KEPT = Path(__file__).resolve().parents[3] / ".cache" / "module-bytecode" / str(sys.implementation.cache_tag)

compile_anew = zipimport._compile_source  # type: ignore[attr-defined]


def compile_once(path: str, source: bytes) -> CodeType:
    """As zipimport does; ``path`` is one in an archive, whose own name differs each time."""
    inside = path.partition(".zip/")[2]
    kept = KEPT / hashlib.sha256(inside.encode() + b"\0" + source).hexdigest()
    with suppress(OSError, ValueError, EOFError):
        return marshal.loads(kept.read_bytes())
    code: CodeType = compile_anew(path, source)
    with suppress(OSError):
        being_written = kept.with_suffix(f".{os.getpid()}")
        being_written.write_bytes(marshal.dumps(code))
        being_written.replace(kept)
    return code


with suppress(OSError):  # such as a read-only file system: then nothing is kept
    KEPT.mkdir(parents=True, exist_ok=True)
zipimport._compile_source = compile_once  # type: ignore[attr-defined]
