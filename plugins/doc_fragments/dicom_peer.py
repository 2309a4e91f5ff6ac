# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of every module that speaks DICOM, and what they return when a peer does not answer as it should."""

from __future__ import annotations


class ModuleDocFragment:
    """``extends_documentation_fragment: cellcs.orthweb.dicom_peer``"""

    DOCUMENTATION = r"""
options:
  host:
    description:
      - Host name or IP address of the peer.
      - The addresses of a name are tried in turn.
    type: str
    required: true
  port:
    description: TCP port of the peer. 104, 11112 and, for TLS, 2762 are registered for DICOM (PS3.8 §9.1.1, PS3.15).
    type: int
    default: 11112
  calling_aet:
    description: Calling AE title. Many peers answer only to those that they know.
    type: str
    default: ORTHWEB
  called_aet:
    description: AE title of the peer. Many peers accept only their own.
    type: str
    required: true
  tls:
    description: Whether to use TLS (PS3.15 Annex B). The options about certificates need it.
    type: bool
    default: false
  ca_file:
    description:
      - PEM file of the authorities that may have issued the peer's certificate.
      - By default, those that the machine trusts.
    type: path
  crl_file:
    description: PEM file of the certificate revocation list of the authority in O(ca_file). A revoked peer is refused.
    type: path
  client_certificate:
    description: PEM file of the certificate to present, followed by the intermediate certificates.
    type: path
  client_key:
    description: PEM file of its private key. Without it, the key is expected in O(client_certificate).
    type: path
  client_key_passphrase:
    description: Passphrase of O(client_key), if it is encrypted.
    type: str
  server_name:
    description:
      - Name or IP address that the peer's certificate must have among its subject alternative names.
      - By default that is O(host).
    type: str
  verify:
    description:
      - Whether the peer's certificate must be valid, for O(server_name), and from an authority that we trust.
      - With V(false) anybody could be at the other end. Use it for troubleshooting, not for patients' images.
    type: bool
    default: true
  minimum_version:
    description: Lowest version of TLS to accept.
    type: str
    choices: ['1.2', '1.3']
    default: '1.2'
  connect_timeout_seconds:
    description: How long it may take to resolve the name and to connect to one of its addresses.
    type: float
    default: 5.0
  tls_timeout_seconds:
    description:
      - How long the TLS handshake may take.
      - If a peer's certificate is not accepted, or it closes a connection without TLS, it is contacted once more
        within
        the same time-outs, to read its certificate or to find out whether it speaks TLS.
    type: float
    default: 5.0
  association_timeout_seconds:
    description: How long the peer may take to answer the association request, and the release request.
    type: float
    default: 10.0
  dimse_timeout_seconds:
    description: How long the peer may take to receive each PDU, and to answer after the last one.
    type: float
    default: 30.0
  retries:
    description: Number of retries for a peer that fails.
    type: int
    default: 0
  retry_delay_seconds:
    description: How long to wait before each retry.
    type: float
    default: 1.0
  maximum_pdu:
    description: Length in bytes of the longest PDU that the peer may send, 4096 to 131072 (PS3.8 Annex D.1).
    type: int
    default: 16384
attributes:
  action_group:
    description: Use C(group/cellcs.orthweb.dicom) in C(module_defaults) to set the options that these modules share.
    support: full
    membership:
      - cellcs.orthweb.dicom
requirements:
  - python >= 3.11
  - pynetdicom >= 3.0
  - pydicom >= 3.0
  - cryptography >= 42
notes:
  - "What can fail, as RV(ignore:failure) names it. Reaching the peer: V(ignore:name_not_resolved),
    V(ignore:resolver_timeout) (the resolver does not say whether there is such a name), V(ignore:connection_refused),
    V(ignore:host_unreachable), V(ignore:connect_timeout)."
  - "TLS: V(ignore:tls_timeout), V(ignore:tls_not_spoken) (the peer answers the handshake with something else),
    V(ignore:tls_expected) (the peer speaks TLS, and O(tls) is false), V(ignore:tls_failed) (no version or cipher in
    common, or the peer closed the connection during the handshake)."
  - "The peer's certificate: V(ignore:certificate_unknown), V(ignore:certificate_expired),
    V(ignore:certificate_not_yet_valid), V(ignore:certificate_wrong_name), V(ignore:certificate_revoked) (needs
    O(crl_file))."
  - "Our certificate: V(ignore:client_certificate_demanded) (we have none to present),
    V(ignore:client_certificate_refused) (the peer says that it does not accept it). nginx says neither and just
    closes the connection, which is V(ignore:connection_closed) if we presented one."
  - "The association (PS3.8): V(ignore:connection_closed), V(ignore:not_dicom), V(ignore:association_timeout),
    V(ignore:association_rejected), V(ignore:association_aborted), V(ignore:presentation_context_refused)."
  - "The message (PS3.7): V(ignore:dimse_timeout), V(ignore:dimse_status) (the peer answers, but with a failure).
    V(ignore:file_not_read) and V(ignore:internal_error) are failures on our side."
"""
