# SPDX-License-Identifier: GPL-3.0-or-later
"""The stack's name, its number of hosts, how long logs are kept, who gets alarms, the boundary of its roles."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

STACK = re.compile("(?=.{1,31}$)[a-z](-?[a-z0-9])*")
# Refused by EC2 for security groups, by ELB for load balancers, and by RDS for subnet groups.
RESERVED = re.compile("sg-|internal-|default$")
# Days that amazon.aws.cloudwatchlogs_log_group knows, fewer than CloudWatch Logs. For any other, it deletes the group.
LOG_DAYS = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1827, 3653)
INSTANCE_COUNT = re.compile("[1-9][0-9]?")
# As SNS takes one.
MAIL = re.compile(r"[^@\s,;<>]+@[^@\s,;<>]+\.[^@\s.,;<>]+")
# Of a role's name, says IAM.
ROLE_NAME_LENGTH = 64
BOUNDARY = re.compile(r"arn:aws[a-z-]*:iam::([0-9]{12}|aws):policy/[A-Za-z0-9+=,.@_/-]+")


def stack_name_problems(stack: object) -> Iterator[str]:
    """The stack's name is part of those of most of its resources; RDS is the strictest about hyphens."""
    if not STACK.fullmatch(str(stack)):
        yield (
            f'orthweb_stack is "{stack}": use 1 to 31 lowercase letters, digits and single hyphens, '
            "beginning with a letter."
        )
    elif RESERVED.match(str(stack)):
        yield (
            f'orthweb_stack is "{stack}": AWS reserves "default" and names that begin with "sg-" or "internal-". '
            "Choose another."
        )


def role_name_problems(names: Sequence[str]) -> Iterator[str]:
    """Of the names of roles, which have the region in them."""
    for name in names:
        if len(name) > ROLE_NAME_LENGTH:
            yield (
                f"orthweb_stack is too long for this region: the role {name} would have {len(name)} letters, and IAM "
                f"takes {ROLE_NAME_LENGTH}. Use a name that is {len(name) - ROLE_NAME_LENGTH} shorter."
            )


def log_days_problems(days: Mapping[str, object]) -> Iterator[str]:
    """Of the days for which log groups are kept.

    :param days: by the variable that has them; 0 for no log group
    """
    for variable, given in days.items():
        if str(given) not in map(str, (0, *LOG_DAYS)):
            yield (
                f"{variable} is {given}: CloudWatch Logs keeps logs for {', '.join(map(str, LOG_DAYS[:-1]))} or "
                f"{LOG_DAYS[-1]} days."
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


def alarm_address_problems(addresses: object) -> Iterator[str]:
    """Of the addresses; that they are a list is checked elsewhere."""
    given = [str(each) for each in addresses] if isinstance(addresses, (list, tuple)) else []
    for address in given:
        if not MAIL.fullmatch(address):
            yield f'orthweb_alarm_addresses has "{address}": use mail addresses, such as it@clinic.example.'
    for address in sorted({each for each in given if given.count(each) > 1}):
        yield f"orthweb_alarm_addresses has {address} more than once: remove one."
