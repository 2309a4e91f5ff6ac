# SPDX-License-Identifier: GPL-3.0-or-later
"""An OpenID provider on this machine, at an address that containers and browsers reach: npm's oidc-provider."""

from __future__ import annotations

import json
import re
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urljoin

import requests

from .authority import Authority

PROGRAM = Path(__file__).with_suffix(".cjs")
# Where tests/prepare.yml puts it.
MODULES = "/usr/local/lib/orthweb-tests/node_modules"
SECRET = "oidc;secret-0123456789-0123456789"
GROUPS = {"olga": ["x", "pacs/admins"], "otto": ["radiology"], "nobody": ["radiology2"], "rita": ["radiology"]}


@dataclass
class OpenidProvider:
    address: str
    port: int
    folder: Path
    redirect: str
    secret: str = SECRET
    path: str = "/auth"
    groups: dict[str, list[str]] = field(default_factory=lambda: GROUPS)

    def __post_init__(self) -> None:
        self.authority = Authority(self.folder / "pki", "The provider's CA")

    def start(self, **changes: str) -> None:
        certificate, key = self.authority.issue(self.address)
        told = {"secret": self.secret, "path": self.path, "minutes": "0", **changes}
        log = self.folder / "log"
        with log.open("w") as output:
            command = ["node", PROGRAM, MODULES, self.address, str(self.port), certificate, key, self.redirect]
            command += [told["secret"], told["path"], json.dumps(self.groups), told["minutes"]]
            self.process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        end = time.monotonic() + 30
        while "ready" not in log.read_text():
            assert time.monotonic() < end and self.process.poll() is None, log.read_text()
            time.sleep(0.1)

    @property
    def issuer(self) -> str:
        return f"https://{self.address}:{self.port}"

    def given(self, **changes: object) -> dict[str, object]:
        """Its entry in ``orthweb_login_providers``, as a person writes it."""
        return {
            "name": "sso",
            "kind": "oidc",
            "title": "Single sign-on",
            "issuer": self.issuer,
            "ca_certificate": str(self.authority.file),
            "client_id": "orthweb",
            "client_secret": SECRET,
            "roles": {"admin": ["pacs/admins"], "reader": ["radiology"]},
            "second_factor": "provider",
            **changes,
        }

    def log_in(self, address: str, name: str) -> str:
        """Go through its pages, as a browser would, from where the archive has sent one to where it sends one back."""
        browser = requests.Session()
        browser.verify, browser.trust_env = str(self.authority.file), False
        page = browser.get(address, timeout=30)
        for filled in ({"prompt": "login", "login": name, "password": "any"}, {"prompt": "consent"}):
            [action] = re.findall(r'action="([^"]+)"', page.text)[:1] or [f"none in {page.text}"]
            page = browser.post(action, data=filled, allow_redirects=False, timeout=30)
            while page.is_redirect:
                to = urljoin(page.url, page.headers["Location"])
                if to.startswith(self.redirect):
                    return to
                page = browser.get(to, allow_redirects=False, timeout=30)
        raise AssertionError(page.text)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(timeout=20)
