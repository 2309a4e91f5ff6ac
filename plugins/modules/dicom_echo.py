#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: dicom_echo
short_description: Is this DICOM peer alive, and if not, why
version_added: 0.1.0
author:
  - The OrthWeb authors (@cellcs)
description:
  - Connects to a DICOM peer, asks it for an association and sends C-ECHO (PS3.7 §9.1.5), over TLS if told so.
  - Says how long each step took, what the peer shows of itself, and, if a step fails, which, why and what to do.
  - It is a question. It changes nothing, on the peer or anywhere else.
options:
  count:
    description: How many C-ECHO to send over the one association.
    type: int
    default: 1
  fail_on:
    description:
      - Whether the task fails when the peer is not alive.
      - With V(never) it does not, and RV(failure) says what is wrong, so that the caller can decide.
    type: str
    choices: [any, never]
    default: any
attributes:
  check_mode:
    description: Can run in check mode, where it asks just the same, for it changes nothing.
    support: full
  diff_mode:
    description: Has nothing to show.
    support: none
extends_documentation_fragment:
  - cellcs.orthweb.dicom_peer
seealso:
  - module: cellcs.orthweb.dicom_store
  - name: DICOM PS3.7 §9.1.5, C-ECHO service
    description: What an answer means.
    link: https://dicom.nema.org/medical/dicom/current/output/chtml/part07/sect_9.1.5.html
"""

EXAMPLES = r"""
- name: The archive answers a modality over mutual TLS
  cellcs.orthweb.dicom_echo:
    host: archive.hospital.example
    called_aet: ORTHANC
    calling_aet: CT1
    tls: true
    ca_file: /etc/orthweb/pki/ca-bundle.pem
    client_certificate: /etc/orthweb/pki/ct1.crt
    client_key: /etc/orthweb/pki/ct1.key
  delegate_to: localhost

- name: Ask as someone without a certificate
  cellcs.orthweb.dicom_echo:
    host: archive.hospital.example
    called_aet: ORTHANC
    tls: true
    ca_file: /etc/orthweb/pki/ca-bundle.pem
    fail_on: never
  delegate_to: localhost
  register: stranger

- name: Strangers are turned away
  ansible.builtin.assert:
    that: stranger.failure == 'client_certificate_demanded'

- name: Wait up to a minute for an archive that has just been started
  cellcs.orthweb.dicom_echo:
    host: 10.0.0.5
    called_aet: ORTHANC
    retries: 30
    retry_delay_seconds: 2
"""

RETURN = r"""
msg:
  description: What came out, for a person. If something failed, what was tried, what came back and what to do.
  type: str
  returned: always
  sample: ORTHANC at archive.hospital.example:11112 answered 1 C-ECHO over TLSv1.3, in 1.4 ms.
host:
  description: The peer's host, as given.
  type: str
  returned: always
port:
  description: The peer's port.
  type: int
  returned: always
called_aet:
  description: The peer's AE title.
  type: str
  returned: always
alive:
  description: Whether every C-ECHO was answered with success (status 0000).
  type: bool
  returned: always
failure:
  description: What failed, in one word out of those listed in the notes. None if RV(alive).
  type: str
  returned: always
  sample: certificate_expired
attempts:
  description: How often it was tried.
  type: int
  returned: always
latency_ms:
  description: Milliseconds that each step took in the last attempt. None for a step that was not reached.
  type: dict
  returned: always
  contains:
    tcp:
      description: From the question for the name to the TCP connection.
      type: float
    tls:
      description: The TLS handshake.
      type: float
    association:
      description: From A-ASSOCIATE-RQ to A-ASSOCIATE-AC.
      type: float
    echo:
      description: From C-ECHO-RQ to C-ECHO-RSP, as C(min), C(median) and C(max) over RV(ignore:count) of them.
      type: dict
  sample: {tcp: 0.4, tls: 4.1, association: 1.9, echo: {min: 1.2, median: 1.4, max: 2.0}}
tls_version:
  description: Version of TLS that was agreed on.
  type: str
  returned: always, None without TLS
  sample: TLSv1.3
cipher:
  description: Cipher suite that was agreed on.
  type: str
  returned: always, None without TLS
  sample: TLS_AES_256_GCM_SHA384
client_certificate_requested:
  description: Whether the peer asked for a client certificate in the handshake, be one required or not.
  type: bool
  returned: always, None without TLS
peer_certificate:
  description: The certificate that the peer has shown, also if it was not accepted.
  type: dict
  returned: always, None without TLS
  contains:
    subject:
      description: Its subject (RFC 4514).
      type: str
    subject_alt_names:
      description: The names that it is for, each with its kind.
      type: list
      elements: str
    issuer:
      description: Subject of the authority that issued it.
      type: str
    not_valid_after:
      description: Its end, in UTC.
      type: str
    days_left:
      description: Whole days until then, negative if it is over.
      type: int
  sample:
    subject: CN=archive.hospital.example
    subject_alt_names: ['DNS:archive.hospital.example', 'IP:10.0.0.5']
    issuer: CN=Hospital imaging CA
    not_valid_after: '2027-03-01T12:00:00Z'
    days_left: 120
implementation_class_uid:
  description: What software the peer says it is (PS3.7 Annex D.3.3.2).
  type: str
  returned: always, None without an association
  sample: 1.2.276.0.7230010.3.0.3.6.7
implementation_version_name:
  description: Which version of it.
  type: str
  returned: always, None without an association
  sample: OFFIS_DCMTK_367
maximum_pdu:
  description: Length in bytes of the longest PDU that the peer takes. 0 means any.
  type: int
  returned: always, None without an association
rejection:
  description: The C(result), C(source) and C(reason) of A-ASSOCIATE-RJ in words (PS3.8 §9.3.4).
  type: dict
  returned: always, None unless RV(failure) is V(association_rejected)
  sample:
    result: rejected permanently
    source: the application (DICOM UL service-user)
    reason: called AE title not recognized
dimse_status:
  description: Status of the C-ECHO response, in hexadecimal (PS3.7 Annex C).
  type: str
  returned: always, None unless RV(failure) is V(dimse_status)
  sample: '0122'
"""

import traceback

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom_peer import (
    PEER_ARGUMENTS,
    peer_from_options,
    peer_problems,
)
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom_probe import check
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom_quiet import silence_libraries
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom_tls import tls_problems

IMPORT_ERROR: str | None = None
try:
    import cryptography  # noqa: F401
    import pynetdicom  # noqa: F401
except ImportError:
    IMPORT_ERROR = traceback.format_exc()


def main() -> None:
    """Ask, and say what came back."""
    module = AnsibleModule(
        argument_spec={
            **PEER_ARGUMENTS,
            "count": {"type": "int", "default": 1},
            "fail_on": {"type": "str", "choices": ["any", "never"], "default": "any"},
        },
        supports_check_mode=True,
    )
    if IMPORT_ERROR:
        module.fail_json(msg=missing_required_lib("pynetdicom and cryptography"), exception=IMPORT_ERROR)
    silence_libraries()

    options = module.params
    problems = peer_problems(options)
    if options["count"] < 1:
        problems.append(f"count: {options['count']} is below 1")
    peer = peer_from_options(options)
    problems += tls_problems(peer.tls)
    if problems:
        module.fail_json(msg=f"These options cannot be used: {'; '.join(problems)}", problems=problems)

    report = check(peer, options["count"])
    result = {**report.to_result(), "changed": False, "msg": report.sentence}
    if not report.alive and options["fail_on"] == "any":
        module.fail_json(**result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
