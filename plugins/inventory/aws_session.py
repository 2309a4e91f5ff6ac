# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Says in one sentence that there are no AWS credentials, before an inventory says it in thirty lines."""

from __future__ import annotations

DOCUMENTATION = r"""
name: aws_session
author:
  - The OrthWeb authors (@cellcs)
version_added: 0.1.0
short_description: Check AWS credentials and region before other sources of the inventory
description:
  - Adds no hosts. Checks that there is a region, that there are credentials, and that AWS accepts them, which takes one
    call that everybody is allowed to make (C(sts:GetCallerIdentity)).
  - If not, the command ends here with one sentence and exit code 1. Ansible would report each attempt of each plugin to
    read C(aws_ec2.yml), or go on with an empty list of hosts.
  - Checks once in each command, and leaves it to the other sources if AWS cannot be reached.
  - Ansible reads the sources in a folder in alphabetical order, so the name of the file decides that it is the first.
options:
  plugin:
    description: Name of this plugin.
    type: str
    required: true
    choices: [cellcs.orthweb.aws_session]
requirements:
  - boto3
"""

EXAMPLES = r"""
# inventory/aws/aws_session.yml
plugin: cellcs.orthweb.aws_session
"""

from typing import Any

from ansible.errors import AnsibleLookupError
from ansible.plugins.inventory import BaseInventoryPlugin
from ansible.utils.display import Display
from ansible_collections.cellcs.orthweb.plugins.lookup.aws_region import LookupModule as Region
from ansible_collections.cellcs.orthweb.plugins.module_utils.aws.failure import UNREACHABLE, sentence

try:
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    boto3 = None

DOING = "Asking AWS who we are"
checked: list[bool] = []


class InventoryModule(BaseInventoryPlugin):  # type: ignore[misc]
    NAME = "cellcs.orthweb.aws_session"

    def verify_file(self, path: str) -> bool:
        return super().verify_file(path) and path.endswith((".yml", ".yaml"))

    def parse(self, inventory: Any, loader: Any, path: str, cache: bool = True) -> None:
        super().parse(inventory, loader, path, cache)
        self._read_config_data(path)
        problem = "" if checked else session_problem()
        checked.append(True)
        if problem:
            Display().error(problem, wrap_text=False)
            raise SystemExit(1)


def session_problem() -> str:
    """What is wrong with credentials and region, as a sentence; empty if nothing is, or if AWS does not answer."""
    try:
        region = Region().run([])[0]
    except AnsibleLookupError as error:
        return str(error)
    if boto3 is None:
        return f"{DOING} needs the Python package boto3 on the controller: run 'make venv', or pip install boto3."
    quick = Config(connect_timeout=5, read_timeout=10, retries={"total_max_attempts": 2})
    try:
        boto3.session.Session(region_name=region).client("sts", config=quick).get_caller_identity()
    except (BotoCoreError, ClientError) as error:
        return "" if isinstance(error, UNREACHABLE) else sentence("sts", error, DOING)
    return ""
