# SPDX-License-Identifier: GPL-3.0-or-later
"""A name server for one zone, which takes updates (RFC 2136) from whoever has the key: Debian's bind9."""

from __future__ import annotations

import base64
import secrets
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from .process import wait_until_listening

PROGRAM = "/usr/sbin/named"
CONFIG = """
options {{
    directory "{folder}"; pid-file none; session-keyfile "{folder}/session.key"; managed-keys-directory "{folder}";
    listen-on port {port} {{ {address}; }}; listen-on-v6 {{ none; }};
    recursion no; allow-query {{ any; }}; dnssec-validation no;
}};
controls {{ }};
key "certbot." {{ algorithm hmac-sha512; secret "{secret}"; }};
zone "{zone}" {{ type primary; file "{folder}/zone"; allow-update {{ key "certbot."; }}; }};
"""
ZONE = "@ 60 IN SOA ns hostmaster 1 60 60 60 60\n@ 60 IN NS ns\nns 60 IN A {address}\n"


@dataclass
class NameServer:
    zone: str
    address: str
    port: int
    folder: Path
    secret: str = field(default_factory=lambda: base64.b64encode(secrets.token_bytes(64)).decode())

    def start(self) -> None:
        self.folder.mkdir(parents=True)
        text = CONFIG.format(**{**vars(self), "folder": self.folder})
        (self.folder / "named.conf").write_text(text)
        (self.folder / "zone").write_text(ZONE.format(address=self.address))
        self.log = (self.folder / "log").open("w")
        # Where AppArmor is on, what runs from the package's path reads nothing outside of its own folders.
        shutil.copy(PROGRAM, self.folder / "named")
        command = [str(self.folder / "named"), "-g", "-n", "1", "-c", str(self.folder / "named.conf")]
        self.process = subprocess.Popen(command, stdout=self.log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        wait_until_listening(self.address, self.port, self.folder / "log")

    def credentials(self) -> Path:
        """As certbot's plugin reads them."""
        file = self.folder / "credentials.ini"
        file.touch(mode=0o600)
        file.write_text(
            f"dns_rfc2136_server = {self.address}\ndns_rfc2136_port = {self.port}\ndns_rfc2136_name = certbot.\n"
            f"dns_rfc2136_secret = {self.secret}\ndns_rfc2136_algorithm = HMAC-SHA512\n"
        )
        return file

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(timeout=20)
        self.log.close()
        shutil.rmtree(self.folder)
