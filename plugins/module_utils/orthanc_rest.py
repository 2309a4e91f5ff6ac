# SPDX-License-Identifier: GPL-3.0-or-later
"""Orthanc's REST API, asked from the host where its container runs.

Orthanc's network leads nowhere, not even to the host, so that this process enters the network of the container.
"""

from __future__ import annotations

import ctypes
import http.client
import json
import os
import ssl
from base64 import b64encode
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_CLONE_NEWNET = 0x40000000
_TIMEOUT_SECONDS = 60


class RestError(Exception):
    """Orthanc was not reached, or refused; ``str()`` says what was asked and what came back."""


def enter_network(pid: int) -> None:
    """Have all connections of this process begin in the network of another one, from now on. Raises ``OSError``.

    :param pid: a process in the container, as the host numbers it
    """
    libc = ctypes.CDLL(None, use_errno=True)
    with Path(f"/proc/{pid}/ns/net").open("rb") as network:
        if libc.setns(network.fileno(), _CLONE_NEWNET):
            code = ctypes.get_errno()
            raise OSError(code, f"entering the network of process {pid}: {os.strerror(code)}")


@dataclass(frozen=True)
class Orthanc:
    """Orthanc on the loopback interface of the network that this process is in.

    :ivar tls: whether it speaks HTTPS. Its certificate is not verified: nobody else listens in its container, and one
        that has expired must not keep it from learning of modalities.
    """

    username: str
    password: str = field(repr=False)
    tls: bool = True
    port: int = 8042

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """The answer, decoded; None if it is empty. Raises ``RestError``."""
        connection = self._connection()
        login = b64encode(f"{self.username}:{self.password}".encode()).decode()
        try:
            connection.request(
                method,
                path,
                body=None if body is None else json.dumps(body),
                headers={"Authorization": f"Basic {login}", "Content-Type": "application/json"},
            )
            answer = connection.getresponse()
            text = answer.read().decode(errors="replace")
        except (OSError, http.client.HTTPException) as error:
            raise RestError(f"{method} {path}: {error}") from error
        finally:
            connection.close()
        if answer.status >= http.client.BAD_REQUEST:
            raise RestError(f"{method} {path}: HTTP {answer.status}: {_message(text)}")
        try:
            return json.loads(text) if text.strip() else None
        except ValueError as error:
            raise RestError(f"{method} {path}: the answer is not JSON: {text[:200]}") from error

    def _connection(self) -> http.client.HTTPConnection:
        if not self.tls:
            return http.client.HTTPConnection("127.0.0.1", self.port, timeout=_TIMEOUT_SECONDS)
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=_TIMEOUT_SECONDS, context=context)


def _message(text: str) -> str:
    """What Orthanc says in its answer to a request that failed."""
    try:
        said = json.loads(text)
        return str(said.get("Details") or said["Message"])
    except (ValueError, AttributeError, KeyError):
        return text.strip()[:200]
