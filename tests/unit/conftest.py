# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules are run in this process as Ansible runs them in one of their own."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from ansible.module_utils import _internal, basic
from ansible.module_utils.common import warnings


@pytest.fixture
def new_process(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """``new_process()`` forgets what tests before have left: options, warnings, deprecations, a controller's code.

    Where a controller's code was imported, warnings are printed instead of returned.
    """

    def forget() -> None:
        monkeypatch.setattr(basic, "_PARSED_MODULE_ARGS", None, raising=False)
        monkeypatch.setattr(warnings, "_global_warnings", {})
        monkeypatch.setattr(warnings, "_global_deprecations", {})
        monkeypatch.setattr(_internal, "is_controller", False)

    return forget
