# SPDX-License-Identifier: GPL-3.0-or-later
"""A SAML identity provider on this machine: pysaml2, behind a page that logs in whoever is set, without a question."""

from __future__ import annotations

import base64
import datetime as dt
import html
import ssl
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from saml2 import BINDING_HTTP_REDIRECT
from saml2.config import IdPConfig
from saml2.metadata import entity_descriptor
from saml2.saml import NAMEID_FORMAT_PERSISTENT, NameID
from saml2.server import Server

from .authority import Authority

GROUPS = {"sara": ["pacs-admins", "x"], "sven": ["radiology"], "nobody": ["radiology2"]}
PAGE = """<!DOCTYPE html><title>Identity provider</title>
<form method="post" action="{to}"><input type="hidden" name="SAMLResponse" value="{response}">
<input type="hidden" name="RelayState" value="{state}"><button>Continue</button></form>"""


@dataclass
class SamlProvider:
    """``person`` is who is logged in there, and ``signed`` whether its assertions are."""

    address: str
    port: int
    folder: Path
    person: str = "sven"
    signed: bool = True

    def __post_init__(self) -> None:
        self.authority = Authority(self.folder / "pki", "The provider's CA")
        self.certificate, self.key = self.authority.issue(self.address)
        own = Authority(self.folder / "signing", "Signs assertions")
        self.signing = own.issue_to("signing", ("signing",), rsa_bits=2048, ends=dt.timedelta(days=30))
        self.metadata = self.folder / "metadata.xml"
        self.metadata.write_text(str(entity_descriptor(self._settings([]))))

    @property
    def url(self) -> str:
        return f"https://{self.address}:{self.port}"

    def _settings(self, known: list[str]) -> IdPConfig:
        endpoints = {"single_sign_on_service": [(f"{self.url}/sso", BINDING_HTTP_REDIRECT)]}
        policy = {
            "default": {"lifetime": {"minutes": 5}, "name_form": "urn:oasis:names:tc:SAML:2.0:attrname-format:basic"}
        }
        return IdPConfig().load(
            {
                "entityid": f"{self.url}/metadata",
                "service": {"idp": {"endpoints": endpoints, "policy": policy, "want_authn_requests_signed": True}},
                "key_file": self.signing[1],
                "cert_file": self.signing[0],
                "metadata": {"inline": known},
            }
        )

    def learn(self, metadata: str) -> None:
        """Take in what the archive says of itself."""
        self.server = Server(config=self._settings([metadata]))

    def answer(self, query: str) -> tuple[str, str, str]:
        """Where the browser sends the form, the response in it, and the state."""
        asked = {key: values[0] for key, values in parse_qs(query).items()}
        signed = {"relay_state": asked.get("RelayState"), "sigalg": asked["SigAlg"], "signature": asked["Signature"]}
        request = self.server.parse_authn_request(asked["SAMLRequest"], BINDING_HTTP_REDIRECT, **signed).message
        told = self.server.response_args(request)
        response = self.server.create_authn_response(
            {"uid": self.person, "groups": GROUPS.get(self.person, []), "mail": f"{self.person}@elsewhere.example"},
            userid=self.person,
            name_id=NameID(format=NAMEID_FORMAT_PERSISTENT, text=f"id-of-{self.person}"),
            sign_assertion=self.signed,
            sign_response=False,
            authn={"class_ref": "urn:oasis:names:tc:SAML:2.0:ac:classes:Password"},
            **told,
        )
        encoded = base64.b64encode(str(response).encode()).decode()
        return told["destination"], encoded, asked.get("RelayState", "")

    def start(self) -> None:
        provider = self

        class Pages(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                to, response, state = provider.answer(urlsplit(self.path).query)
                page = PAGE.format(to=html.escape(to), response=response, state=html.escape(state)).encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.end_headers()
                self.wfile.write(page)

            def log_message(self, *_said: object) -> None:
                pass

        self.http = ThreadingHTTPServer((self.address, self.port), Pages)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        self.http.socket = context.wrap_socket(self.http.socket, server_side=True)
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def given(self, **changes: object) -> dict[str, object]:
        """Its entry in ``orthweb_login_providers``, as a person writes it."""
        return {
            "name": "saml",
            "kind": "saml",
            "title": "Partner",
            "metadata": str(self.metadata),
            "account_attribute": "urn:mace:dir:attribute-def:uid",
            "roles": {"admin": ["pacs-admins"], "reader": ["radiology"]},
            "second_factor": "provider",
            **changes,
        }

    def stop(self) -> None:
        self.http.shutdown()
        self.http.server_close()
