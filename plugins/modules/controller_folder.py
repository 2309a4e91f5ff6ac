#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: controller_folder
short_description: Pack what only the controller has of a stack, and bring it back
version_added: 0.2.0
description:
  - Packs the files of a folder into one text, or makes the folder from it.
  - What each deployment makes again is not packed (C(outputs.json), C(rds-ca.pem), C(portal-ca.crt)), nor are logs,
    locks, and the settings of the controller's own timer.
  - The same files always give the same text.
author:
  - The OrthWeb authors (@cellcs)
options:
  state:
    description:
      - V(packed) reads the folder.
      - V(present) makes it from O(packed). It fails if the folder has files that O(packed) has not, or has otherwise.
    type: str
    choices: [packed, present]
    default: packed
  path:
    description: The folder.
    type: path
    required: true
  packed:
    description: What RV(packed) was, for O(state=present).
    type: str
attributes:
  check_mode:
    description: Changes nothing.
    support: full
  diff_mode:
    description: No content of a file is shown.
    support: none
"""

EXAMPLES = r"""
- name: Pack the controller's folder
  cellcs.orthweb.controller_folder:
    path: ~/.orthweb/orthweb
  register: folder
  no_log: true

- name: Bring it back
  cellcs.orthweb.controller_folder:
    state: present
    path: ~/.orthweb/orthweb
    packed: "{{ folder.packed }}"
  no_log: true
"""

RETURN = r"""
packed:
  description: The files, compressed, in Base64. They are secrets; use C(no_log).
  returned: with O(state=packed)
  type: str
sha256:
  description: SHA-256 of the files; empty if there are none.
  returned: success
  type: str
files:
  description: Their names.
  returned: success
  type: list
  elements: str
  sample: [credentials.json, pki/ca.key]
"""

import base64
import binascii
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.cellcs.orthweb.plugins.module_utils.controller_state import archive, decisions, folder
from ansible_collections.cellcs.orthweb.plugins.module_utils.pki.errors import PkiError
from ansible_collections.cellcs.orthweb.plugins.module_utils.pki.layout import Layout
from ansible_collections.cellcs.orthweb.plugins.module_utils.pki.lock import locked
from ansible_collections.cellcs.orthweb.plugins.module_utils.pki.ownership import Ownership


class RefusedError(Exception):
    """The folder is not replaced; the text says why."""


def names(tree: archive.Tree) -> list[str]:
    return sorted(name for name, entry in tree.items() if entry.content is not None)


def pack(path: Path) -> dict[str, object]:
    tree = folder.read(path)
    packed = archive.pack(tree)
    [whole] = archive.split(packed, archive.LARGEST)
    text = base64.b64encode(whole).decode()
    return {"changed": False, "packed": text, "sha256": packed.sha256 if tree else "", "files": names(tree)}


def bring(path: Path, text: str, *, check: bool) -> dict[str, object]:
    """Raises :class:`RefusedError`, and ArchiveError for what :func:`pack` has not made."""
    try:
        header = archive.read_header(base64.b64decode(text, validate=True))
    except binascii.Error as error:
        raise archive.ArchiveError("it is not Base64") from error
    tree = archive.unpack(archive.join(header, []))
    there = folder.read(path)
    if lost := decisions.only_here(there, tree):
        raise RefusedError(
            f"{path} was not replaced: it has files that are not in the copy, or are different there: "
            f"{decisions.named(lost)}. Move the folder away first if the copy is the right one."
        )
    changed = bool(decisions.differences(there, tree))
    if changed and not check:
        folder.replace(path, tree)
    return {"changed": changed, "sha256": header.sha256, "files": names(tree)}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["packed", "present"], "default": "packed"},
            "path": {"type": "path", "required": True},
            "packed": {"type": "str", "no_log": True},
        },
        required_if=[("state", "present", ["packed"])],
        supports_check_mode=True,
    )
    path = Path(module.params["path"])
    try:
        with locked(Layout(path / "pki"), Ownership(), writing=False):
            if module.params["state"] == "packed":
                module.exit_json(**pack(path))
            module.exit_json(**bring(path, module.params["packed"], check=module.check_mode))
    except (RefusedError, folder.FolderError) as error:
        module.fail_json(msg=str(error))
    except archive.ArchiveError as error:
        module.fail_json(msg=f"The copy of {path} cannot be used, and nothing was changed: {error}.")
    except PkiError as error:
        module.fail_json(msg=f"Reading {path}: {error}")
    except OSError as error:
        module.fail_json(msg=f"Packing {path} or bringing it back: {error.filename or path}: {error.strerror}")


if __name__ == "__main__":
    main()
