# SPDX-License-Identifier: GPL-3.0-or-later
"""The one way in which moto is corrected."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any


def replaces(owner: type, name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Puts the decorated function in the place of a method. It is called with the original method first.

    moto calls by keyword in many places, so the names of the parameters must be moto's own.
    """
    original = getattr(owner, name)

    def put(function: Callable[..., Any]) -> Callable[..., Any]:
        named = [p.name for p in inspect.signature(function).parameters.values() if p.kind is p.POSITIONAL_OR_KEYWORD]
        unknown = set(named[2:]) - set(inspect.signature(original).parameters)
        if unknown:
            raise TypeError(f"{owner.__name__}.{name} of this moto has no parameter {', '.join(sorted(unknown))}")

        @functools.wraps(original)
        def method(*args: Any, **kwargs: Any) -> Any:
            return function(original, *args, **kwargs)

        setattr(owner, name, method)
        return function

    return put
