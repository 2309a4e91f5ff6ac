#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: pki_info
short_description: Report which certificates, keys and revocation lists are in a folder, and when they expire
version_added: 0.1.0
author:
  - The OrthWeb authors (@cellcs)
description:
  - Reads a folder of PEM, DER or PKCS#12 files, or one such file, made by M(cellcs.orthweb.pki) or by anything else.
  - Reports for each certificate its contents, when it expires, which file has its issuer and which its private key,
    and
    whether a certificate revocation list in the folder revokes it.
  - Never fails because of a file. What could not be read is returned in RV(unreadable), each with the reason. FIFOs,
    sockets and devices are never opened.
  - Changes nothing, takes no lock, and returns neither key material nor passphrases.
options:
  path:
    description:
      - Absolute path of the folder, or of one file.
      - A path that does not exist is not a failure (RV(exists) is V(false)).
    type: path
    required: true
  recurse:
    description:
      - Whether to read the folders below too. Links to folders are not followed. Links to files always are.
      - In a folder of M(cellcs.orthweb.pki), this reads the ledger C(issued/) as well. What only the ledger still has
        is returned with RV(certificates[].superseded), and does not count in RV(expired), RV(expiring) and
        RV(expires_next).
    type: bool
    default: false
  passphrases:
    description:
      - Passphrases to try, in this order, on each encrypted private key and PKCS#12 file.
      - As with every secret, Ansible blanks them out wherever else they occur in the result, in a path for example.
    type: list
    elements: str
    default: []
  warn_days:
    description: Certificates with fewer whole days left than this are in RV(expiring).
    type: int
    default: 30
  max_files:
    description: Number of files after which reading ends, and RV(complete) is V(false).
    type: int
    default: 10000
  max_file_bytes:
    description: Files longer than this are not read.
    type: int
    default: 1048576
extends_documentation_fragment:
  - cellcs.orthweb.reads_only
notes:
  - "The values of RV(unreadable[].reason), of a file as a whole: V(ignore:no_permission); V(ignore:link_loop),
    V(ignore:link_dangling), V(ignore:link_to_folder) (with O(recurse)); V(ignore:not_a_file), a FIFO, socket or device;
    V(ignore:too_large) (O(max_file_bytes), or a private key longer than 16 KiB); V(ignore:empty);
    V(ignore:system_error)."
  - "Of what is in it: V(ignore:not_pki), its name ends as if it were of a PKI (C(.cer), C(.crl), C(.crt), C(.der),
    C(.key), C(.p12), C(.pem) or C(.pfx)), and it is not; V(ignore:damaged); V(ignore:unsupported), a kind of key or
    encoding that cannot be read; V(ignore:passphrase_missing); V(ignore:passphrase_wrong); V(ignore:too_costly), it
    asks for more than 5 million rounds of key derivation."
  - Reading a PEM file ends after 100 parts that cannot be read.
  - PKCS#12 files must be DER. Some browsers write them as BER of indefinite length, which is V(ignore:unsupported).
  - A certificate counts as issued by another one if that is a CA of the name and its key made the signature. Nothing
    else of the path (RFC 5280 section 6) is checked, neither name constraints nor path lengths nor dates.
  - Of CA certificates with the same name, 16 are tried as issuers. Before cryptography 40, only RSA (PKCS#1 v1.5) and
    ECDSA signatures are understood in this.
requirements:
  - python >= 3.11
  - cryptography >= 38
seealso:
  - module: cellcs.orthweb.pki
"""

EXAMPLES = r"""
- name: Look at the PKI of a stack
  cellcs.orthweb.pki_info:
    path: "{{ ansible_facts['env']['HOME'] }}/.orthweb/clinic/pki"
    passphrases: ["{{ clinic_ca_passphrase }}"]
    warn_days: 45
  delegate_to: localhost
  register: clinic_pki

- name: Stop if a certificate has ended or soon will
  ansible.builtin.assert:
    that: not (clinic_pki.expired + clinic_pki.expiring)
    fail_msg: "{{ clinic_pki.msg }}"

- name: Look at what the servers of a host use
  cellcs.orthweb.pki_info:
    path: /etc/ssl
    recurse: true
  register: host_pki

- name: Name the private keys that lie open to others
  ansible.builtin.debug:
    msg: "{{ host_pki.private_keys | selectattr('exposed') | rejectattr('encrypted') | map(attribute='path') }}"
"""

RETURN = r"""
msg:
  description: What was found, in words.
  returned: always
  type: str
  sample: /etc/ssl has 3 certificates; 1 ended; the next to expire is CN=pacs.clinic.example on 2027-01-08.
path:
  description: The folder or file, as given. In all paths, bytes that are not UTF-8 are written as C(\xff).
  returned: success
  type: str
exists:
  description: Whether O(path) exists, readable or not.
  returned: success
  type: bool
complete:
  description: Whether everything was examined. V(false) if there are more than O(max_files) files.
  returned: success
  type: bool
certificates:
  description:
    - Each certificate once, in the order of their paths, those that are superseded last.
    - What cannot be read from a damaged or exotic certificate is V(null).
  returned: success
  type: list
  elements: dict
  contains:
    path:
      description: The file that it is in; if there are several, the one with the fewest other certificates.
      type: str
    position:
      description: Where in the file it is, counted from 1 over its certificates, keys and lists.
      type: int
    copies:
      description: The other places where it is, each with C(path) and C(position).
      type: list
      elements: dict
    subject:
      description: Its subject (RFC 4514).
      type: str
    issuer:
      description: Its issuer (RFC 4514).
      type: str
    subject_alt_names:
      description: Its subject alternative names, each with its kind.
      type: list
      elements: str
    usage:
      description: Extended key usages, V(server), V(client) or object identifiers. Without any, it is for all.
      type: list
      elements: str
    key_type:
      description: Type of the key, V(rsa), V(ecdsa), V(dsa), V(ed25519), V(ed448), V(x25519), V(x448) or V(other).
      type: str
    key_bits:
      description: Length of the key. V(null) for types that have one length only.
      type: int
    serial:
      description: Serial number, as C(openssl x509 -serial) writes it.
      type: str
    fingerprint_sha256:
      description: SHA-256 fingerprint, as C(openssl x509 -fingerprint -sha256) writes it.
      type: str
    not_valid_before:
      description: Start of its validity, in UTC.
      type: str
    not_valid_after:
      description: End of its validity, in UTC.
      type: str
    days_left:
      description: Full days until then, negative if it has expired.
      type: int
    is_ca:
      description: Whether it is a CA certificate.
      type: bool
    path_length:
      description: Number of CAs allowed below it. V(null) if there is no limit, and for other certificates.
      type: int
    self_signed:
      description: Whether its own key made its signature.
      type: bool
    issuer_path:
      description: The file of the certificate that issued it, which may be its own. V(null) if none here did.
      type: str
    revoked:
      description:
        - Whether a revocation list found here has it, as long as the list's signature is that of a CA found here.
        - V(null) if there is no such list of its issuer.
      type: bool
    revoked_at:
      description: When it was revoked, in UTC.
      type: str
    superseded:
      description: Whether nothing but the ledger of M(cellcs.orthweb.pki) has it.
      type: bool
    private_keys:
      description: The files with its private key, PKCS#12 files among them.
      type: list
      elements: str
  sample:
    - path: /etc/orthweb/pki/pacs.crt
      position: 1
      copies: [{path: /etc/orthweb/pki/pacs.chain.crt, position: 1}]
      subject: CN=pacs.clinic.example,O=Example Clinic
      issuer: CN=Clinic imaging CA,O=Example Clinic
      subject_alt_names: ["DNS:pacs.clinic.example", "IP:192.0.2.10"]
      usage: [server]
      key_type: rsa
      key_bits: 3072
      serial: 2E6D3CD2A9C6D9A0B4B9D3C1A0E5F6078192A3B4
      fingerprint_sha256: 7B:1C:0E:55:...
      not_valid_before: "2026-11-22T16:00:00Z"
      not_valid_after: "2027-12-24T15:59:59Z"
      days_left: 396
      is_ca: false
      path_length: null
      self_signed: false
      issuer_path: /etc/orthweb/pki/ca.crt
      revoked: false
      revoked_at: null
      superseded: false
      private_keys: [/etc/orthweb/pki/pacs.key]
private_keys:
  description: The private keys.
  returned: success
  type: list
  elements: dict
  contains:
    path:
      description: The file that it is in.
      type: str
    position:
      description: Where in the file it is.
      type: int
    key_type:
      description: As for RV(certificates[].key_type). V(null) if it could not be decrypted.
      type: str
    key_bits:
      description: As for RV(certificates[].key_bits).
      type: int
    encrypted:
      description: Whether it needs a passphrase.
      type: bool
    opened:
      description: Whether it could be read. If not, RV(unreadable) has the reason.
      type: bool
    mode:
      description: Mode of the file.
      type: str
      sample: "0600"
    exposed:
      description: Whether the file's mode gives anybody but its owner any right.
      type: bool
    certificates:
      description: The files with the certificates that belong to it.
      type: list
      elements: str
crls:
  description: The certificate revocation lists.
  returned: success
  type: list
  elements: dict
  contains:
    path:
      description: The file that it is in.
      type: str
    position:
      description: Where in the file it is.
      type: int
    issuer:
      description: The CA whose list it is (RFC 4514).
      type: str
    issuer_path:
      description: The file of the CA certificate whose key made the signature. V(null) if none here did.
      type: str
    number:
      description: CRL number.
      type: int
    last_update:
      description: When it was made, in UTC.
      type: str
    next_update:
      description: When it expires, in UTC. V(null) if it does not say so.
      type: str
    days_left:
      description: Full days until then, negative if it has expired.
      type: int
    revoked:
      description: The serial numbers that it revokes.
      type: list
      elements: str
pkcs12:
  description: The PKCS#12 files. What is in them is among RV(certificates) and RV(private_keys) too.
  returned: success
  type: list
  elements: dict
  contains:
    path:
      description: The file.
      type: str
    friendly_name:
      description: The friendly name of its certificate.
      type: str
    encrypted:
      description: Whether it needs a passphrase.
      type: bool
    opened:
      description: Whether it could be read. If not, RV(unreadable) has the reason.
      type: bool
    mode:
      description: Mode of the file.
      type: str
    exposed:
      description: Whether the file's mode gives anybody but its owner any right.
      type: bool
    certificates:
      description: SHA-256 fingerprints of its certificates.
      type: list
      elements: str
unreadable:
  description: What could not be read. The notes list the reasons.
  returned: success
  type: list
  elements: dict
  contains:
    path:
      description: The file or folder.
      type: str
    position:
      description: Where in the file it is. V(null) if nothing in it could be read.
      type: int
    reason:
      description: Why, in one word.
      type: str
    message:
      description: Why, in words.
      type: str
  sample:
    - path: /etc/orthweb/pki/ca.key
      position: 1
      reason: passphrase_missing
      message: it is encrypted, but no passphrase was given
other_files:
  description: Files that are something else, without the records of the ledger.
  returned: success
  type: list
  elements: dict
  contains:
    path:
      description: The file.
      type: str
    contains:
      description: Labels of the PEM parts that it nevertheless contains.
      type: list
      elements: str
      sample: [CERTIFICATE REQUEST]
expired:
  description: >-
    The certificates that have expired, the longest ago first, each with C(path), C(position), C(subject),
    C(not_valid_after) and C(days_left). Without those that are revoked or superseded.
  returned: success
  type: list
  elements: dict
expiring:
  description: In the same way those that have less than O(warn_days) left, the first to expire first.
  returned: success
  type: list
  elements: dict
expires_next:
  description: In the same way the next one to expire. V(null) if there is none.
  returned: success
  type: dict
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.cellcs.orthweb.plugins.module_utils.pki.library import library_problem
from ansible_collections.cellcs.orthweb.plugins.module_utils.pki.spec import RENEW_BEFORE_DAYS
from ansible_collections.cellcs.orthweb.plugins.module_utils.pki_survey.files import Limits
from ansible_collections.cellcs.orthweb.plugins.module_utils.pki_survey.report import Survey, build_report

ARGUMENT_SPEC = {
    "path": {"type": "path", "required": True},
    "recurse": {"type": "bool", "default": False},
    "passphrases": {"type": "list", "elements": "str", "default": [], "no_log": True},
    "warn_days": {"type": "int", "default": RENEW_BEFORE_DAYS},
    "max_files": {"type": "int", "default": 10_000},
    "max_file_bytes": {"type": "int", "default": 1_048_576},
}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    if problem := library_problem():
        module.fail_json(**problem)
    options = module.params
    problems = option_problems(options)
    if problems:
        module.fail_json(msg=f"These options cannot be used: {'; '.join(problems)}", problems=problems)
    survey = Survey(
        path=options["path"],
        limits=Limits(options["recurse"], options["max_files"], options["max_file_bytes"]),
        warn_days=options["warn_days"],
        passphrases=tuple(text.encode("utf-8", "surrogateescape") for text in options["passphrases"]),
    )
    module.exit_json(**build_report(survey, datetime.now(UTC)))


def option_problems(options: dict[str, Any]) -> list[str]:
    problems = []
    if not Path(options["path"]).is_absolute():
        problems.append(f"path: '{options['path']}' is not absolute, and the module runs in another folder")
    if "\0" in options["path"]:
        problems.append("path: contains a null character, which no path can have")
    problems += [f"{name}: {options[name]} is below 1" for name in ("max_files", "max_file_bytes") if options[name] < 1]
    if options["warn_days"] < 0:
        problems.append(f"warn_days: {options['warn_days']} is below 0")
    return problems


if __name__ == "__main__":
    main()
