# SPDX-License-Identifier: GPL-3.0-or-later
"""An archive over DICOMweb (PS3.18 §10): how it is asked, and what it means if it does not answer."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, cast

with contextlib.suppress(ImportError):  # the module says what is missing
    import requests

from ..store.files import MALFORMED

WebFailure = Literal[
    "unreachable",
    "certificate_not_accepted",
    "timeout",
    "not_authenticated",
    "forbidden",
    "not_dicomweb",
    "http_status",
    "answer_not_decoded",
    "not_found",
    "not_asked_for",
    "different",
]


@dataclass(frozen=True)
class Archive:
    """A DICOMweb root, and how to be let in. ``verify``: a file of authorities, or whether to verify at all."""

    url: str
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    verify: str | bool = True
    timeout: float = 30.0


class DicomWebError(Exception):
    """The archive does not answer as a DICOMweb server; ``str()`` says what was asked, what came back, what to do."""

    def __init__(self, failure: WebFailure, sentence: str) -> None:
        super().__init__(sentence)
        self.failure = failure


class StepError(Exception):
    """The archive answers, but not with what this instance was asked for."""

    def __init__(self, failure: WebFailure, sentence: str) -> None:
        super().__init__(sentence)
        self.failure = failure


def session_with(archive: Archive) -> requests.Session:
    """Return a session that the archive lets in."""
    session = requests.Session()
    # Left to the environment, REQUESTS_CA_BUNDLE would override ca_file, and a proxy stand between.
    session.trust_env = False
    session.verify = archive.verify
    if archive.username is not None and archive.password is not None:
        session.auth = requests.auth.HTTPBasicAuth(archive.username.encode(), archive.password.encode())
    return session


@contextlib.contextmanager
def asking(archive: Archive, service: str) -> Iterator[None]:
    """Turn what can go wrong in a request into ``DicomWebError`` (the archive) or ``StepError`` (the instance)."""
    try:
        yield
    except requests.exceptions.SSLError as error:
        raise DicomWebError(
            "certificate_not_accepted",
            f"The certificate of {archive.url} is not accepted: {_cause(error)}. Set ca_file to the authority that "
            "issued it, and use a name that is in the certificate.",
        ) from error
    except requests.exceptions.Timeout as error:
        raise DicomWebError(
            "timeout",
            f"{archive.url} did not answer {service} within {archive.timeout:g} s. It is overloaded, or a firewall "
            "drops the packets.",
        ) from error
    except requests.exceptions.HTTPError as error:
        # raise_for_status() has put it there.
        response = cast("requests.Response", error.response)
        raise _failure_of_status(archive, service, response) from error
    except requests.exceptions.JSONDecodeError as error:
        raise DicomWebError(
            "not_dicomweb",
            f"{archive.url} answered {service} with something other than DICOM JSON (PS3.18 §F). Check that this is "
            "the DICOMweb root, and that no login page is in front of it.",
        ) from error
    except requests.exceptions.RequestException as error:
        raise DicomWebError(
            "unreachable",
            f"{archive.url} cannot be reached: {_cause(error)}. Check that the service is up and the port is right.",
        ) from error
    except MALFORMED as error:
        raise StepError("answer_not_decoded", f"the answer cannot be decoded ({error!r})") from error


def _failure_of_status(archive: Archive, service: str, response: requests.Response) -> Exception:
    status = f"HTTP {response.status_code} {response.reason}".strip()
    if response.status_code == 401:
        who = f"the user {archive.username}" if archive.username else "requests without a user"
        return DicomWebError(
            "not_authenticated", f"{archive.url} rejects {who} ({status}). Correct username and password."
        )
    if response.status_code == 403:
        return DicomWebError(
            "forbidden",
            f"{archive.url} forbids {service} to {archive.username or 'users who are not logged in'} ({status}). Give "
            "that user the right to read, or use another.",
        )
    if response.status_code == 404 and service == "QIDO-RS":
        return DicomWebError(
            "not_dicomweb",
            f"{archive.url} has no such resource ({status}). Check that this is the DICOMweb root, such as "
            "…/dicom-web.",
        )
    return StepError("http_status", f"the archive answered {status}; its log says why")


def _cause(error: BaseException) -> str:
    """Return the innermost reason of a chain of wrapped errors."""
    inner = error
    while inner.args and isinstance(inner.args[0], BaseException):
        inner = inner.args[0]
    reason = getattr(inner, "reason", None)
    return _cause(reason) if isinstance(reason, BaseException) and reason is not inner else str(inner)
