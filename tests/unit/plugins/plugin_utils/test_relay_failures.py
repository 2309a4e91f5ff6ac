# SPDX-License-Identifier: GPL-3.0-or-later
"""What lines of nginx 1.26 mean, as they were when such modalities were called."""

from __future__ import annotations

import pytest
from ansible_collections.cellcs.orthweb.plugins.plugin_utils.relay_failures import why_not_reached

BEGINNING = "2026/11/29 09:42:53 [error] 4203#4203: *794 "
END = ', client: 172.18.2.3, server: 0.0.0.0:32756, upstream: "172.18.1.1:26900", bytes from/to client:0/0\n'
ALERT = "(SSL: error:0A000418:SSL routines::tlsv1 alert unknown ca:SSL alert number 48)"
HANDSHAKE = "SSL_do_handshake() failed"
DURING = "while SSL handshaking to upstream"
REFUSED = "it does not accept the certificate of this archive (unknown ca): have it trust the archive's CA, ca.crt"


@pytest.mark.parametrize(
    ("said", "meaning"),
    [
        (
            f"upstream SSL certificate verify error: (21:unable to verify the first certificate) {DURING}",
            "its certificate is not accepted (unable to verify the first certificate): set ca_certificate to the "
            "CA that issued it, or have it show the certificate of this archive's CA",
        ),
        (
            f'upstream SSL certificate does not match "viewer.clinic.example" {DURING}',
            "its certificate does not have the name viewer.clinic.example: set certificate_name to a name that it has",
        ),
        (f"SSL_read() failed {ALERT} while proxying and reading from upstream", REFUSED),
        (f"{HANDSHAKE} {ALERT} {DURING}", REFUSED),
        (
            f"{HANDSHAKE} (SSL: error:0A000410:SSL routines::ssl/tls alert handshake failure) {DURING}",
            "it has no TLS version or cipher in common with the archive, or misses a certificate that it trusts",
        ),
        (
            f"{HANDSHAKE} (SSL: error:0A00010B:SSL routines::wrong version number) {DURING}",
            "it does not speak TLS on this port: set another port, or call_with_tls: false",
        ),
        ("connect() failed (111: Connection refused) while connecting to upstream", "Connection refused"),
        ("gone.invalid could not be resolved (3: Host not found)", "its name does not resolve (Host not found)"),
        (
            "upstream timed out (110: Connection timed out) while connecting to upstream",
            "nothing answers at this address: a firewall, a route, or a machine that is off",
        ),
        ("something new while connecting to upstream", ""),
    ],
)
def test_a_failure_has_its_meaning(said: str, meaning: str) -> None:
    assert why_not_reached(BEGINNING + said + END, 32756) == meaning


def test_it_is_the_last_one_at_this_port() -> None:
    lines = [
        "connect() failed (111: Connection refused) while connecting to upstream",
        "connect() failed (113: No route to host) while connecting to upstream",
    ]
    log = "".join(BEGINNING + line + END for line in lines) + (BEGINNING + lines[0] + END).replace("32756", "32757")
    assert why_not_reached(log, 32756) == "No route to host"
    assert why_not_reached(log, 1) == ""
    assert why_not_reached("", 32756) == ""
