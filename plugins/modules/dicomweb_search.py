#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: dicomweb_search
short_description: Check that an archive finds over DICOMweb what radiologists search for
version_added: 0.1.0
author:
  - The OrthWeb authors (@cellcs)
description:
  - Takes the files that were sent to an archive and looks for their studies, series and instances over QIDO-RS
    (PS3.18 §10.6) in the ways that people do.
  - Studies are searched for by patient ID, by the patient's name (whole, with C(*) behind, in front and around, in
    upper and lower case, ideographic and phonetic), by date, by ranges of dates, and by modality. Series are searched
    for by modality, and instances by series and by patient.
  - Queries are encoded as by browsers and DICOMweb clients, such as V(PatientName=M%C3%BCller%2A).
  - For each kind of search there is one that must not find the study, so that an archive which ignores a criterion is
    noticed.
  - The answers must say the patient's name, patient ID and date of a study, the modality of a series, and rows and
    columns of an instance as the files do.
  - It only reads. Proxies from the environment are not used.
options:
  paths:
    description:
      - The files that were sent. Folders are searched recursively, and C(**) in a pattern matches across folders.
      - A file that is named must be a DICOM file. Others in a folder, or matched by a pattern, are passed over.
      - All files of a study, or the searches that must not find something may find one that is not among them.
    type: list
    elements: path
    required: true
  fail_on:
    description:
      - Whether the task fails when a search is not answered as it should.
      - With V(never) it does not, and RV(failed_searches) says what is wrong. An archive that cannot be queried at
        all
        is always a failure.
    type: str
    choices: [any, never]
    default: any
extends_documentation_fragment:
  - cellcs.orthweb.dicom_web
  - cellcs.orthweb.reads_only
notes:
  - The queries are a part of the result, and with them the patients' names in the files. Use it with samples.
  - "What can fail, as RV(failure) names it. The archive as a whole, which ends the run:
    V(unreachable) (its name does not resolve, it refuses, or the connection breaks),
    V(certificate_not_accepted), V(timeout), V(not_authenticated) (HTTP 401), V(forbidden)
    (HTTP 403), V(not_dicomweb) (something else is at O(url))."
  - "One search: V(not_found), V(not_asked_for) (something was found that does not match), V(different) (an attribute is
    missing in the answer, or is not that of the file), V(http_status) (another answer than was asked for, such as HTTP
    400), V(answer_not_decoded)."
seealso:
  - module: cellcs.orthweb.dicom_sample
  - module: cellcs.orthweb.dicomweb_verify
  - name: DICOM PS3.18, Web services
    description: QIDO-RS.
    link: https://dicom.nema.org/medical/dicom/current/output/chtml/part18/sect_10.6.html
"""

EXAMPLES = r"""
- name: What was sent is found in the ways that radiologists search
  cellcs.orthweb.dicomweb_search:
    url: https://archive.hospital.example/dicom-web
    username: acceptance
    password: "{{ acceptance_password }}"
    ca_file: /etc/orthweb/pki/ca-bundle.pem
    paths: "{{ sample.files | map(attribute='path') }}"
  delegate_to: localhost
"""

RETURN = r"""
msg:
  description: The result in words. If something failed, the first few searches and why.
  type: str
  returned: always
  sample: https://archive.hospital.example/dicom-web answers all 61 searches as it should.
failure:
  description: What failed first, in one word out of those listed in the notes. None if nothing did.
  type: str
  returned: when the options can be used
  sample: not_found
count:
  description: How many searches were made.
  type: int
  returned: when the archive could be asked
  sample: 133
failed_searches:
  description: The searches that were not answered as they should be.
  type: list
  elements: dict
  returned: when the archive could be asked
  contains:
    about:
      description: What was searched by.
      type: str
    level:
      description: What was searched for, V(study), V(series) or V(instance).
      type: str
    query:
      description: Resource and query, as they were sent.
      type: str
    failure:
      description: What failed, in one word out of those listed in the notes.
      type: str
    message:
      description: What was wrong.
      type: str
  sample:
    - about: patient's name, family name and *
      level: study
      query: studies?PatientName=M%C3%BCller%2A&PatientID=ORTHWEB-ACCEPTANCE
      failure: not_found
      message: 1 of 1 StudyInstanceUID not found among 0
"""


from ansible.module_utils.basic import AnsibleModule
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.libraries import library_problem, silence_libraries
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.web.archive import DicomWebError
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.web.options import ARGUMENTS, asked_for
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.web.search import search, sentence


def main() -> None:
    """Read the files, search for what is in them, and say what was found."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    if problem := library_problem("dicomweb-client", "pynetdicom"):
        module.fail_json(**problem)
    silence_libraries()

    options = module.params
    archive, instances, problems = asked_for(options, "to search for")
    if problems:
        module.fail_json(msg=f"These options cannot be used: {'; '.join(problems)}", problems=problems)

    try:
        outcomes = search(archive, instances)
    except DicomWebError as error:
        module.fail_json(msg=str(error), failure=error.failure)

    failures = [outcome.failure for outcome in outcomes if outcome.failure]
    result = {
        "changed": False,
        "msg": sentence(archive, outcomes),
        "failure": failures[0] if failures else None,
        "count": len(outcomes),
        "failed_searches": [outcome.to_result() for outcome in outcomes if outcome.failure],
    }
    if failures and options["fail_on"] == "any":
        module.fail_json(**result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
