#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: orthanc_storage_verify
short_description: Check that Orthanc stores instances where it should, or has removed them
version_added: 0.1.0
author:
  - The OrthWeb authors (@cellcs)
description:
  - Runs on the archive's host and checks, without Orthanc, the entry of each instance in the index (PostgreSQL) and
    its
    bytes in the storage area, which is a table of the same database or a folder of files.
  - With O(expect=kept), each instance must have its entry, and each attachment that the index names must be in the
    storage area with the number of bytes that the index says.
  - With O(expect=gone), neither an entry nor a large object or file may be left.
  - It only reads. It says nothing about the contents, which M(cellcs.orthweb.dicomweb_verify) compares.
options:
  instances:
    description: SOP instance UIDs to look for.
    type: list
    elements: str
    required: true
  expect:
    description: Whether they must be there, or must have been removed.
    type: str
    choices: [kept, gone]
    default: kept
  attachments:
    description:
      - With O(expect=gone), the UUIDs of the attachments that the instances had, from RV(attachments) of a check
        before they were deleted. The index no longer has them.
    type: list
    elements: str
    default: []
  storage:
    description: Where Orthanc stores the images.
    type: str
    choices: [database, filesystem]
    required: true
  psql:
    description: The command on the host that opens the archive's database, as a list of arguments.
    type: list
    elements: str
    required: true
  container:
    description: Orthanc's container, where O(storage=filesystem).
    type: str
  directory:
    description: The folder of the images (C(StorageDirectory)) in the container.
    type: str
    default: /var/lib/orthanc/storage
extends_documentation_fragment:
  - cellcs.orthweb.reads_only
seealso:
  - module: cellcs.orthweb.dicomweb_verify
"""

EXAMPLES = r"""
- name: See index entry and file of each image
  cellcs.orthweb.orthanc_storage_verify:
    instances: "{{ sample.files | map(attribute='sop_instance_uid') }}"
    storage: filesystem
    psql: [docker, exec, orthweb-postgresql, psql, --username=postgres, --dbname=orthanc]
    container: orthweb-orthanc
  register: kept

- name: After they were deleted, see that nothing is left
  cellcs.orthweb.orthanc_storage_verify:
    instances: "{{ sample.files | map(attribute='sop_instance_uid') }}"
    expect: gone
    attachments: "{{ kept.attachments }}"
    storage: filesystem
    psql: [docker, exec, orthweb-postgresql, psql, --username=postgres, --dbname=orthanc]
    container: orthweb-orthanc
"""

RETURN = r"""
msg:
  description: The result in words. If something is wrong, the first few instances and what is wrong with them.
  type: str
  returned: always
  sample: All 5 instances have their entry in the index, and their bytes in PostgreSQL's storagearea.
problems:
  description: All problems, one sentence each.
  type: list
  elements: str
  returned: when index and storage area could be asked
attachments:
  description: UUIDs of the attachments that the index names.
  type: list
  elements: str
  returned: when index and storage area could be asked
  sample: [4d6a2a5c-9f0e-4a2f-8d55-0b0a1d3f6c11]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.words import first_few
from ansible_collections.cellcs.orthweb.plugins.module_utils.orthanc_storage import (
    ARCHIVE_OPTIONS,
    ARCHIVE_REQUIRED_IF,
    Archive,
    StorageError,
    indexed,
    kept,
    option_problems,
    place,
    problems_of_gone,
    problems_of_kept,
)


def main() -> None:
    """Look at index and storage area, and compare."""
    module = AnsibleModule(
        argument_spec={
            "instances": {"type": "list", "elements": "str", "required": True},
            "expect": {"type": "str", "choices": ["kept", "gone"], "default": "kept"},
            "attachments": {"type": "list", "elements": "str", "default": []},
            **ARCHIVE_OPTIONS,
        },
        required_if=ARCHIVE_REQUIRED_IF,
        supports_check_mode=True,
    )
    options = module.params
    instances = options["instances"]
    problems = option_problems(instances, options["attachments"])
    if problems:
        module.fail_json(msg=f"These options cannot be used: {first_few(problems)}", problems=problems)

    archive = Archive.of_options(module.run_command, options)
    try:
        attachments = indexed(archive, instances)
        uuids = sorted({each.uuid for each in attachments} | set(options["attachments"]))
        sizes = kept(archive, uuids)
    except StorageError as error:
        module.fail_json(msg=str(error))

    where = place(archive)
    if options["expect"] == "gone":
        problems = problems_of_gone(attachments, sizes, where)
        said = f"Nothing is left of {len(instances)} instances, neither in the index nor in {where}."
    else:
        problems = problems_of_kept(instances, attachments, sizes, where)
        said = f"All {len(instances)} instances have their entry in the index, and their bytes in {where}."
    result = {"changed": False, "problems": problems, "attachments": [each.uuid for each in attachments]}
    if problems:
        module.fail_json(msg=f"Index and storage area are not as they should be: {first_few(problems)}.", **result)
    module.exit_json(msg=said, **result)


if __name__ == "__main__":
    main()
