#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: dicom_sample
short_description: Write sample DICOM files for an acceptance test
version_added: 0.1.0
author:
  - The OrthWeb authors (@cellcs)
description:
  - Writes copies of the sample images that come with pydicom, as one new study of a fictitious patient. Nothing is
    downloaded.
  - Each file gets a new SOP instance UID, each kind a new series. The pixel data are unchanged, byte for byte.
  - As the UIDs are new, each run overwrites the files of the previous run. Use a separate folder.
options:
  path:
    description: Folder to write to. It is created if it does not exist.
    type: path
    required: true
  kinds:
    description:
      - Which images to write.
      - V(ct) and V(mr) are uncompressed, V(ultrasound) has 30 frames in JPEG baseline, V(jpeg2000) is an ultrasound
        image in JPEG 2000 (lossless), V(rle) an MR image in RLE (lossless).
    type: list
    elements: str
    choices: [ct, mr, ultrasound, jpeg2000, rle]
    default: [ct, mr, ultrasound, jpeg2000, rle]
  copies:
    description: How many instances of V(ct) to write, each with its own SOP instance UID, in one series.
    type: int
    default: 1
  unusual:
    description:
      - Also write one unusual CT image of each of these kinds, each with its own study and patient.
      - V(no-modality) and V(no-study-date) lack the attribute, in V(no-patient-name) it is empty. The names in
        V(latin-1), V(iso-2022) (Japanese) and V(gb18030) (Chinese) are in these character sets; the others are in
        UTF-8.
      - Their patient IDs are O(patient_id) with the kind behind it, such as V(ORTHWEB-ACCEPTANCE-NO-MODALITY).
    type: bool
    default: false
  study_instance_uid:
    description: Study instance UID. By default a new one.
    type: str
  patient_id:
    description: Patient ID in the files.
    type: str
    default: ORTHWEB-ACCEPTANCE
  patient_name:
    description: Patient's name in the files.
    type: str
    default: ORTHWEB-ACCEPTANCE
requirements:
  - python >= 3.11
  - pydicom >= 3.0
attributes:
  check_mode:
    description: Can run in check mode, where it reports what it would write. The next run has other UIDs.
    support: full
  diff_mode:
    description: Has nothing to show.
    support: none
seealso:
  - module: cellcs.orthweb.dicom_store
  - module: cellcs.orthweb.dicomweb_verify
  - module: cellcs.orthweb.dicomweb_search
"""

EXAMPLES = r"""
- name: Write one image of each kind
  cellcs.orthweb.dicom_sample:
    path: /tmp/orthweb-acceptance
  delegate_to: localhost
  register: sample

- name: Send them
  cellcs.orthweb.dicom_store:
    host: archive.hospital.example
    called_aet: ORTHANC
    paths: "{{ sample.files | map(attribute='path') }}"
  delegate_to: localhost

- name: Write a series of 500 slices for a benchmark
  cellcs.orthweb.dicom_sample:
    path: /tmp/orthweb-benchmark
    kinds: [ct]
    copies: 500
  delegate_to: localhost
"""

RETURN = r"""
msg:
  description: What was written, in words.
  type: str
  returned: always
  sample: Wrote 5 sample files to /tmp/orthweb-acceptance.
study_instance_uid:
  description: Study instance UID of the files.
  type: str
  returned: success
  sample: 1.2.826.0.1.3680043.8.498.1
files:
  description: The files.
  type: list
  elements: dict
  returned: success
  contains:
    path:
      description: Where it is.
      type: str
    kind:
      description: Which of O(kinds) it is, or which of O(unusual).
      type: str
    sop_class_uid:
      description: Its SOP class.
      type: str
    transfer_syntax_uid:
      description: Its transfer syntax.
      type: str
    study_instance_uid:
      description: UID of its study.
      type: str
    series_instance_uid:
      description: UID of its series.
      type: str
    sop_instance_uid:
      description: Its own UID.
      type: str
    bytes:
      description: Its length.
      type: int
"""

import itertools
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.libraries import library_problem, silence_libraries
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.samples import (
    SAMPLES,
    new_study,
    sample_problems,
    samples,
    unusual_samples,
)


def main() -> None:
    """Make the samples and write them."""
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "kinds": {"type": "list", "elements": "str", "choices": [*SAMPLES], "default": [*SAMPLES]},
            "copies": {"type": "int", "default": 1},
            "unusual": {"type": "bool", "default": False},
            "study_instance_uid": {"type": "str"},
            "patient_id": {"type": "str", "default": "ORTHWEB-ACCEPTANCE"},
            "patient_name": {"type": "str", "default": "ORTHWEB-ACCEPTANCE"},
        },
        supports_check_mode=True,
    )
    if problem := library_problem("pydicom"):
        module.fail_json(**problem)
    silence_libraries()

    options = module.params
    filed_under = (options["study_instance_uid"], options["patient_id"], options["patient_name"])
    problems = sample_problems(*filed_under, options["copies"], options["unusual"])
    if problems:
        module.fail_json(msg=f"These options cannot be used: {'; '.join(problems)}", problems=problems)

    folder = Path(options["path"])
    study = new_study(*filed_under)
    files = []
    try:
        if not module.check_mode:
            folder.mkdir(parents=True, exist_ok=True)
        usual = samples(folder, study, options["kinds"], options["copies"])
        unusual = unusual_samples(folder, study.patient_id, study.patient_name) if options["unusual"] else ()
        for sample in itertools.chain(usual, unusual):
            if not module.check_mode:
                sample.write()
            files.append(sample.to_result())
    except OSError as error:
        module.fail_json(msg=f"Cannot write sample files to {folder}: {error}. Use a writable folder.")

    module.exit_json(
        changed=bool(files),
        msg=f"{'Would write' if module.check_mode else 'Wrote'} {len(files)} sample files to {folder}.",
        study_instance_uid=study.study_instance_uid,
        files=files,
    )


if __name__ == "__main__":
    main()
