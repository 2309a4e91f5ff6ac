# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs of images, as modules."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType

import pytest

from .checkout import ROOT


def loaded(image: str, *names: str) -> tuple[ModuleType, ...]:
    """Modules of an image, which import each other as they do there, and are none of those that another call gave."""
    folder = ROOT / "files" / "images" / image
    for path in folder.glob("*.py"):
        sys.modules.pop(path.stem, None)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sys, "dont_write_bytecode", True)  # the folder is an image's definition
        patched.syspath_prepend(str(folder))
        return tuple(importlib.import_module(name) for name in names)
