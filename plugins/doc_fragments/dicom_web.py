# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of every module that asks an archive over DICOMweb, and the libraries that it needs."""

from __future__ import annotations


class ModuleDocFragment:
    """``extends_documentation_fragment: cellcs.orthweb.dicom_web``"""

    DOCUMENTATION = r"""
options:
  url:
    description: The archive's DICOMweb root.
    type: str
    required: true
  username:
    description: User name for HTTP basic authentication.
    type: str
  password:
    description: That user's password.
    type: str
  ca_file:
    description:
      - PEM file of the authorities that may have issued the archive's certificate.
      - By default, those that come with Python's requests.
    type: path
  verify:
    description:
      - Whether the archive's certificate must be valid.
      - With V(false) anybody could be at the other end, and would receive the password.
    type: bool
    default: true
  timeout_seconds:
    description: How long the archive may take to accept the connection, and to send each part of its answer.
    type: float
    default: 30.0
requirements:
  - python >= 3.11
  - dicomweb-client >= 0.60
  - pynetdicom >= 3.0
  - pydicom >= 3.0
"""
