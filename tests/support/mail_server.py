# SPDX-License-Identifier: GPL-3.0-or-later
"""A mail server on this machine, at an address that containers reach: STARTTLS, then a login, then mail."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword

from .authority import Authority

USER, PASSWORD = "pacs", "Ein Passwort: ä 2"
REFUSED = "refused@clinic.example"


@dataclass
class MailServer:
    address: str
    port: int
    folder: Path
    received: list[EmailMessage] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.authority = Authority(self.folder / "pki", "The mail server's CA")

    def start(self, authority: Authority | None = None) -> None:
        """With a certificate of another CA, if it is not to be trusted."""
        certificate, key = (authority or self.authority).issue(self.address)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate, key)
        self._controller = Controller(
            SimpleNamespace(handle_RCPT=self._recipient, handle_DATA=self._message),
            hostname=self.address,
            port=self.port,
            tls_context=context,
            require_starttls=True,
            auth_required=True,
            authenticator=self._authenticate,
        )
        self._controller.start()

    def stop(self) -> None:
        self._controller.stop()

    def given(self) -> dict[str, object]:
        """``orthweb_smtp``."""
        return {
            "host": self.address,
            "port": self.port,
            "sender": "pacs@clinic.example",
            "user": USER,
            "password": PASSWORD,
            "ca_certificate": str(self.authority.file),
        }

    @staticmethod
    def _authenticate(_server: Any, _session: Any, _envelope: Any, _mechanism: str, login: object) -> AuthResult:
        right = isinstance(login, LoginPassword) and login == LoginPassword(USER.encode(), PASSWORD.encode())
        return AuthResult(success=right, handled=False)

    async def _recipient(
        self, _server: Any, _session: Any, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if address == REFUSED:
            return "550 5.1.1 No such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def _message(self, _server: Any, _session: Any, envelope: Envelope) -> str:
        self.received.append(message_from_bytes(envelope.content, policy=policy.default))
        return "250 OK"
