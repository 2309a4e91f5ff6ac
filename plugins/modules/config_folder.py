#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: config_folder
short_description: Keeps the files that a container reads, as one declared thing
version_added: 0.1.0
description:
  - Makes a folder with the given files in it, each written whole or not at all and never readable by others meanwhile.
  - Files that are not declared stay as they are.
  - One call replaces a task for each file, which is what a run spends most of its time on.
author:
  - The OrthWeb authors (@cellcs)
options:
  path:
    description: The folder. It belongs to root and to O(group), with mode 0750; its parent is made if it is missing.
    type: path
    required: true
  owner:
    description: Numeric user who owns the files, the user in the container.
    type: int
    required: true
  group:
    description: Numeric group of folder and files.
    type: int
    required: true
  files:
    description: The files.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: File name, without a folder.
        type: str
        required: true
      content:
        description: The text. Mode 0440.
        type: str
      secret_content:
        description: Text that nobody else may see. Mode 0400, and not shown in a diff or a log.
        type: str
attributes:
  check_mode:
    description: Says which files would be written.
    support: full
  diff_mode:
    description: Shows what changes in files that are no secret, and only names the others.
    support: full
"""

EXAMPLES = r"""
- name: Configure nginx
  cellcs.orthweb.config_folder:
    path: /etc/orthweb/clinic/nginx
    owner: 11112
    group: 11112
    files:
      - name: nginx.conf
        content: "{{ lookup('ansible.builtin.template', 'nginx.conf.j2') }}"
      - name: server.pem
        secret_content: "{{ lookup('ansible.builtin.file', key) }}"
"""

RETURN = r"""
written:
  description: Names of the files that were written, or would be in check mode.
  returned: success
  type: list
  elements: str
  sample: [nginx.conf]
"""

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.cellcs.orthweb.plugins.module_utils.atomic_file import write_atomically

FOLDER_MODE = 0o750


@dataclass(frozen=True)
class ConfigFile:
    """A file as it should be, or (from `read`) as it is."""

    content: bytes
    mode: int
    owner: int
    group: int


def desired(declared: dict[str, Any], owner: int, group: int) -> ConfigFile:
    secret = declared["secret_content"] is not None
    content = declared["secret_content"] if secret else declared["content"]
    return ConfigFile(content.encode(), 0o400 if secret else 0o440, owner, group)


def read(path: Path) -> ConfigFile | None:
    try:
        status = path.lstat()
        return ConfigFile(path.read_bytes(), stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid)
    except FileNotFoundError:
        return None


def folder_differs(path: Path, group: int) -> bool:
    if not path.is_dir():
        return True
    status = path.stat()
    return (stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid) != (FOLDER_MODE, 0, group)


def make_folder(path: Path, group: int) -> None:
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.chown(path, 0, group)
    path.chmod(FOLDER_MODE)


def diff_of(name: str, secret: bool, before: ConfigFile | None, after: ConfigFile) -> dict[str, str]:
    def shown(file: ConfigFile | None) -> str:
        if file is None:
            return ""
        text = "(secret)\n" if secret else file.content.decode(errors="replace")
        return f"# mode {file.mode:04o}, owner {file.owner}, group {file.group}\n{text}"

    return {"before_header": name, "after_header": name, "before": shown(before), "after": shown(after)}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "owner": {"type": "int", "required": True},
            "group": {"type": "int", "required": True},
            "files": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "name": {"type": "str", "required": True},
                    "content": {"type": "str"},
                    "secret_content": {"type": "str", "no_log": True},
                },
                "mutually_exclusive": [("content", "secret_content")],
                "required_one_of": [("content", "secret_content")],
            },
        },
        supports_check_mode=True,
    )
    folder, owner, group = Path(module.params["path"]), module.params["owner"], module.params["group"]
    for declared in module.params["files"]:
        if declared["name"] != Path(declared["name"]).name or declared["name"] in ("", ".", ".."):
            module.fail_json(
                msg=f"files: {declared['name']!r} must be a file name without a folder. Nothing was changed."
            )

    changed = folder_differs(folder, group)
    written, diffs = [], []
    try:
        if changed and not module.check_mode:
            make_folder(folder, group)
        for declared in module.params["files"]:
            path = folder / declared["name"]
            before, after = read(path), desired(declared, owner, group)
            if before == after:
                continue
            written.append(path.name)
            diffs.append(diff_of(path.name, declared["secret_content"] is not None, before, after))
            if not module.check_mode:
                write_atomically(path, after.content, mode=after.mode, owner=(after.owner, after.group))
    except OSError as error:
        module.fail_json(
            msg=f"Could not write the configuration in {folder}: {error}. Look at its disk and its owner.",
            written=written,
        )
    module.exit_json(changed=changed or bool(written), written=written, diff=diffs)


if __name__ == "__main__":
    main()
