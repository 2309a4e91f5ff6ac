#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: orthanc_modalities
short_description: Tell a running Orthanc which modalities it knows
version_added: 0.1.0
author:
  - The OrthWeb authors (@cellcs)
description:
  - Compares the modalities of an Orthanc with those that are declared, and adds, changes and removes over its REST API.
    Orthanc is not restarted, and no association ends.
  - Runs on the host of Orthanc's container as root, and enters the container's network, which does not lead out.
  - A modality that is not declared is removed, also one that somebody added over the REST API.
  - Orthanc keeps them in its database if C(DicomModalitiesInDatabase) is true, and otherwise until it ends.
options:
  container:
    description: Orthanc's container.
    type: str
    required: true
  modalities:
    description:
      - The modalities by name, with Orthanc's own options, such as C(AET), C(Host) and C(Port).
      - Options that are not given are not compared.
    type: dict
    required: true
  username:
    description: An account of Orthanc's.
    type: str
    required: true
  password:
    description: Its password.
    type: str
    required: true
  tls:
    description: Whether Orthanc speaks HTTPS.
    type: bool
    default: true
attributes:
  check_mode:
    description: Says what would be added, changed and removed. A container that does not run knows no modality.
    support: full
  diff_mode:
    description: Shows the options that differ.
    support: full
"""

EXAMPLES = r"""
- name: Tell Orthanc its modalities
  cellcs.orthweb.orthanc_modalities:
    container: orthweb-orthanc
    username: nginx
    password: "{{ orthanc_password }}"
    modalities:
      ct-1: {AET: CT1, Host: ct1.clinic.example, Port: 104, AllowMove: false}
"""

RETURN = r"""
added:
  description: Names of modalities that Orthanc did not know.
  type: list
  elements: str
  returned: success
  sample: [ct-1]
updated:
  description: Names of modalities with other options.
  type: list
  elements: str
  returned: success
removed:
  description: Names of modalities that are not declared.
  type: list
  elements: str
  returned: success
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.cellcs.orthweb.plugins.module_utils.orthanc_modalities import differences, plan, requests
from ansible_collections.cellcs.orthweb.plugins.module_utils.orthanc_rest import Orthanc, RestError, enter_network


def process_of(module: AnsibleModule) -> int:
    """The process of the container; 0 if it does not run."""
    command = ["docker", "inspect", "--format", "{{.State.Pid}}", module.params["container"]]
    code, out, error = module.run_command(command)
    if code and not module.check_mode:
        module.fail_json(msg=f"Looking for the container {module.params['container']}: {error.strip()}")
    return int(out) if out.strip().isdigit() else 0


def main() -> None:
    """Compare, and tell Orthanc what is different."""
    module = AnsibleModule(
        argument_spec={
            "container": {"type": "str", "required": True},
            "modalities": {"type": "dict", "required": True},
            "username": {"type": "str", "required": True},
            "password": {"type": "str", "required": True, "no_log": True},
            "tls": {"type": "bool", "default": True},
        },
        supports_check_mode=True,
    )
    options = module.params
    wanted = options["modalities"]
    if unusable := sorted(name for name, entry in wanted.items() if not isinstance(entry, dict)):
        module.fail_json(msg=f"modalities: {', '.join(unusable)} must have Orthanc's options by name, such as AET.")

    orthanc = Orthanc(options["username"], options["password"], options["tls"])
    pid = process_of(module)
    if not pid and not module.check_mode:
        module.fail_json(msg=f"{options['container']} does not run: start it first.")
    try:
        if pid:
            enter_network(pid)
        current = orthanc.ask("GET", "/modalities?expand") if pid else {}
        made = plan(current, wanted)
        if not module.check_mode:
            for request in requests(made, wanted):
                orthanc.ask(*request)
    except (OSError, RestError) as error:
        module.fail_json(msg=f"Telling {options['container']} its modalities failed: {error}")

    module.exit_json(
        changed=bool(made),
        added=list(made.add),
        updated=list(made.change),
        removed=list(made.remove),
        diff=differences(made, current, wanted),
    )


if __name__ == "__main__":
    main()
