#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: orthanc_storage_reconcile
short_description: Compare all that Orthanc's index names with all that its storage area holds
version_added: 0.1.0
author:
  - The OrthWeb authors (@cellcs)
description:
  - Runs on the archive's host and compares, without Orthanc, each attachment that the index (PostgreSQL) names with
    the bytes in the storage area, which is a table of the same database or a folder of files. Every byte is read.
  - An attachment is V(missing) if the storage area does not have it, V(damaged) if its length or its MD5 is not that of
    the index, V(misplaced) if it is not where Orthanc looks for it. What the storage area has and the index does not
    name is V(orphaned).
  - What may just be on its way is looked at once more after some seconds. The archive may go on working.
  - What is missing, damaged or misplaced is never changed. With O(remove), nothing is compared, and the orphans that it
    names are removed.
options:
  remove:
    description:
      - Orphans to remove, from RV(removable) of a comparison. Each is looked at again, and stays if the index names it.
      - Only those are removed that were there for more than a day, which is longer than any image takes to be stored.
        Files have a time. Large objects have none, so they count from the first comparison that has seen them, which
        O(journal) keeps.
      - What cannot be Orthanc's by its name or its place is never removed.
    type: list
    elements: str
    default: []
  journal:
    description: A file on the host that keeps since when orphans are known to be there.
    type: path
    required: true
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
attributes:
  check_mode:
    description: Whether it can say what it would do, and change nothing. O(journal) is not written then.
    support: full
  diff_mode:
    description: Whether it can show what it would change in files.
    support: none
notes:
  - It keeps the names of all attachments in memory, some 500 bytes for each.
seealso:
  - module: cellcs.orthweb.orthanc_storage_verify
"""

EXAMPLES = r"""
- name: Compare index and storage area
  cellcs.orthweb.orthanc_storage_reconcile:
    storage: database
    psql: [docker, exec, orthweb-postgresql, psql, --username=postgres, --dbname=orthanc]
    journal: /var/lib/orthweb/orthweb/orphans.json
  register: compared

- name: Remove what the index has not named for more than a day
  cellcs.orthweb.orthanc_storage_reconcile:
    storage: database
    psql: [docker, exec, orthweb-postgresql, psql, --username=postgres, --dbname=orthanc]
    journal: /var/lib/orthweb/orthweb/orphans.json
    remove: "{{ compared.removable }}"
"""

RETURN = r"""
msg:
  description: The result in words.
  type: str
  returned: always
  sample: >-
    8890 attachments are equal in the index and in PostgreSQL's storagearea; 0 unverified, 0 missing, 1 orphaned,
    0 damaged, 0 misplaced.
counts:
  description:
    - How many there are of each state.
    - C(unverified) ones are there in full length, and have no hash to compare with, as they are larger than 1 GB, or
      were stored with C(StoreMD5ForAttachments) off, or while this ran.
  type: dict
  returned: when it compared
  sample: {equal: 8890, unverified: 0, missing: 0, orphaned: 1, damaged: 0, misplaced: 0}
differences:
  description: All differences, with SOP instance UIDs and nothing about patients.
  type: list
  elements: dict
  returned: when it compared
  contains:
    state:
      description: V(missing), V(orphaned), V(damaged) or V(misplaced).
      type: str
    attachment:
      description: UUID of the attachment, or what is held instead, such as C(large object 16402) or the path of a file.
      type: str
    sop_instance_uid:
      description: Whose attachment it is; empty for an orphan, and for attachments of studies and the like.
      type: str
    reason:
      description: What is wrong with it.
      type: str
    since:
      description: For an orphan, since when it is known to be there, or longer.
      type: str
removable:
  description: Orphans that were there for more than a day, for O(remove).
  type: list
  elements: str
  returned: when it compared
removed:
  description: Orphans that were removed; in check mode, that would be.
  type: list
  elements: str
  returned: with O(remove)
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.cellcs.orthweb.plugins.module_utils.orthanc_storage import (
    ARCHIVE_OPTIONS,
    ARCHIVE_REQUIRED_IF,
    Archive,
    StorageError,
    place,
)
from ansible_collections.cellcs.orthweb.plugins.module_utils.reconcile.run import listed, reconcile, remove


def main() -> None:
    """Compare, or remove."""
    module = AnsibleModule(
        argument_spec={
            "remove": {"type": "list", "elements": "str", "default": []},
            "journal": {"type": "path", "required": True},
            **ARCHIVE_OPTIONS,
        },
        required_if=ARCHIVE_REQUIRED_IF,
        supports_check_mode=True,
    )
    options = module.params
    archive = Archive.of_options(module.run_command, options)
    journal, names = Path(options["journal"]), options["remove"]
    try:
        if names:
            removed = remove(archive, journal, names, check_mode=module.check_mode)
            said = f"{len(removed)} of {len(names)} orphans {'would be' if module.check_mode else 'were'} removed."
            module.exit_json(changed=bool(removed), msg=said, removed=removed)
        outcome = reconcile(archive, journal, check_mode=module.check_mode)
    except StorageError as error:
        module.fail_json(msg=str(error))

    counts = outcome.comparison.count()
    others = ", ".join(f"{number} {state}" for state, number in counts.items() if state != "equal")
    module.exit_json(
        changed=False,
        msg=f"{counts['equal']} attachments are equal in the index and in {place(archive)}; {others}.",
        counts=counts,
        differences=listed(outcome),
        removable=outcome.removable,
    )


if __name__ == "__main__":
    main()
