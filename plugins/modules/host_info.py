#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: host_info
short_description: Report what a host has and what is in use on it
version_added: 0.1.0
description:
  - Reads listening TCP ports and who holds them, IPv4 networks, memory and free disk of a Linux host.
  - Needs no tool on the host (neither C(ss) nor C(ip)), so that it works before anything is installed.
author:
  - The OrthWeb authors (@cellcs)
options:
  path:
    description:
      - Where the free disk space is looked up. If it does not exist yet, its nearest parent is used.
    type: path
    default: /var/lib/docker
  network_candidates:
    description:
      - Networks to choose from, in order of preference; C(free_network) in the result is the first that overlaps
        no network of this host.
    type: list
    elements: str
    default: []
attributes:
  check_mode:
    description: Only reads, and does the same in check mode.
    support: full
  diff_mode:
    description: Has nothing to show.
    support: none
"""

EXAMPLES = r"""
- name: Look at the host
  cellcs.orthweb.host_info:
    network_candidates: [172.17.0.0/16, 192.168.224.0/20]
  register: host
"""

RETURN = r"""
listeners:
  description: Listening TCP sockets. C(pid) and C(process) are null where the user is not allowed to see them.
  returned: success
  type: list
  elements: dict
  sample: [{"port": 443, "address": "0.0.0.0", "pid": 812, "process": "nginx"}]
ipv4_networks:
  description: Networks that the host has routes to, without the default route.
  returned: success
  type: list
  elements: str
  sample: ["192.0.2.0/24"]
free_network:
  description: The first of O(network_candidates) that overlaps none of RV(ipv4_networks); null if all do.
  returned: success
  type: str
  sample: 172.17.0.0/16
memory_mb:
  description: Memory of the host in MiB.
  returned: success
  type: int
  sample: 24049
disk_free_mb:
  description: Free space at O(path) in MiB.
  returned: success
  type: int
  sample: 81000
disk_used_percent:
  description: How much of the disk at O(path) is in use, as C(df) counts it.
  returned: success
  type: int
  sample: 45
effective_user_id:
  description: The user the module ran as; 0 is root.
  returned: success
  type: int
  sample: 0
"""

import os
from dataclasses import asdict
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.cellcs.orthweb.plugins.module_utils import host


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "default": "/var/lib/docker"},
            "network_candidates": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    networks = host.ipv4_networks()
    try:
        free_network = host.first_free_network(module.params["network_candidates"], networks)
    except ValueError as error:
        module.fail_json(msg=f"network_candidates must be networks such as 172.17.0.0/16: {error}.")
    disk, free = host.disk_bytes(Path(module.params["path"]))
    module.exit_json(
        changed=False,
        listeners=[asdict(listener) for listener in host.listeners()],
        ipv4_networks=networks,
        free_network=free_network,
        memory_mb=host.memory_bytes() // 2**20,
        disk_free_mb=free // 2**20,
        disk_used_percent=round(100 * (disk - free) / disk),
        effective_user_id=os.geteuid(),
    )


if __name__ == "__main__":
    main()
