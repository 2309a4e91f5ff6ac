#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: dicom_store
short_description: Send DICOM files to a peer
version_added: 0.1.0
author:
  - The OrthWeb authors (@cellcs)
description:
  - Sends files to a DICOM peer with C-STORE (PS3.7 §9.1.1), over TLS if told so.
  - Asks for a presentation context for each SOP class and transfer syntax that the files have, and sends them as they
    are. Nothing is transcoded.
  - Says for each instance what the peer answered.
options:
  paths:
    description:
      - Files, folders (taken all the way down), and patterns, in which C(**) crosses folders.
      - A file that is named must be a DICOM file. Others in a folder, or matched by a pattern, are passed over and
        returned in RV(not_instances).
    type: list
    elements: path
    required: true
  fail_on:
    description:
      - Whether the task fails when an instance was not stored.
      - With V(never) it does not, and RV(instances) and RV(failure) say what is wrong, so that the caller can decide.
    type: str
    choices: [any, never]
    default: any
attributes:
  check_mode:
    description: Can run in check mode, where it reads the files and says what it would send, and does not connect.
    support: full
  diff_mode:
    description: Has nothing to show.
    support: none
extends_documentation_fragment:
  - cellcs.orthweb.dicom_peer
seealso:
  - module: cellcs.orthweb.dicom_echo
  - module: cellcs.orthweb.dicom_sample
  - module: cellcs.orthweb.dicomweb_verify
  - name: DICOM PS3.4 Annex B, Storage service class
    description: What the status of a C-STORE response means.
    link: https://dicom.nema.org/medical/dicom/current/output/chtml/part04/chapter_B.html
"""

EXAMPLES = r"""
- name: Send a folder of images to the archive over mutual TLS
  cellcs.orthweb.dicom_store:
    host: archive.hospital.example
    called_aet: ORTHANC
    calling_aet: CT1
    tls: true
    ca_file: /etc/orthweb/pki/ca-bundle.pem
    client_certificate: /etc/orthweb/pki/ct1.crt
    client_key: /etc/orthweb/pki/ct1.key
    paths:
      - /srv/images/study-1
      - /srv/images/**/*.dcm
  delegate_to: localhost
"""

RETURN = r"""
msg:
  description: What came out, for a person. If something failed, the first few instances and why.
  type: str
  returned: always
  sample: ORTHANC at archive.hospital.example:11112 stored 5 of 5 instances.
failure:
  description: What failed first, in one word out of those listed in the notes. None if all was stored.
  type: str
  returned: always
  sample: presentation_context_refused
instances:
  description: Each instance, and what became of it.
  type: list
  elements: dict
  returned: always
  contains:
    path:
      description: Its file.
      type: str
    sop_instance_uid:
      description: Its SOP instance UID.
      type: str
    study_instance_uid:
      description: The UID of its study.
      type: str
    status:
      description: Status of the C-STORE response in hexadecimal. None if there was no response.
      type: str
    status_text:
      description: The status in words, or why there was no response.
      type: str
    stored:
      description: Whether the peer acknowledged it, be it with a warning.
      type: bool
  sample:
    - path: /srv/images/ct.dcm
      sop_instance_uid: 1.2.826.0.1.3680043.8.498.1
      study_instance_uid: 1.2.826.0.1.3680043.8.498.2
      status: '0000'
      status_text: success (0000)
      stored: true
not_instances:
  description: Files that are no DICOM instances, and why. They are no failure.
  type: list
  elements: dict
  returned: always
  sample: [{path: /srv/images/README, reason: 'is no DICOM file: there is no DICM at byte 128 (PS3.10 §7.1)'}]
summary:
  description: Counts and rates.
  type: dict
  returned: always
  contains:
    count:
      description: How many instances there are.
      type: int
    stored:
      description: How many of them the peer acknowledged.
      type: int
    failed:
      description: How many it did not.
      type: int
    bytes:
      description: Bytes of the data sets that it acknowledged.
      type: int
    seconds:
      description: Time from the first connection to the last answer.
      type: float
    bytes_per_second:
      description: RV(summary.bytes) by RV(summary.seconds).
      type: int
"""

import traceback

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom_files import collect
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom_peer import (
    PEER_ARGUMENTS,
    peer_from_options,
    peer_problems,
)
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom_quiet import silence_libraries
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom_sending import announce, send
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom_tls import tls_problems

IMPORT_ERROR: str | None = None
try:
    import cryptography  # noqa: F401
    import pynetdicom  # noqa: F401
except ImportError:
    IMPORT_ERROR = traceback.format_exc()


def main() -> None:
    """Read the files, send them, and say what became of each."""
    module = AnsibleModule(
        argument_spec={
            **PEER_ARGUMENTS,
            "paths": {"type": "list", "elements": "path", "required": True},
            "fail_on": {"type": "str", "choices": ["any", "never"], "default": "any"},
        },
        supports_check_mode=True,
    )
    if IMPORT_ERROR:
        module.fail_json(msg=missing_required_lib("pynetdicom and cryptography"), exception=IMPORT_ERROR)
    silence_libraries()

    options = module.params
    peer = peer_from_options(options)
    found = collect(options["paths"])
    problems = peer_problems(options) + tls_problems(peer.tls) + [f"paths: {problem}" for problem in found.problems]
    if not options["paths"]:
        problems.append("paths: is empty")
    if problems:
        module.fail_json(msg=f"These options cannot be used: {'; '.join(problems)}", problems=problems)

    if module.check_mode:
        sending = announce(peer, found.instances)
        sentence, changed = f"{len(found.instances)} instances would be sent to {peer}.", bool(found.instances)
    else:
        sending = send(peer, found.instances)
        sentence, changed = sending.sentence, bool(sending.stored)

    result = {
        "changed": changed,
        "msg": sentence,
        "failure": sending.failed[0].failure if sending.failed else None,
        "instances": [outcome.to_result() for outcome in sending.outcomes],
        "not_instances": [skipped.to_result() for skipped in found.skipped],
        "summary": sending.summary(),
    }
    if sending.failed and options["fail_on"] == "any":
        module.fail_json(**result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
