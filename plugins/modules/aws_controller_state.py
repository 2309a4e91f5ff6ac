#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: aws_controller_state
short_description: Keep a copy of what only the controller has in AWS Secrets Manager, and bring it back
version_added: 0.1.0
description:
  - Keeps the files of a folder in Secrets Manager, encrypted with a KMS key, as one state that is there whole or not
    at all.
  - What each deployment makes again is not copied (C(outputs.json), C(rds-ca.pem), C(portal-ca.crt)), nor are logs,
    locks, and the settings of the controller's own timer.
  - The folder notes in C(account-copy.json) which version of the copy it has last seen, in each region that it is used
    for. A folder is not copied over a version that it has not seen; the module fails instead.
  - No content of a file is in the result, in a diff or in a message; names of files are.
author:
  - The OrthWeb authors (@cellcs)
options:
  state:
    description:
      - V(present) brings the copy up to date with the folder. It fails if the copy is newer, and if there is a copy
        but no folder.
      - V(adopted) brings the folder up to date with the copy. It fails if there is no copy.
      - V(absent) deletes the copy at once, without a recovery window.
    type: str
    choices: [present, adopted, absent]
    default: present
  path:
    description: The folder. Required unless O(state=absent).
    type: path
  name:
    description:
      - Name of the secret. What does not fit into one is in further ones, whose names end with C(-2), C(-3) and so on.
    type: str
    required: true
  kms_key_id:
    description:
      - ID, ARN or alias of the KMS key that encrypts it; the account's own key for Secrets Manager if not
        given.
      - A copy under another key is encrypted anew, unless an alias is given.
    type: str
  tags:
    description:
      - Tags for each secret. Other tags are not changed.
      - With C(orthweb:stack) among them, a secret that has the name but not this tag is somebody else's, and the
        module fails.
    type: dict
    default: {}
  replace:
    description:
      - For O(state=adopted), whether the copy takes the place of a folder that has files which the copy does not have,
        or has otherwise.
      - The old folder is kept beside it, as C(PATH.before-TIME).
    type: bool
    default: false
requirements:
  - python >= 3.11
  - boto3 >= 1.34
attributes:
  check_mode:
    description: Also fails in check mode where the copy or the folder would be lost.
    support: full
  diff_mode:
    description: Shows the names of the files that differ, and not what is in them.
    support: full
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Keep a copy of the controller's folder
  cellcs.orthweb.aws_controller_state:
    path: ~/.orthweb/orthweb
    name: orthweb/controller
    kms_key_id: 0d990263-018e-4e65-a703-eff731de951e
    tags:
      orthweb:stack: orthweb

- name: Bring it to another controller
  cellcs.orthweb.aws_controller_state:
    state: adopted
    path: ~/.orthweb/orthweb
    name: orthweb/controller
"""

RETURN = r"""
action:
  description:
    - What was done with the copy or with the folder, of C(none), C(keep), C(make), C(update), C(adopt), C(remove).
  returned: success
  type: str
sha256:
  description: SHA-256 of the state; empty if there is none.
  returned: success
  type: str
files:
  description: Names of the files that were copied or brought back, or would be in check mode.
  returned: success
  type: list
  elements: str
  sample: [credentials.json, pki/ca.key]
kept_as:
  description: Where the old folder is; empty if it is not kept.
  returned: success
  type: str
before:
  description: What there was of the copy.
  returned: success
  type: dict
  contains:
    version:
      description: ID of its version; empty if there was none.
      type: str
"""

import contextlib
from pathlib import Path
from typing import Any

with contextlib.suppress(ImportError):  # AnsibleAWSModule says so.
    from botocore.exceptions import BotoCoreError, ClientError

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.amazon.aws.plugins.module_utils.retries import AWSRetry
from ansible_collections.cellcs.orthweb.plugins.module_utils.aws.controller_copy import AccountCopy, ConflictError
from ansible_collections.cellcs.orthweb.plugins.module_utils.aws.controller_sync import ADOPT, RefusedError, Sync
from ansible_collections.cellcs.orthweb.plugins.module_utils.aws.failure import sentence
from ansible_collections.cellcs.orthweb.plugins.module_utils.controller_state.folder import FolderError
from ansible_collections.cellcs.orthweb.plugins.module_utils.pki.errors import PkiError
from ansible_collections.cellcs.orthweb.plugins.module_utils.pki.layout import Layout
from ansible_collections.cellcs.orthweb.plugins.module_utils.pki.lock import locked
from ansible_collections.cellcs.orthweb.plugins.module_utils.pki.ownership import Ownership


class Retried:
    """A client whose every call is made with retries."""

    def __init__(self, client: Any) -> None:
        self.client = client

    def __getattr__(self, call: str) -> Any:
        return lambda **options: getattr(self.client, call)(aws_retry=True, **options)


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "state": {"type": "str", "choices": ["present", "adopted", "absent"], "default": "present"},
            "path": {"type": "path"},
            "name": {"type": "str", "required": True},
            "kms_key_id": {"type": "str"},
            "tags": {"type": "dict", "default": {}},
            "replace": {"type": "bool", "default": False},
        },
        required_if=[("state", "present", ["path"]), ("state", "adopted", ["path"])],
        supports_check_mode=True,
    )
    name, path = module.params["name"], module.params["path"]
    tags = {key: str(value) for key, value in module.params["tags"].items()}
    retried = AWSRetry.jittered_backoff(catch_extra_error_codes=["ThrottlingException"])
    client = module.client("secretsmanager", retry_decorator=retried)
    copy = AccountCopy(Retried(client), name, module.params["kms_key_id"], tags)
    how = {"region": client.meta.region_name, "check": module.check_mode, "replace": module.params["replace"]}
    sync = Sync(copy, Path(path or ""), **how)
    doing = f'Copying {path} to or from the secret "{name}"' if path else f'Deleting the secret "{name}"'
    try:
        with locked(Layout(sync.path / "pki"), Ownership(), writing=False):
            module.exit_json(**getattr(sync, module.params["state"])())
    except (RefusedError, FolderError) as error:
        module.fail_json(msg=str(error))
    except PkiError as error:
        module.fail_json(msg=f"{doing}: {error}")
    except ConflictError:
        module.fail_json(
            msg=f'{doing}: another controller has written it at the same time (secret "{name}"). The copy was not '
            f"changed. Run {ADOPT}, then this command again."
        )
    except (BotoCoreError, ClientError) as error:
        module.fail_json(msg=sentence("secretsmanager", error, doing))
    except OSError as error:
        module.fail_json(msg=f"{doing}: {error.filename or path}: {error.strerror}")


if __name__ == "__main__":
    main()
