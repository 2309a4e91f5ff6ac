# SPDX-License-Identifier: GPL-3.0-or-later
"""TLS of both doors, as an auditor looks at it: with sslyze, which tries all protocols, suites and known weaknesses."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from support.stack import Stack

SSLYZE = "sslyze==6.3.1"
# RFC 9325 section 4.2, by the names of the TLS registry.
SUITES = {
    "tls_1_2_cipher_suites": {
        f"TLS_ECDHE_{key}_WITH_AES_{cipher}"
        for key in ("RSA", "ECDSA")
        for cipher in ("128_GCM_SHA256", "256_GCM_SHA384")
    },
    "tls_1_3_cipher_suites": {"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"},
}


@pytest.fixture(scope="module")
def sslyze(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """In an environment of its own: it wants an older cryptography than the collection."""
    folder = tmp_path_factory.mktemp("sslyze")
    base = Path(getattr(sys, "_base_executable", sys.executable))
    subprocess.run([base, "-m", "venv", folder / "venv"], check=True, timeout=120)
    subprocess.run([folder / "venv/bin/pip", "install", "--quiet", SSLYZE], check=True, timeout=300)
    return folder / "venv" / "bin" / "sslyze"


@pytest.mark.parametrize("door", ["portal", "dicom"])
def test_what_an_auditor_finds(stack: Stack, sslyze: Path, tmp_path: Path, door: str) -> None:
    port = {"portal": stack.portal_port, "dicom": stack.dicom_port}[door]
    client = ["--cert", f"{stack.pki}/client-workstation.crt", "--key", f"{stack.pki}/client-workstation.key"]
    said = subprocess.run(
        [sslyze, "--certinfo_ca_file", stack.ca, "--json_out", tmp_path / "found.json", *client, f"localhost:{port}"],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    ).stdout
    [server] = json.loads((tmp_path / "found.json").read_text())["server_scan_results"]
    found: dict[str, Any] = {name: scan["result"] for name, scan in server["scan_result"].items() if scan["result"]}
    for protocol in ("ssl_2_0", "ssl_3_0", "tls_1_0", "tls_1_1", "tls_1_2", "tls_1_3"):
        accepted = found[f"{protocol}_cipher_suites"]["accepted_cipher_suites"]
        names = {suite["cipher_suite"]["name"] for suite in accepted}
        assert names == SUITES.get(f"{protocol}_cipher_suites", set()), said
    assert found["heartbleed"]["is_vulnerable_to_heartbleed"] is False
    assert found["openssl_ccs_injection"]["is_vulnerable_to_ccs_injection"] is False
    assert found["robot"]["robot_result"].startswith("NOT_VULNERABLE")
    assert found["session_renegotiation"]["is_vulnerable_to_client_renegotiation_dos"] is False
    assert found["session_renegotiation"]["supports_secure_renegotiation"] is True
    assert found["tls_compression"]["supports_compression"] is False
    assert found["tls_fallback_scsv"]["supports_fallback_scsv"] is True
    assert {curve["name"] for curve in found["elliptic_curves"]["supported_curves"]} == {
        "X25519",
        "secp256r1",
        "secp384r1",
    }
    for deployment in found["certificate_info"]["certificate_deployments"]:
        ours = [path for path in deployment["path_validation_results"] if path["trust_store"]["path"] == stack.ca]
        assert ours and all(path["was_validation_successful"] for path in ours), said
