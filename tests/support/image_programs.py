# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs of images, as modules."""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType

import pytest

from .checkout import ROOT


def loaded(image: str, *names: str) -> tuple[ModuleType, ...]:
    """The modules of an image, those first that others import."""
    return tuple(_loaded(image, name) for name in names)


def _loaded(image: str, name: str) -> ModuleType:
    specification = importlib.util.spec_from_file_location(name, ROOT / "files" / "images" / image / f"{name}.py")
    assert specification and specification.loader
    module = importlib.util.module_from_spec(specification)
    sys.modules[name] = module  # where dataclasses and the other ones look
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sys, "dont_write_bytecode", True)  # the folder is an image's definition
        specification.loader.exec_module(module)
    return module
