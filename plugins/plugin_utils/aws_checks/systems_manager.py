# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the hosts can be reached by Systems Manager, which also closes port 22."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

SYSTEMS_MANAGER = "systems_manager"
# What SSH calls on the controller, and where it comes from.
PROGRAMS = {
    "aws": "https://docs.aws.amazon.com/cli/latest/userguide/getting-started-install.html",
    "session-manager-plugin": "https://docs.aws.amazon.com/systems-manager/latest/userguide/"
    "session-manager-working-with-install-plugin.html",
}
AGENT_POLICY = "AmazonSSMManagedInstanceCore"


def program_problems(connect_by: object) -> Iterator[str]:
    """Of this machine, the controller."""
    for program, source in PROGRAMS.items() if connect_by == SYSTEMS_MANAGER else ():
        if not shutil.which(program):
            yield (
                f"orthweb_connect_by is {SYSTEMS_MANAGER}, and {program} is not on this controller: no host could be "
                f"reached. Install it ({source}), or set orthweb_connect_by: public."
            )


def agent_problems(
    connect_by: object, instances: Sequence[Mapping[str, Any]], roles: Sequence[Mapping[str, Any]], role: str
) -> Iterator[str]:
    """Of hosts from before it was chosen: their agent is installed when they first boot.

    :param instances: those of the stack, as aws_stack_info describes them
    :param roles: the same
    :param role: name of the hosts' role, which is allowed what the agent needs if they were made with one
    """
    ours = [each for each in roles if each["name"] == role]
    attached = [arn.rpartition("/")[2] for each in ours for arn in each.get("managed_policies", [])]
    if connect_by == SYSTEMS_MANAGER and instances and AGENT_POLICY not in attached:
        names = ", ".join(sorted(each["name"] for each in instances))
        yield (
            f"orthweb_connect_by is {SYSTEMS_MANAGER}, and {names} has no agent of it, as it was made without: nobody "
            f"could log in any more. Install amazon-ssm-agent there and attach the policy {AGENT_POLICY} to the role "
            f"{role} (docs/aws.md), or set orthweb_connect_by: public."
        )
