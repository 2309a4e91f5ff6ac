#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: pki
short_description: Manage a whole private PKI declaratively
version_added: 0.1.0
author:
  - The OrthWeb authors (@cellcs)
description:
  - Creates and maintains a private certificate authority, the certificates that it issues and its certificate
    revocation
    list in one folder, as declared.
  - Each run decides for the CA, for every certificate and for the CRL what has to be done, and says why in
    RV(ignore:reasons). A run that has nothing to do changes nothing, so renewal is running the same playbook again.
  - Every file is written completely or not at all. An interrupted run is finished by the next one, and a lock
    prevents
    two runs at the same time.
  - A CA's key is never replaced implicitly. A key that is missing, that cannot be read, that the passphrase does not
    decrypt, that is damaged or of another type, a CA certificate that is damaged or does not belong to the key,
    and a folder that belongs to another CA are each refused with a separate error, and no file is changed.
  - O(ca.generation) gives a CA a new key. The former CA stays trusted as long as one of its certificates is in use.
  - All parameters are checked before anything is touched, and all problems are reported at once.
  - Certificates conform to RFC 5280. They are valid from one hour before they are issued, for peers whose clock is
    behind, and never outlive their CA.
options:
  path:
    description:
      - Absolute path of the folder. It is created, with O(directory_mode).
      - Private keys, the CA's among them, never leave it. Keep a backup.
    type: path
    required: true
  ca:
    description: The root certificate authority. It issues the certificates, unless there is O(ca.intermediate).
    type: dict
    required: true
    suboptions:
      common_name:
        description: Common name of the CA. A folder whose CA has another subject is refused.
        type: str
        required: true
      organization:
        description: Organization in the subject of the CA and of its certificates.
        type: str
      key_type:
        description:
          - Type of the CA's key. It is changed with O(ca.generation) only.
          - A peer without ECDSA cannot verify anything under an ECDSA key. Use RSA for such peers.
        type: str
        choices: [ecdsa-p256, ecdsa-p384, rsa-2048, rsa-3072, rsa-4096]
        default: ecdsa-p256
      valid_days:
        description: Lifetime of the CA certificate. It is renewed with the same key, so that its certificates stay
          valid.
        type: int
        default: 3650
      passphrase:
        description:
          - Encrypts C(ca.key) (PKCS#8). A key that was not encrypted so far is encrypted in place.
          - Without it the key is protected by its mode C(0600) only.
        type: str
      generation:
        description:
          - Raised by one, it gives the CA a new key and certificate, called C(<common_name> G2) and so on.
          - Certificates of the former CA stay as they are until they are renewed, and come from the new one then. The
            former certificate stays in C(ca-bundle.crt) until its last certificate has expired or is revoked, and
            its CRL in C(crl.pem) until all have expired. Give the new bundle to all peers before that.
          - It cannot be lowered. If omitted, the CA stays as it is.
          - Do not use it for a CA whose key is compromised, since that CA stays trusted. Start with a new folder
            instead.
        type: int
      path_length:
        description:
          - Number of CAs allowed below this one (RFC 5280 §4.2.1.9).
          - By default V(1) with O(ca.intermediate), and V(0) without.
        type: int
      name_constraints:
        description:
          - Names that the CA is allowed to issue for (RFC 5280 §4.2.1.10). Other names in O(certificates) are
            refused.
          - A kind of name without a subtree here is not constrained. To permit DNS names only, exclude
            C(IP:0.0.0.0/0) and
            C(IP:::/0), too.
          - Each is a domain such as C(clinic.example) (with everything below it), a network such as C(10.0.0.0/8),
            or with a
            prefix C(DNS:), C(IP:), C(email:) or C(URI:). The last two are followed by a host, or, with a leading dot,
            all hosts below a domain.
          - A change creates a new certificate for the same key.
        type: dict
        suboptions:
          permitted:
            description: Subtrees within which all names of their kind must be.
            type: list
            elements: str
            default: []
          excluded:
            description: Subtrees within which no name is allowed, permitted or not.
            type: list
            elements: str
            default: []
      intermediate:
        description:
          - An intermediate CA under this one, which issues the certificates instead.
          - Then C(ca.key) can be kept offline. Move it out of the folder, and bring it back when a run says that it
            is needed, and what for. That is when a CA certificate has to be renewed, at the latest O(renew_before_days)
            before it expires, or for a new generation of the intermediate CA. The root's own CRL lives as long as the
            intermediate CA, so that it does not need the key.
          - Under a root that has already issued certificates, it creates a new root certificate (O(ca.path_length)).
            Give that to all peers first, as the old one allows no intermediate CA.
          - Certificates that the root has issued before stay valid until they are renewed. Until then the root's key
            is needed to renew its CRL.
          - Once created, it has to stay in the declaration.
        type: dict
        suboptions:
          common_name:
            description: Common name of the intermediate CA.
            type: str
            required: true
          key_type:
            description: Type of its key. It is changed with O(ca.intermediate.generation) only.
            type: str
            choices: [ecdsa-p256, ecdsa-p384, rsa-2048, rsa-3072, rsa-4096]
            default: ecdsa-p256
          valid_days:
            description: Lifetime of its certificate. It is renewed with the same key.
            type: int
            default: 1825
          passphrase:
            description: Encrypts C(ca-intermediate.key), as O(ca.passphrase) does C(ca.key).
            type: str
          generation:
            description:
              - Raised by one, it gives the intermediate CA a new key and certificate, as O(ca.generation) does.
              - Peers trust the root and need nothing new. When the root's generation is raised, this must be, too.
            type: int
  certificates:
    description:
      - The certificates. One that is in the folder but not in this list is not changed, and is returned in
        RV(undeclared).
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Stem of the certificate's files. At most 64 of C(a-z), C(0-9), C(.), C(_) and C(-).
        type: str
        required: true
      state:
        description:
          - V(present) issues the certificate, and issues it again when it differs or expires soon. After V(revoked)
            it
            gets a new key.
          - V(revoked) puts every certificate that was ever issued under this name, and has not expired, on the CRL.
            The files stay, and it stays on the CRL whatever the state is later.
          - V(absent) removes the files. It does not revoke.
        type: str
        choices: [present, revoked, absent]
        default: present
      usage:
        description: Which sides of a TLS connection it is for (extended key usage). Set both for a node that does
          both.
        type: list
        elements: str
        choices: [server, client]
        default: [server]
      common_name:
        description:
          - Common name in the subject. By default the first DNS name of
            O(certificates[].subject_alt_names), or O(certificates[].name) if there is none.
        type: str
      subject_alt_names:
        description:
          - DNS names, IP addresses, URIs and mail addresses, distinguished by their form or by a prefix C(DNS:),
            C(IP:),
            C(URI:) or C(email:).
          - Internationalised names become A-labels. A wildcard is the whole first part of a name that
            has at least two more.
          - A certificate for V(server) needs at least one DNS name or IP address.
        type: list
        elements: str
        default: []
      valid_days:
        description: Lifetime of the certificate. TLS clients refuse servers with more than V(398).
        type: int
        default: 397
      key_type:
        description: Type of the key. The default is what the oldest modalities can still use and is strong enough.
        type: str
        choices: [ecdsa-p256, ecdsa-p384, rsa-2048, rsa-3072, rsa-4096]
        default: rsa-3072
      pkcs12:
        description: Whether to bundle key, certificate and CA certificate in C(<name>.p12), to give to its owner.
        type: bool
        default: false
      pkcs12_passphrase:
        description: Passphrase of the bundle. Required with O(certificates[].pkcs12).
        type: str
  renew_before_days:
    description: A certificate, and the CA's own, is renewed when it has less than this left.
    type: int
    default: 30
  crl_valid_days:
    description: Lifetime of the CRL. It is renewed when less than a third of it is left, and with every revocation.
    type: int
    default: 30
  owner:
    description:
      - Name or number of the user that owns the folder and all files. Only root can set it.
      - By default each file belongs to whoever runs the module when it is written.
    type: str
  group:
    description: Name or number of the group of the folder and all files. By default as for O(owner).
    type: str
  mode:
    description:
      - Mode of the private keys and PKCS#12 bundles of certificates, octal in quotes, or as in C(u=rw,g=r).
        V(0640) with O(group) lets a service that is not root read its key.
      - Keys of CAs always have V(0600), and what is public V(0644).
    type: raw
    default: '0600'
  directory_mode:
    description: Mode of the folder and those in it.
    type: raw
    default: '0700'
attributes:
  check_mode:
    description: Makes the same decisions and writes nothing, even if the folder does not exist yet.
    support: full
  diff_mode:
    description: Shows what each certificate says before and after, and never key material.
    support: full
notes:
  - Intended for the controller, by delegation or over a local connection. It needs the Python that the controller
    needs.
  - Files are C(ca.key), C(ca.crt), C(ca-bundle.crt) and C(crl.pem); C(ca-intermediate.key) and
    C(ca-intermediate.crt); C(<name>.key), C(<name>.crt), C(<name>.chain.crt) and C(<name>.p12) for each certificate;
    C(former/), the CAs of former generations; and C(issued/), the ledger from which later runs know what to revoke.
    Do not remove the ledger.
  - C(crl.pem) has one list for each CA, that of the issuing CA first, for verifiers such as nginx that check all CAs
    on the way to the root.
requirements:
  - python >= 3.11
  - cryptography >= 38
"""

EXAMPLES = r"""
- name: Keep the PKI of a stack, with one server and two modalities
  cellcs.orthweb.pki:
    path: "{{ ansible_facts['env']['HOME'] }}/.orthweb/clinic/pki"
    ca:
      common_name: Clinic imaging CA
      organization: Example Clinic
      passphrase: "{{ clinic_ca_passphrase }}"
    certificates:
      - name: pacs
        subject_alt_names:
          - pacs.clinic.example
          - 192.0.2.10
      - name: ct-1
        usage: [client]
        pkcs12: true
        pkcs12_passphrase: "{{ clinic_ct_1_passphrase }}"
      - name: mr-1
        usage: [client]
        state: revoked
  register: clinic_pki

- name: An intermediate CA for one domain, whose root is kept offline
  cellcs.orthweb.pki:
    path: /srv/pki
    ca:
      common_name: Clinic root CA
      name_constraints:
        permitted: [clinic.example, 10.0.0.0/8]
      intermediate:
        common_name: Clinic imaging CA
        passphrase: "{{ clinic_ca_passphrase }}"
    certificates:
      - name: pacs
        subject_alt_names: [pacs.clinic.example, 10.1.2.3]
    group: ssl-cert
    mode: "0640"
    directory_mode: "0750"

- name: A new root, of another key type, beside the old one
  cellcs.orthweb.pki:
    path: /srv/other-pki
    ca:
      common_name: Clinic imaging CA
      key_type: ecdsa-p384
      generation: 2

- name: Hand the bundle over
  ansible.builtin.copy:
    src: "{{ clinic_pki.by_name['ct-1'].pkcs12 }}"
    dest: /mnt/handover/ct-1.p12
    mode: "0600"
"""

RETURN = r"""
path:
  description: The folder.
  returned: success
  type: str
  sample: /home/admin/.orthweb/clinic/pki
ca:
  description: The CA. In check mode, what only the run itself will know is V(null) here and below.
  returned: success
  type: dict
  contains:
    action:
      description:
        - What was done. V(keep) nothing, V(issue) there was no certificate, V(renew) a new certificate for the same
          key, V(repair) the files were completed from what is there.
      type: str
    reasons:
      description: Why.
      type: list
      elements: str
      sample: [expires_soon]
    key:
      description: Path of the private key.
      type: str
    offline:
      description: Whether the private key is kept elsewhere.
      type: bool
    generation:
      description: Which generation it is.
      type: int
    certificate:
      description: Path of the certificate.
      type: str
    bundle:
      description: Path of the certificates that peers should trust.
      type: str
    subject:
      description: Its subject (RFC 4514).
      type: str
    issuer:
      description: Subject of the CA that has issued it.
      type: str
    fingerprint_sha256:
      description: SHA-256 fingerprint, as C(openssl x509 -fingerprint) writes it.
      type: str
    serial:
      description: Serial number, as C(openssl x509 -serial) writes it.
      type: str
    not_valid_before:
      description: Start of its validity, in UTC.
      type: str
    not_valid_after:
      description: End of its validity, in UTC.
      type: str
      sample: "2036-11-19T13:21:07Z"
    days_left:
      description: Whole days until then.
      type: int
intermediate_ca:
  description: The intermediate CA, in the terms of RV(ca); V(null) if none is declared.
  returned: success
  type: dict
former_cas:
  description: CAs of former generations that are still in use, in the terms of RV(ca), without RV(ca.bundle).
  returned: success
  type: list
  elements: dict
  sample:
    - generation: 1
      certificate: /srv/pki/former/ca.1.crt
      subject: CN=Clinic imaging CA
      days_left: 812
crl:
  description: The certificate revocation lists.
  returned: success
  type: dict
  contains:
    action:
      description: V(keep), V(issue) or V(renew).
      type: str
    reasons:
      description: Why.
      type: list
      elements: str
      sample: [revocations_differ]
    path:
      description: Path of the file with the lists.
      type: str
    number:
      description: CRL number of the issuing CA; it only increases.
      type: int
    next_update:
      description: When the first of the lists expires, in UTC.
      type: str
certificates:
  description: The declared certificates, in declared order.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: As declared.
      type: str
    state:
      description: As declared.
      type: str
    action:
      description: As for RV(ca.action), and V(rekey) a new key and certificate, V(revoke), V(remove).
      type: str
    reasons:
      description: Why.
      type: list
      elements: str
      sample: [subject_alt_name_differs]
    private_key:
      description: Path of the private key.
      type: str
    certificate:
      description: Path of the certificate alone.
      type: str
    chain:
      description: Path of the certificate with the intermediate CA certificates after it, as servers want it.
      type: str
    pkcs12:
      description: Path of the PKCS#12 bundle; V(null) if none is declared.
      type: str
    subject_alt_names:
      description: The names, normalised and with their prefix.
      type: list
      elements: str
      sample: ["DNS:pacs.clinic.example", "IP:192.0.2.10"]
    subject:
      description: Its subject (RFC 4514).
      type: str
    issuer:
      description: Subject of the CA that has issued it.
      type: str
    fingerprint_sha256:
      description: SHA-256 fingerprint, as C(openssl x509 -fingerprint) writes it.
      type: str
    serial:
      description: Serial number, as C(openssl x509 -serial) writes it.
      type: str
    not_valid_before:
      description: Start of its validity, in UTC.
      type: str
    not_valid_after:
      description: End of its validity, in UTC.
      type: str
    days_left:
      description: Whole days until then.
      type: int
by_name:
  description: The same entries as in RV(certificates), by name.
  returned: success
  type: dict
undeclared:
  description: Names under which certificates are valid that the declaration does not mention.
  returned: success
  type: list
  elements: str
attributes:
  description: Files and folders that were there, and whose owner, group or mode was not as declared.
  returned: success
  type: list
  elements: str
failure:
  description: Which failure it was, for callers that tell them apart. RV(ignore:msg) says what to do about it.
  returned: failure
  type: str
  sample: ca_key_passphrase
"""

from datetime import UTC, datetime

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.cellcs.orthweb.plugins.module_utils.pki.apply import apply_plan
from ansible_collections.cellcs.orthweb.plugins.module_utils.pki.current import read_current
from ansible_collections.cellcs.orthweb.plugins.module_utils.pki.errors import PkiError
from ansible_collections.cellcs.orthweb.plugins.module_utils.pki.layout import Layout
from ansible_collections.cellcs.orthweb.plugins.module_utils.pki.library import library_problem
from ansible_collections.cellcs.orthweb.plugins.module_utils.pki.lock import locked
from ansible_collections.cellcs.orthweb.plugins.module_utils.pki.parse import parse_spec
from ansible_collections.cellcs.orthweb.plugins.module_utils.pki.plan import make_plan
from ansible_collections.cellcs.orthweb.plugins.module_utils.pki.report import build_diff, build_report
from ansible_collections.cellcs.orthweb.plugins.module_utils.pki.spec import RENEW_BEFORE_DAYS

KEY_TYPES = ["ecdsa-p256", "ecdsa-p384", "rsa-2048", "rsa-3072", "rsa-4096"]

AUTHORITY_OPTIONS = {
    "common_name": {"type": "str", "required": True},
    "key_type": {"type": "str", "choices": KEY_TYPES, "default": "ecdsa-p256", "no_log": False},
    "passphrase": {"type": "str", "no_log": True},
    "generation": {"type": "int"},
}

CA_OPTIONS = {
    **AUTHORITY_OPTIONS,
    "organization": {"type": "str"},
    "valid_days": {"type": "int", "default": 3650},
    "path_length": {"type": "int"},
    "name_constraints": {
        "type": "dict",
        "options": {
            "permitted": {"type": "list", "elements": "str", "default": []},
            "excluded": {"type": "list", "elements": "str", "default": []},
        },
    },
    "intermediate": {
        "type": "dict",
        "options": {**AUTHORITY_OPTIONS, "valid_days": {"type": "int", "default": 1825}},
    },
}

CERTIFICATE_OPTIONS = {
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "revoked", "absent"], "default": "present"},
    "usage": {"type": "list", "elements": "str", "choices": ["server", "client"], "default": ["server"]},
    "common_name": {"type": "str"},
    "subject_alt_names": {"type": "list", "elements": "str", "default": []},
    "valid_days": {"type": "int", "default": 397},
    "key_type": {"type": "str", "choices": KEY_TYPES, "default": "rsa-3072", "no_log": False},
    "pkcs12": {"type": "bool", "default": False},
    "pkcs12_passphrase": {"type": "str", "no_log": True},
}

ARGUMENT_SPEC = {
    "path": {"type": "path", "required": True},
    "ca": {"type": "dict", "required": True, "options": CA_OPTIONS},
    "certificates": {"type": "list", "elements": "dict", "default": [], "options": CERTIFICATE_OPTIONS},
    "renew_before_days": {"type": "int", "default": RENEW_BEFORE_DAYS},
    "crl_valid_days": {"type": "int", "default": 30},
    "owner": {"type": "str"},
    "group": {"type": "str"},
    "mode": {"type": "raw", "default": "0600"},
    "directory_mode": {"type": "raw", "default": "0700"},
}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    if problem := library_problem():
        module.fail_json(**problem)
    now = datetime.now(UTC)
    try:
        desired = parse_spec(module.params)
        layout = Layout(desired.path)
        with locked(layout, desired.ownership, writing=not module.check_mode):
            before = after = read_current(desired, layout)
            plan = make_plan(desired, before, now)
            if not module.check_mode:
                apply_plan(plan, desired, layout, before, now)
                after = read_current(desired, layout) if plan.changes_anything else before
    except PkiError as error:
        module.fail_json(msg=str(error), failure=error.failure)

    result = build_report(plan, layout, after, now, done=not module.check_mode)
    module.exit_json(**result, diff=build_diff(plan, before, now))


if __name__ == "__main__":
    main()
