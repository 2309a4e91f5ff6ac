# SPDX-License-Identifier: GPL-3.0-or-later
"""The stack's name, how many hosts it has, and the permissions boundary of its roles."""

from __future__ import annotations

import re
from collections.abc import Iterator

STACK = re.compile("(?=.{1,31}$)[a-z](-?[a-z0-9])*")
INSTANCE_COUNT = re.compile("[1-9][0-9]?")
BOUNDARY = re.compile(r"arn:aws[a-z-]*:iam::([0-9]{12}|aws):policy/[A-Za-z0-9+=,.@_/-]+")


def stack_name_problems(stack: object) -> Iterator[str]:
    """The stack's name is part of those of most of its resources; RDS is the strictest about hyphens."""
    if not STACK.fullmatch(str(stack)):
        yield (
            f'orthweb_stack is "{stack}": use 1 to 31 lowercase letters, digits and single hyphens, '
            "beginning with a letter."
        )


def instance_count_problems(count: object) -> Iterator[str]:
    if not INSTANCE_COUNT.fullmatch(str(count)):
        yield f"orthweb_instance_count is {count}: use a number from 1 to 99."


def boundary_problems(arn: object) -> Iterator[str]:
    if arn and not BOUNDARY.fullmatch(str(arn)):
        yield (
            f'orthweb_permissions_boundary is "{arn}": use the ARN of an IAM policy '
            "(arn:aws:iam::<account>:policy/<name>), or leave it empty."
        )
