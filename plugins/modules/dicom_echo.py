#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: dicom_echo
short_description: Check whether DICOM peers are alive, and if not, why
version_added: 0.1.0
author:
  - The OrthWeb authors (@cellcs)
description:
  - Connects to a DICOM peer, requests an association and sends C-ECHO (PS3.7 §9.1.5), over TLS if requested.
  - Reports how long each step took, what the peer says about itself, and, if a step fails, which one, why and what
    to do.
  - Checks one peer (O(host)), or many in parallel (O(peers)), which takes little longer than the slowest of them.
  - It changes nothing, on the peer or anywhere else.
options:
  host:
    description:
      - Host name or IP address of the peer. Set this or O(peers).
      - The addresses of a name are tried in turn.
    type: str
    required: false
  called_aet:
    description:
      - AE title of the peer. Many peers accept only their own.
      - Needed with O(host). With O(peers), the default of its entries.
    type: str
    required: false
  peers:
    description:
      - Peers to check in parallel. Set this or O(host).
      - Each entry needs a C(host) and, unless O(called_aet) is given for all, a C(called_aet). For everything else
        that
        an entry does not set, the option of the same name outside O(peers) applies.
      - Options outside that contradict an entry do not apply to it. With O(peers[].tls=false) these are
        all options about certificates, with O(peers[].verify=false) O(ca_file) and O(crl_file), with
        O(peers[].ca_file)
        O(crl_file), with O(peers[].client_certificate) O(client_key) and O(client_key_passphrase), with
        O(peers[].client_key) O(client_key_passphrase).
      - All problems of all entries are reported at once, before any peer is contacted.
    type: list
    elements: dict
    suboptions:
      host:
        description: As O(host). An entry needs it.
        type: str
      port:
        description: As O(port).
        type: int
      calling_aet:
        description: As O(calling_aet).
        type: str
      called_aet:
        description: As O(called_aet). An entry needs it, or that one.
        type: str
      tls:
        description: As O(tls).
        type: bool
      ca_file:
        description: As O(ca_file).
        type: path
      crl_file:
        description: As O(crl_file).
        type: path
      client_certificate:
        description: As O(client_certificate).
        type: path
      client_key:
        description: As O(client_key).
        type: path
      client_key_passphrase:
        description: As O(client_key_passphrase).
        type: str
      server_name:
        description: As O(server_name). Without both, O(peers[].host).
        type: str
      verify:
        description: As O(verify).
        type: bool
      minimum_version:
        description: As O(minimum_version).
        type: str
        choices: ['1.2', '1.3']
      connect_timeout_seconds:
        description: As O(connect_timeout_seconds).
        type: float
      tls_timeout_seconds:
        description: As O(tls_timeout_seconds).
        type: float
      association_timeout_seconds:
        description: As O(association_timeout_seconds).
        type: float
      dimse_timeout_seconds:
        description: As O(dimse_timeout_seconds).
        type: float
      retries:
        description: As O(retries). Each peer is tried again by itself.
        type: int
      retry_delay_seconds:
        description: As O(retry_delay_seconds).
        type: float
      maximum_pdu:
        description: As O(maximum_pdu).
        type: int
  parallel:
    description:
      - Maximum number of O(peers) to check at a time, 1 to 256. It is lower where a process can open only few files.
      - Peers that are checked at the same time share the local processor, and their RV(ignore:latency_ms) includes
        waiting for it. Set it to 1 to measure each by itself.
    type: int
    default: 256
  count:
    description: How many C-ECHO to send to each peer, over one association, 1 to 10000.
    type: int
    default: 1
  fail_on:
    description:
      - When the task fails.
      - With V(any), when any peer is not alive. With V(all), when none of them is.
      - With V(never) it does not fail because of a peer. RV(alive) and RV(failure) say what is wrong, so that the
        caller can decide. Invalid options still are a failure.
    type: str
    choices: [any, all, never]
    default: any
attributes:
  check_mode:
    description: Can run in check mode and then does the same, as it changes nothing.
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

- name: Ask every modality, and go on if any of them answers
  cellcs.orthweb.dicom_echo:
    calling_aet: ORTHANC
    tls: true
    ca_file: /etc/orthweb/pki/ca-bundle.pem
    client_certificate: /etc/orthweb/pki/archive.crt
    client_key: /etc/orthweb/pki/archive.key
    peers:
      - {host: ct1.hospital.example, called_aet: CT1, port: 2762}
      - {host: mr1.hospital.example, called_aet: MR1, port: 2762, retries: 2}
      - {host: 192.0.2.21, called_aet: OLD_US, port: 104, tls: false}
    fail_on: all
  register: modalities

- name: Say which of them are silent, and why
  ansible.builtin.debug:
    msg: "{{ modalities.peers | rejectattr('alive') | map(attribute='msg') }}"

- name: Wait up to a minute for an archive that has just been started
  cellcs.orthweb.dicom_echo:
    host: 10.0.0.5
    called_aet: ORTHANC
    retries: 30
    retry_delay_seconds: 2
"""

RETURN = r"""
msg:
  description:
    - The result in words. If something failed, what was tried, what came back and what to do.
    - With O(peers), how many are not alive, the sentences of the first three, and what failed with the others.
  type: str
  returned: always
  sample: ORTHANC at archive.hospital.example:11112 answered 1 C-ECHO over TLSv1.3, in 1.4 ms.
peers:
  description:
    - The result for each peer, in the order of O(peers).
    - Each has the keys that are returned with O(host).
  type: list
  elements: dict
  returned: with O(peers)
  sample:
    - msg: CT1 at ct1.hospital.example:2762 answered 1 C-ECHO over TLSv1.3, in 1.4 ms.
      host: ct1.hospital.example
      port: 2762
      called_aet: CT1
      alive: true
      failure:
      attempts: 1
      latency_ms: {tcp: 0.4, tls: 4.1, association: 1.9, echo: {min: 1.4, median: 1.4, max: 1.4}}
      tls_version: TLSv1.3
      cipher: TLS_AES_256_GCM_SHA384
      client_certificate_requested: true
      peer_certificate:
        subject: CN=ct1.hospital.example
        subject_alt_names: ['DNS:ct1.hospital.example']
        issuer: CN=Hospital imaging CA
        not_valid_after: '2027-03-01T12:00:00Z'
        days_left: 120
      implementation_class_uid: 1.2.276.0.7230010.3.0.3.6.7
      implementation_version_name: OFFIS_DCMTK_367
      maximum_pdu: 16384
      rejection:
      dimse_status:
alive_count:
  description: How many of O(peers) are alive.
  type: int
  returned: with O(peers)
failed_count:
  description: How many of O(peers) are not.
  type: int
  returned: with O(peers)
host:
  description: The peer's host, as given.
  type: str
  returned: with O(host)
port:
  description: The peer's port.
  type: int
  returned: with O(host)
called_aet:
  description: The peer's AE title.
  type: str
  returned: with O(host)
alive:
  description: Whether every C-ECHO was answered with success (status 0000), by all of O(peers) if these are given.
  type: bool
  returned: always
failure:
  description: What failed, in one word out of those listed in the notes. None if RV(alive).
  type: str
  returned: with O(host)
  sample: certificate_expired
attempts:
  description: How often it was tried.
  type: int
  returned: with O(host)
latency_ms:
  description: Milliseconds that each step took in the last attempt. None for a step that was not reached.
  type: dict
  returned: with O(host)
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
  returned: with O(host), None without TLS
  sample: TLSv1.3
cipher:
  description: Cipher suite that was agreed on.
  type: str
  returned: with O(host), None without TLS
  sample: TLS_AES_256_GCM_SHA384
client_certificate_requested:
  description: Whether the peer asked for a client certificate in the handshake, required or not.
  type: bool
  returned: with O(host), None without TLS
peer_certificate:
  description: The certificate that the peer presented, even if it was not accepted.
  type: dict
  returned: with O(host), None without TLS
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
      description: When it expires, in UTC.
      type: str
    days_left:
      description: Full days until then, negative if it has expired.
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
  returned: with O(host), None without an association
  sample: 1.2.276.0.7230010.3.0.3.6.7
implementation_version_name:
  description: Which version of it.
  type: str
  returned: with O(host), None without an association
  sample: OFFIS_DCMTK_367
maximum_pdu:
  description: Length in bytes of the longest PDU that the peer accepts. 0 means any.
  type: int
  returned: with O(host), None without an association
rejection:
  description: The C(result), C(source) and C(reason) of A-ASSOCIATE-RJ in words (PS3.8 §9.3.4).
  type: dict
  returned: with O(host), None unless RV(failure) is V(association_rejected)
  sample:
    result: rejected permanently
    source: the application (DICOM UL service-user)
    reason: called AE title not recognized
dimse_status:
  description: Status of the C-ECHO response, in hexadecimal (PS3.7 Annex C).
  type: str
  returned: with O(host), None unless RV(failure) is V(dimse_status)
  sample: '0122'
"""


from ansible.module_utils.basic import AnsibleModule
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.echo.peers import (
    LARGEST_PARALLEL,
    check_all,
    declared_peers,
)
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.libraries import library_problem, silence_libraries
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.net.tls import TlsContexts, tls_problems
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.peer import (
    ENTRY_ARGUMENTS,
    PEER_ARGUMENTS,
    peer_from_options,
    peer_problems,
)

MOST_ECHOES = 10_000


def main() -> None:
    """Ask, and say what came back."""
    module = AnsibleModule(
        argument_spec={
            **PEER_ARGUMENTS,
            "host": {"type": "str"},
            "called_aet": {"type": "str"},
            "peers": {"type": "list", "elements": "dict", "options": ENTRY_ARGUMENTS},
            "parallel": {"type": "int", "default": 256},
            "count": {"type": "int", "default": 1},
            "fail_on": {"type": "str", "choices": ["any", "all", "never"], "default": "any"},
        },
        mutually_exclusive=[("host", "peers")],
        required_one_of=[("host", "peers")],
        required_by={"host": "called_aet"},
        supports_check_mode=True,
    )
    if problem := library_problem("pynetdicom", "pydicom", "cryptography"):
        module.fail_json(**problem)
    silence_libraries()

    options = module.params
    count, parallel = options["count"], options["parallel"]
    contexts = TlsContexts()
    if options["peers"] is None:
        peers = [peer_from_options(options)]
        problems = peer_problems(options) + tls_problems(peers[0].tls, contexts)
    else:
        peers, problems = declared_peers(options["peers"], options, contexts)
    if not 1 <= count <= MOST_ECHOES:
        problems.append(f"count: {count} is not between 1 and {MOST_ECHOES}")
    if not 1 <= parallel <= LARGEST_PARALLEL:
        problems.append(f"parallel: {parallel} is not between 1 and {LARGEST_PARALLEL}")
    if problems:
        module.fail_json(msg=f"These options cannot be used: {'; '.join(problems)}", problems=problems)

    reports = check_all(peers, count, parallel, contexts)
    result = reports.reports[0].to_result() if options["peers"] is None else reports.to_result()
    fails = {"never": False, "any": bool(reports.failed), "all": not reports.alive}
    if fails[options["fail_on"]]:
        module.fail_json(changed=False, **result)
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
