# SPDX-License-Identifier: GPL-3.0-or-later
"""Why nginx did not reach a modality for Orthanc, from nginx's log: Orthanc itself only sees the connection end."""

from __future__ import annotations

import re

_LINE = re.compile(
    r"\[error\] \S+ \*\d+ (?P<what>.+?)(?: while [^,]+)?, client: [^,]+, server: \S+:(?P<port>\d+)[,\s]", re.ASCII
)
_OUR_CERTIFICATE = (
    "unknown ca|bad certificate|certificate required|certificate unknown|unsupported certificate|access denied"
    "|certificate expired|certificate revoked"
)
# What nginx says, and what it means. The first that fits counts.
_MEANINGS = (
    (
        r"upstream SSL certificate verify error: \(\d+:(?P<said>[^)]*)\)",
        "its certificate is not accepted ({said}): set ca_certificate to the CA that issued it, or have it show the "
        "certificate of this archive's CA",
    ),
    (
        r'upstream SSL certificate does not match "(?P<said>[^"]*)"',
        "its certificate does not have the name {said}: set certificate_name to a name that it has",
    ),
    (
        rf"alert (?P<said>{_OUR_CERTIFICATE})",
        "it does not accept the certificate of this archive ({said}): have it trust the archive's CA, ca.crt",
    ),
    (
        r"alert (?P<said>handshake failure|protocol version)|(?P<other>no protocols available)",
        "it has no TLS version or cipher in common with the archive, or misses a certificate that it trusts",
    ),
    (
        r"wrong version number|packet length too long|record layer failure|http request",
        "it does not speak TLS on this port: set another port, or call_with_tls: false",
    ),
    (r"peer closed connection in SSL handshake", "it ends the connection during the TLS handshake"),
    (r"could not be resolved \(\d+: (?P<said>[^)]*)\)", "its name does not resolve ({said})"),
    (r"upstream timed out", "nothing answers at this address: a firewall, a route, or a machine that is off"),
    (r"connect\(\) failed \(\d+: (?P<said>[^)]*)\)", "{said}"),
)


def why_not_reached(log: str, port: int) -> str:
    """The last failure at this port of nginx, in words; empty if there is none, or none that is known.

    :param log: lines of nginx
    """
    failures = [found["what"] for found in _LINE.finditer(log) if int(found["port"]) == port]
    for pattern, meaning in _MEANINGS if failures else ():
        if found := re.search(pattern, failures[-1]):
            return meaning.format(said=found.groupdict().get("said") or "")
    return ""
