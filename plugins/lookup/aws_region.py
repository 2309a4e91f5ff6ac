# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The AWS region that the modules of amazon.aws would take."""

from __future__ import annotations

DOCUMENTATION = r"""
name: aws_region
author:
  - The OrthWeb authors (@cellcs)
version_added: 0.1.0
short_description: The AWS region from the usual places
description:
  - Reads the region where the AWS tools and the modules of C(amazon.aws) do, in this order. The environment variables
    E(AWS_REGION) and E(AWS_DEFAULT_REGION), then the profile that E(AWS_PROFILE) names, or the default one.
  - Sends no request. The environment of the controller is used, not the C(environment) of a task.
options:
  _terms:
    description: None.
requirements:
  - botocore
"""

EXAMPLES = r"""
- name: Say where it goes
  ansible.builtin.debug:
    msg: "{{ lookup('cellcs.orthweb.aws_region') }}"
"""

RETURN = r"""
_raw:
  description: The region's name, such as V(eu-central-1).
  type: list
  elements: str
"""

import os
from typing import Any

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase

try:
    import botocore.exceptions
    import botocore.session
except ImportError:
    botocore = None

NO_REGION = (
    "No AWS region is set. Set it in one of three ways: the environment (export AWS_REGION=eu-central-1, or "
    "AWS_DEFAULT_REGION), the default profile (aws configure set region eu-central-1), or another profile that has one "
    "(export AWS_PROFILE=name)."
)


class LookupModule(LookupBase):
    def run(self, terms: list[Any], variables: dict[str, Any] | None = None, **options: Any) -> list[str]:
        if terms or options:
            raise AnsibleLookupError("aws_region takes no terms and no options.")
        region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or self._of_profile()
        if not region:
            raise AnsibleLookupError(NO_REGION)
        return [region]

    @staticmethod
    def _of_profile() -> str | None:
        if botocore is None:
            raise AnsibleLookupError(
                "The AWS region is not in the environment (AWS_REGION), and to read AWS profiles the Python package "
                "botocore is needed on the controller: pip install boto3."
            )
        profile = os.environ.get("AWS_PROFILE") or os.environ.get("AWS_DEFAULT_PROFILE")
        try:
            return botocore.session.Session(profile=profile).get_config_variable("region")
        except botocore.exceptions.BotoCoreError as error:
            raise AnsibleLookupError("The AWS region cannot be read from the profile.") from error
