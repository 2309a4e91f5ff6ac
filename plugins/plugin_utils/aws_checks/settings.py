# SPDX-License-Identifier: GPL-3.0-or-later
"""The stack's name, how many hosts it has, and how they are reached."""

from __future__ import annotations

import re
from collections.abc import Iterator

STACK = re.compile("(?=.{1,31}$)[a-z](-?[a-z0-9])*")
INSTANCE_COUNT = re.compile("[1-9][0-9]?")
CONNECT_BY = ("public", "private", "systems_manager")


def stack_name_problems(stack: object) -> Iterator[str]:
    """The stack's name is part of those of most of its resources; RDS is the strictest about hyphens."""
    if not STACK.fullmatch(str(stack)):
        yield (f'orthweb_stack is "{stack}": use 1 to 31 small letters, digits and single hyphens, a letter first.')


def connect_by_problems(connect_by: object) -> Iterator[str]:
    if connect_by not in CONNECT_BY:
        yield f'orthweb_connect_by is "{connect_by}": choose public, private or systems_manager.'


def instance_count_problems(count: object) -> Iterator[str]:
    if not INSTANCE_COUNT.fullmatch(str(count)):
        yield f"orthweb_instance_count is {count}: a number from 1 to 99."
