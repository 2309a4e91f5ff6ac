#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: config_folder
short_description: Manage a folder of configuration files as a whole
version_added: 0.1.0
description:
  - Creates a folder with the given files, each written completely or not at all and never readable by others in the
    meantime.
  - Files that are not declared are not changed.
  - One call replaces a task for each file, which is what a run spends most of its time on.
author:
  - The OrthWeb authors (@cellcs)
options:
  path:
    description:
      - The folder. Its parent is created if it is missing.
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
        description: Text that nobody else is allowed to see. Mode 0400 with an owner, 0600 without; not shown in a
          diff or a log.
        type: str
attributes:
  check_mode:
    description: Says which files would be written.
    support: full
  diff_mode:
    description: Shows what changes in files that are not secret, and only names the others.
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
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.cellcs.orthweb.plugins.module_utils.atomic_file import write_atomically
from ansible_collections.cellcs.orthweb.plugins.module_utils.config_folder import (
    Access,
    access,
    changes,
    desired,
    folder_differs,
    name_problem,
    read_file,
    read_folder,
)


def make_folder(path: Path, who: Access) -> None:
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.chown(path, who.folder_owner, who.group)
    path.chmod(who.folder_mode)


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
    folder, process = Path(module.params["path"]), (os.geteuid(), os.getegid())
    who = access(module.params["owner"], module.params["group"], process)
    wanted = {declared["name"]: desired(declared, who) for declared in module.params["files"]}
    if problem := next(filter(None, map(name_problem, wanted)), None):
        module.fail_json(msg=f"files: {problem}. Nothing was changed.")

    written: list[str] = []
    try:
        makes_folder = folder_differs(read_folder(folder), who)
        planned = changes(wanted, {name: read_file(folder / name) for name in wanted})
        if makes_folder and not module.check_mode:
            make_folder(folder, who)
        for change in planned:
            written.append(change.name)
            if not module.check_mode:
                file = change.after
                write_atomically(folder / change.name, file.content, mode=file.mode, owner=(file.owner, file.group))
    except OSError as error:
        module.fail_json(
            msg=f"Could not write the configuration in {folder}: {error}. Check its disk and its owner.",
            written=written,
        )
    module.exit_json(
        changed=makes_folder or bool(written), written=written, diff=[change.to_diff() for change in planned]
    )


if __name__ == "__main__":
    main()
