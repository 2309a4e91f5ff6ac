#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: audit_info
short_description: Ask the audit trail who saw and did what
version_added: 0.1.0
author:
  - The OrthWeb authors (@cellcs)
description:
  - Reads the audit trail of an archive on its host, as root, and gives the events that are asked for, the oldest first.
options:
  volume:
    description: The Docker volume with the trail.
    type: str
    required: true
  study:
    description: A StudyInstanceUID.
    type: str
    default: ""
  account:
    description: An account, an AE title, the name of a client certificate, or a share link (V(share:ID)).
    type: str
    default: ""
  since:
    description: The first time, in ISO 8601, or the beginning of one, such as a day. All times are in UTC.
    type: str
    default: ""
  until:
    description: The last time.
    type: str
    default: ""
extends_documentation_fragment:
  - cellcs.orthweb.reads_only
"""

EXAMPLES = r"""
- name: Ask who saw a study
  cellcs.orthweb.audit_info:
    volume: orthweb-audit
    study: 1.2.826.0.1.3680043.8.498.1
    since: "2026-11-01"
  register: seen
"""

RETURN = r"""
events:
  description: The events, as docs/audit.md describes them.
  type: list
  elements: dict
  returned: success
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.cellcs.orthweb.plugins.module_utils.audit.trail import Query, read


def main() -> None:
    """Find the volume on the host, and read it."""
    options = {name: {"type": "str", "default": ""} for name in ("study", "account", "since", "until")}
    module = AnsibleModule(
        argument_spec={"volume": {"type": "str", "required": True}, **options}, supports_check_mode=True
    )
    volume = module.params.pop("volume")
    code, out, error = module.run_command(["docker", "volume", "inspect", "--format", "{{.Mountpoint}}", volume])
    if code:
        module.fail_json(msg=f"There is no audit trail {volume} on this host: {error.strip()}")
    try:
        events = read(Path(out.strip()), Query(**{name: module.params[name] for name in options}))
    except OSError as problem:
        module.fail_json(msg=f"The audit trail {volume} could not be read: {problem}")
    module.exit_json(changed=False, events=events)


if __name__ == "__main__":
    main()
