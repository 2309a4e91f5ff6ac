#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: config_folder
short_description: Keeps a folder of configuration files as one declared thing
version_added: 0.1.0
description:
  - Makes a folder with the given files in it, each written whole or not at all and never readable by others meanwhile.
  - Files that are not declared stay as they are.
  - One call replaces a task for each file, which is what a run spends most of its time on.
author:
  - The OrthWeb authors (@cellcs)
options:
  path:
    description:
      - The folder. Its parent is made if it is missing.
      - With O(owner) and O(group) it belongs to root and to that group, with mode 0750, as a container's folder should.
      - Without them it is for the user who runs the module alone, with mode 0700.
    type: path
    required: true
  owner:
    description: Numeric user who owns the files, the user in the container.
    type: int
  group:
    description: Numeric group of folder and files.
    type: int
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
        description: The text. Mode 0440 with an owner, 0600 without.
        type: str
      secret_content:
        description: Text that nobody else may see. Mode 0400 with an owner, 0600 without; not shown in a diff or a log.
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


@dataclass(frozen=True)
class Access:
    """Who owns the folder and its files, and the modes they have."""

    folder_owner: int
    owner: int
    group: int
    folder_mode: int
    mode: int
    secret_mode: int


def access(owner: int | None, group: int | None) -> Access:
    if owner is None or group is None:
        user, group = os.geteuid(), os.getegid()
        return Access(user, user, group, 0o700, 0o600, 0o600)
    return Access(0, owner, group, 0o750, 0o440, 0o400)


@dataclass(frozen=True)
class ConfigFile:
    """A file as it should be, or (from `read`) as it is."""

    content: bytes
    mode: int
    owner: int
    group: int


def desired(declared: dict[str, Any], who: Access) -> ConfigFile:
    secret = declared["secret_content"] is not None
    content = declared["secret_content"] if secret else declared["content"]
    return ConfigFile(content.encode(), who.secret_mode if secret else who.mode, who.owner, who.group)


def read(path: Path) -> ConfigFile | None:
    try:
        status = path.lstat()
        return ConfigFile(path.read_bytes(), stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid)
    except FileNotFoundError:
        return None


def folder_differs(path: Path, who: Access) -> bool:
    if not path.is_dir():
        return True
    status = path.stat()
    return (stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid) != (
        who.folder_mode,
        who.folder_owner,
        who.group,
    )


def make_folder(path: Path, who: Access) -> None:
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.chown(path, who.folder_owner, who.group)
    path.chmod(who.folder_mode)


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
            "owner": {"type": "int"},
            "group": {"type": "int"},
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
        required_together=[("owner", "group")],
        supports_check_mode=True,
    )
    folder, who = Path(module.params["path"]), access(module.params["owner"], module.params["group"])
    for declared in module.params["files"]:
        if declared["name"] != Path(declared["name"]).name or declared["name"] in ("", ".", ".."):
            module.fail_json(
                msg=f"files: {declared['name']!r} must be a file name without a folder. Nothing was changed."
            )

    changed = folder_differs(folder, who)
    written, diffs = [], []
    try:
        if changed and not module.check_mode:
            make_folder(folder, who)
        for declared in module.params["files"]:
            path = folder / declared["name"]
            before, after = read(path), desired(declared, who)
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
