# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A PKI in a temporary folder, driven through the real module and looked at with the real openssl."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.cellcs.orthweb.plugins.modules import pki as module

CA = {"common_name": "Test CA", "organization": "Test Clinic"}
SERVER = {"name": "pacs", "subject_alt_names": ["pacs.example.org", "192.0.2.10"]}
CLIENT = {"name": "ct-1", "usage": ["client"], "pkcs12": True, "pkcs12_passphrase": "handed over"}


class Pki:
    """Runs of the module on one folder, and openssl's view of it. ``clock`` is what the module takes for now."""

    def __init__(self, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.path = path
        self.clock = datetime.now(UTC)
        self._capsys = capsys

    def run(self, *certificates: dict[str, Any], check: bool = False, fails: bool = False, **params: Any) -> dict:
        """The module's result. ``certificates`` have ECDSA keys where they do not say otherwise, for speed."""
        args = {
            "path": str(self.path),
            "ca": CA,
            "certificates": [{"key_type": "ecdsa-p256", **entry} for entry in certificates],
            "_ansible_check_mode": check,
            "_ansible_diff": True,
            **params,
        }
        self._capsys.readouterr()
        with patch_module_args(args), pytest.raises(SystemExit) as ended:
            module.main()
        result = json.loads(self._capsys.readouterr().out)
        assert bool(result.get("failed")) is fails, result
        assert bool(ended.value.code) is fails
        return result

    def later(self, **delta: float) -> None:
        self.clock += timedelta(**delta)

    def file(self, name: str) -> Path:
        return self.path / name

    def contents(self) -> dict[str, bytes]:
        """Every file but the lock, by its path, with its mode."""
        return {
            f"{file.relative_to(self.path)} {file.stat().st_mode:o}": file.read_bytes()
            for file in sorted(self.path.rglob("*"))
            if file.is_file() and file.name != ".lock"
        }

    def verify(self, name: str, *options: str) -> str:
        """What ``openssl verify`` says of a leaf, CRL included; ``OK`` when it is content."""
        command = ["openssl", "verify", "-x509_strict", "-crl_check", "-attime", f"{self.clock.timestamp():.0f}"]
        command += ["-CAfile", str(self.file("ca-bundle.crt")), "-CRLfile", str(self.file("crl.pem")), *options]
        done = subprocess.run(
            [*command, str(self.file(f"{name}.chain.crt"))], capture_output=True, text=True, check=False
        )
        return "OK" if done.returncode == 0 else done.stderr

    def openssl(self, *command: str, stdin: str = "") -> str:
        done = subprocess.run(
            ["openssl", *command], capture_output=True, text=True, input=stdin, cwd=self.path, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def text(self, file: str) -> str:
        return self.openssl("x509", "-in", file, "-noout", "-text", "-nameopt", "RFC2253")

    def public_key(self, key: str, passphrase: str = "") -> str:
        return self.openssl("pkey", "-in", key, "-pubout", "-passin", f"pass:{passphrase}")


@pytest.fixture
def pki(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    new_process: Callable[[], None],
) -> Pki:
    made = Pki(tmp_path / "pki", capsys)

    class Clock(datetime):
        @classmethod
        def now(cls, tz=None):
            return made.clock

    monkeypatch.setattr(module, "datetime", Clock)
    new_process()
    return made


@pytest.fixture
def server() -> dict[str, Any]:
    return dict(SERVER)


@pytest.fixture
def client() -> dict[str, Any]:
    return dict(CLIENT)
