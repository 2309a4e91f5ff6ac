#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: aws_generated_secrets
short_description: Generate passwords once and store them in AWS Secrets Manager only
version_added: 0.1.0
description:
  - Creates each secret that does not exist, with a generated password, and returns all of them.
  - An existing password is only changed with O(renew).
  - A secret that is scheduled for deletion is restored with the password it had.
  - The result contains the passwords, so the task needs C(no_log=true).
author:
  - The OrthWeb authors (@cellcs)
options:
  secrets:
    description: The secrets. Each is stored as JSON with the keys C(username) and C(password).
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the secret.
        type: str
        required: true
      username:
        description: User that the password is for. Changed in the secret if it differs.
        type: str
        required: true
  kms_key_id:
    description: ID or ARN of the KMS key that encrypts them; the account's own key for Secrets Manager if not given.
    type: str
  tags:
    description: Tags for each secret. Other tags are not changed.
    type: dict
    default: {}
  renew:
    description:
      - Generates a new password for each secret that exists.
      - Secrets Manager keeps the former one as the version AWSPREVIOUS.
    type: bool
    default: false
  password_length:
    description: Number of letters and digits in a generated password.
    type: int
    default: 32
requirements:
  - python >= 3.11
  - boto3 >= 1.34
attributes:
  check_mode:
    description: Reports what would be created; the password of a secret that does not exist yet is then null.
    support: full
  diff_mode:
    description: Passwords are not shown in a diff.
    support: none
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Have passwords for the database
  cellcs.orthweb.aws_generated_secrets:
    secrets:
      - name: orthweb/database-master
        username: orthweb_admin
      - name: orthweb/database-orthanc
        username: orthanc
    tags:
      orthweb:stack: orthweb
  register: passwords
  no_log: true
"""

RETURN = r"""
secrets:
  description: The content of each secret, by name.
  returned: success
  type: dict
  contains:
    username:
      description: User that the password is for.
      type: str
    password:
      description: The password. In check mode it is the present one, and null for a secret that does not exist yet.
      type: str
    arn:
      description: ARN of the secret; null in check mode if it does not exist yet.
      type: str
    action:
      description: What was done, of C(keep), C(make), C(renew), C(restore), C(update).
      type: str
"""

import time
from typing import Any

try:  # noqa: SIM105
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    pass  # AnsibleAWSModule says so

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.amazon.aws.plugins.module_utils.retries import AWSRetry
from ansible_collections.amazon.aws.plugins.module_utils.tagging import ansible_dict_to_boto3_tag_list
from ansible_collections.cellcs.orthweb.plugins.module_utils.aws.generated_secret import (
    generated,
    read,
    update_of,
    written,
)

NAME_FREE_WITHIN_SECONDS = 120
PAUSE_SECONDS = 3


class Secrets:
    def __init__(self, module: AnsibleAWSModule) -> None:
        self.module = module
        self.client = module.client("secretsmanager", retry_decorator=AWSRetry.jittered_backoff())
        self.tags: dict[str, str] = {key: str(value) for key, value in module.params["tags"].items()}
        self.key: str | None = module.params["kms_key_id"]

    def found(self, name: str) -> dict[str, Any] | None:
        try:
            return self.client.describe_secret(aws_retry=True, SecretId=name)
        except self.client.exceptions.ResourceNotFoundException:
            return None

    def one(self, name: str, username: str) -> dict[str, Any]:
        there = self.found(name)
        if there is None:
            return self.make(name, username)
        answer = {"username": username, "password": None, "arn": there["ARN"], "action": "keep"}
        if there.get("DeletedDate"):
            answer["action"] = "restore"
            if self.module.check_mode:
                return answer  # what is in it can be read when it is back only
            self.client.restore_secret(aws_retry=True, SecretId=name)
        kept = read(self.client.get_secret_value(aws_retry=True, SecretId=name).get("SecretString", ""))
        answer["password"] = kept["password"]
        renewed = generated(self.module.params["password_length"]) if self.module.params["renew"] else None
        update = update_of(there, kept, username, self.key, self.tags, renewed)
        if update and answer["action"] == "keep":
            answer["action"] = "renew" if renewed else "update"
        if renewed and not self.module.check_mode:
            answer["password"] = renewed
        if not self.module.check_mode:
            if update.options:
                self.client.update_secret(aws_retry=True, SecretId=name, **update.options)
            if update.tags:
                tags = ansible_dict_to_boto3_tag_list(update.tags)
                self.client.tag_resource(aws_retry=True, SecretId=name, Tags=tags)
        return answer

    def created(self, **secret: Any) -> dict[str, Any]:
        """A secret that was deleted at once holds its name for a while, and cannot be found or restored any more."""
        until = time.monotonic() + NAME_FREE_WITHIN_SECONDS
        while True:
            try:
                return self.client.create_secret(aws_retry=True, **secret)
            except self.client.exceptions.InvalidRequestException as error:
                if "scheduled for deletion" not in str(error) or time.monotonic() > until:
                    raise
                time.sleep(PAUSE_SECONDS)

    def make(self, name: str, username: str) -> dict[str, Any]:
        if self.module.check_mode:
            return {"username": username, "password": None, "arn": None, "action": "make"}
        password = generated(self.module.params["password_length"])
        made = self.created(
            Name=name,
            SecretString=written(username, password),
            Tags=ansible_dict_to_boto3_tag_list(self.tags),
            **({"KmsKeyId": self.key} if self.key else {}),
        )
        return {"username": username, "password": password, "arn": made["ARN"], "action": "make"}


def main() -> None:
    secret = {"name": {"type": "str", "required": True}, "username": {"type": "str", "required": True}}
    module = AnsibleAWSModule(
        argument_spec={
            "secrets": {"type": "list", "elements": "dict", "required": True, "no_log": False, "options": secret},
            "kms_key_id": {"type": "str"},
            "tags": {"type": "dict", "default": {}},
            "renew": {"type": "bool", "default": False},
            "password_length": {"type": "int", "default": 32, "no_log": False},
        },
        supports_check_mode=True,
    )
    answer: dict[str, dict[str, Any]] = {}
    for wanted in module.params["secrets"]:
        name = wanted["name"]
        try:
            answer[name] = Secrets(module).one(name, wanted["username"])
        except (BotoCoreError, ClientError) as error:
            module.fail_json_aws(error, msg=f'Could not create or read the secret "{name}" in Secrets Manager')
        except ValueError:
            module.fail_json(
                msg=f'The secret "{name}" is not JSON with the keys username and password. It was changed by hand: '
                "restore these keys, or delete the secret to have a new password generated."
            )
    module.exit_json(changed=any(one["action"] != "keep" for one in answer.values()), secrets=answer)


if __name__ == "__main__":
    main()
