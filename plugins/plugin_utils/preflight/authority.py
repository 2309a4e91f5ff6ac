# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose CA it is: in the certificate folder, and in an archive that runs already."""

from __future__ import annotations

import re
from collections.abc import Iterator

CERTIFICATE = re.compile("-----BEGIN CERTIFICATE-----[^-]+")


def folder_problems(stack: str, ca_certificate: str, ca_name: str) -> Iterator[str]:
    """Of a folder that belongs to another stack.

    :param ca_certificate: path of the CA's certificate in the folder
    :param ca_name: its common name, or empty if there is no certificate yet
    """
    ours = f"OrthWeb {stack} CA"
    if ca_name not in ("", ours):
        yield (
            f'The certificate folder belongs to another stack: {ca_certificate} says "{ca_name}", and this stack\'s is '
            f'"{ours}". Use a separate folder for this stack (orthweb_state_directory) or its old name (orthweb_stack).'
        )


def stranger_problems(*, host: str, clients_ca: str, found: str, ca_bundle: str, known: str) -> Iterator[str]:
    """Another user, or another controller: a new CA and new passwords would be made, and no modality would get in.

    :param clients_ca: path on the host of the CAs whose clients its archive lets in; ``found`` is what it holds (PEM)
    :param ca_bundle: path on the controller of the CAs that it has; ``known`` is what it holds (PEM)
    """
    on_host = set(CERTIFICATE.findall(found))
    if on_host and not on_host & set(CERTIFICATE.findall(known)):
        yield (
            f"The archive that runs on {host} was deployed with another CA: its modalities have certificates of the "
            f"one in {clients_ca}, which is not in {ca_bundle} on this controller. Deploy as the user, and from the "
            "machine, that deployed it, or copy the folder of the stack from there. If that folder is lost for good, "
            "-e orthweb_new_ca=true creates a new CA, and every modality and browser needs its new certificate."
        )
