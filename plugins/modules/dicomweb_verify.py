#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: dicomweb_verify
short_description: Check that an archive returns over DICOMweb what was stored
version_added: 0.1.0
author:
  - The OrthWeb authors (@cellcs)
description:
  - Takes the files that were sent to an archive and asks for each of their instances over DICOMweb (PS3.18).
  - QIDO-RS (PS3.18 §10.6) must find it, and WADO-RS (PS3.18 §10.4) must return it in the transfer syntax that it
    was sent in, with the same SOP class, rows, columns and frames, and with pixel data that are the same byte for
    byte.
  - It only reads. Proxies from the environment are not used.
options:
  paths:
    description:
      - The files that were sent. Folders are searched recursively, and C(**) in a pattern matches across folders.
      - A file that is named must be a DICOM file. Others in a folder, or matched by a pattern, are passed over.
    type: list
    elements: path
    required: true
  fail_on:
    description:
      - Whether the task fails when an instance does not come back as it was sent.
      - With V(never) it does not, and RV(instances) says what is wrong. An archive that cannot be queried at all
        is always a failure.
    type: str
    choices: [any, never]
    default: any
extends_documentation_fragment:
  - cellcs.orthweb.dicom_web
  - cellcs.orthweb.reads_only
notes:
  - "What can fail, as RV(failure) names it. The archive as a whole, which ends the run:
    V(unreachable) (its name does not resolve, it refuses, or the connection breaks),
    V(certificate_not_accepted), V(timeout), V(not_authenticated) (HTTP 401), V(forbidden)
    (HTTP 403), V(not_dicomweb) (something else is at O(url))."
  - "One instance: V(not_found) (QIDO-RS does not find it), V(http_status) (another answer than was asked
    for, such as HTTP 500), V(answer_not_decoded), V(different) (it came back, but not as it was sent)."
seealso:
  - module: cellcs.orthweb.dicomweb_search
  - module: cellcs.orthweb.dicom_sample
  - module: cellcs.orthweb.dicom_store
  - name: DICOM PS3.18, Web services
    description: QIDO-RS and WADO-RS.
    link: https://dicom.nema.org/medical/dicom/current/output/chtml/part18/PS3.18.html
"""

EXAMPLES = r"""
- name: What was sent comes back, bit by bit
  cellcs.orthweb.dicomweb_verify:
    url: https://archive.hospital.example:8042/dicom-web
    username: acceptance
    password: "{{ acceptance_password }}"
    ca_file: /etc/orthweb/pki/ca-bundle.pem
    paths: "{{ sample.files | map(attribute='path') }}"
  delegate_to: localhost
"""

RETURN = r"""
msg:
  description: The result in words. If something failed, the first few instances, the step and why.
  type: str
  returned: always
  sample: https://archive.hospital.example:8042/dicom-web gives back all 5 instances as they were sent.
failure:
  description: What failed first, in one word out of those listed in the notes. None if all came back as it was sent.
  type: str
  returned: when the options can be used
  sample: not_found
instances:
  description: Each instance and its result.
  type: list
  elements: dict
  returned: when the archive could be asked
  contains:
    path:
      description: The file that was sent.
      type: str
    sop_instance_uid:
      description: Its SOP instance UID.
      type: str
    found:
      description: Whether QIDO-RS found it.
      type: bool
    retrieved:
      description: Whether WADO-RS returned it.
      type: bool
    pixel_data_identical:
      description: Whether the pixel data are the same byte for byte. None if there are none, or it was not retrieved.
      type: bool
    transfer_syntax_uid:
      description: The transfer syntax that it came back in.
      type: str
    verified:
      description: Whether it passed every step.
      type: bool
    failure:
      description: What failed, in one word out of those listed in the notes. None if nothing did.
      type: str
    message:
      description: Which step failed (QIDO-RS, WADO-RS, comparison) and why.
      type: str
  sample:
    - path: /tmp/orthweb-acceptance/ct.dcm
      sop_instance_uid: 1.2.826.0.1.3680043.8.498.1
      found: true
      retrieved: true
      pixel_data_identical: true
      transfer_syntax_uid: 1.2.840.10008.1.2.1
      verified: true
      failure: null
      message: found, retrieved, and the same as the file
"""


from ansible.module_utils.basic import AnsibleModule
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.libraries import library_problem, silence_libraries
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.web.archive import DicomWebError
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.web.options import ARGUMENTS, asked_for
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.web.verify import sentence, verify


def main() -> None:
    """Read the files, ask for each, and say what came back."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    if problem := library_problem("dicomweb-client", "pynetdicom"):
        module.fail_json(**problem)
    silence_libraries()

    options = module.params
    archive, instances, problems = asked_for(options, "to verify")
    if problems:
        module.fail_json(msg=f"These options cannot be used: {'; '.join(problems)}", problems=problems)

    try:
        verifications = verify(archive, instances)
    except DicomWebError as error:
        module.fail_json(msg=str(error), failure=error.failure)

    failures = [verification.failure for verification in verifications if verification.failure]
    result = {
        "changed": False,
        "msg": sentence(archive, verifications),
        "failure": failures[0] if failures else None,
        "instances": [verification.to_result() for verification in verifications],
    }
    if failures and options["fail_on"] == "any":
        module.fail_json(**result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
