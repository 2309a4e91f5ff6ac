# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An archive over DICOMweb (PS3.18 §10), and whether it gives back what was put in: found, retrieved, compared."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, cast
from urllib.parse import urlsplit

with contextlib.suppress(ImportError):  # the module says what is missing
    import requests
    from dicomweb_client.api import DICOMwebClient
    from pydicom import dcmread

from ..names import host_name_problem
from ..net.tls import file_problem
from ..peer import ONE_DAY
from ..store.files import MALFORMED, Instance, shown

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

NAMED_FAILURES = 3

_PIXEL_DATA = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
_SOP_INSTANCE_UID = "00080018"

VerifyFailure = Literal[
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


@dataclass(frozen=True)
class Verification:
    """How one instance came out. ``pixel_data_identical`` is ``None`` where there is none, or it was not retrieved."""

    instance: Instance
    found: bool = False
    retrieved: bool = False
    pixel_data_identical: bool | None = None
    transfer_syntax_uid: str | None = None
    failure: VerifyFailure | None = None
    problem: str | None = None

    def to_result(self) -> dict[str, Any]:
        """Return it as a module's result."""
        return {
            "path": shown(self.instance.path),
            "sop_instance_uid": self.instance.sop_instance_uid,
            "found": self.found,
            "retrieved": self.retrieved,
            "pixel_data_identical": self.pixel_data_identical,
            "transfer_syntax_uid": self.transfer_syntax_uid,
            "verified": self.failure is None,
            "failure": self.failure,
            "message": self.problem or "found, retrieved, and the same as the file",
        }


ARCHIVE_ARGUMENTS: dict[str, dict[str, Any]] = {
    "url": {"type": "str", "required": True},
    "username": {"type": "str"},
    "password": {"type": "str", "no_log": True},
    "ca_file": {"type": "path"},
    "verify": {"type": "bool", "default": True},
    "timeout_seconds": {"type": "float", "default": 30.0},
}


def archive_from_options(options: dict[str, Any]) -> Archive:
    """Return the archive of a module's options, ``ARCHIVE_ARGUMENTS``."""
    return Archive(
        url=options["url"],
        username=options["username"],
        password=options["password"],
        verify=(options["ca_file"] or True) if options["verify"] else False,
        timeout=options["timeout_seconds"],
    )


class DicomWebError(Exception):
    """The archive does not answer as a DICOMweb server; ``str()`` says what was asked, what came back, what to do."""

    def __init__(self, failure: VerifyFailure, sentence: str) -> None:
        super().__init__(sentence)
        self.failure = failure


def archive_problems(archive: Archive, ca_file: str | None) -> list[str]:
    """Return all that is wrong with how the archive is to be asked."""
    problems = []
    try:
        parts = urlsplit(archive.url)
        problem = parts.port == 0 or host_name_problem(parts.hostname or "")
    except ValueError as error:
        problems.append(f"url: {archive.url!r} is no URL ({error})")
    else:
        if parts.scheme not in ("http", "https") or problem:
            problems.append(f"url: {archive.url!r} is no http or https URL of a DICOMweb root")
        if parts.username or parts.password:
            problems.append("url: holds credentials: give them as username and password, which are kept out of logs")
        if parts.query or parts.fragment:
            problems.append("url: has a query or a fragment: give the DICOMweb root alone")
        if ca_file and parts.scheme == "http":
            problems.append("ca_file: needs an https URL")
    if (archive.username is None) != (archive.password is None):
        problems.append("username, password: give both or none")
    if not 0 < archive.timeout <= ONE_DAY:
        problems.append(f"timeout_seconds: {archive.timeout} is not above 0 and at most {ONE_DAY}")
    if ca_file and not archive.verify:
        problems.append("ca_file: is of no use with verify: false")
    if ca_file and (problem := file_problem(ca_file)):
        problems.append(f"ca_file: {problem}")
    return problems


def verify(archive: Archive, instances: Iterable[Instance]) -> list[Verification]:
    """Ask for each instance. Raises ``DicomWebError`` as soon as the archive itself is what fails."""
    with session_with(archive) as session:
        client = _client(archive, session)
        return [_verify(archive, client, instance) for instance in instances]


def sentence(archive: Archive, verifications: list[Verification]) -> str:
    """Tell a person what came out."""
    failed = [verification for verification in verifications if verification.failure]
    if not failed:
        return f"{archive.url} gives back all {len(verifications)} instances as they were sent."
    named = "; ".join(f"{shown(each.instance.path)}: {each.problem}" for each in failed[:NAMED_FAILURES])
    more = len(failed) - NAMED_FAILURES
    return (
        f"{archive.url} does not give back {len(failed)} of {len(verifications)} instances as they were sent. {named}"
        f"{f'; and {more} more' if more > 0 else ''}"
    )


def session_with(archive: Archive) -> requests.Session:
    """Return a session that the archive lets in."""
    session = requests.Session()
    # Left to the environment, REQUESTS_CA_BUNDLE would override ca_file, and a proxy stand between.
    session.trust_env = False
    session.verify = archive.verify
    if archive.username is not None and archive.password is not None:
        session.auth = requests.auth.HTTPBasicAuth(archive.username.encode(), archive.password.encode())
    return session


def _client(archive: Archive, session: requests.Session) -> DICOMwebClient:
    client = DICOMwebClient(archive.url.rstrip("/"), session=session, permissive_uid=True, timeout=archive.timeout)
    client.set_http_retry_params(retry=False)
    # It would send the Host header without the port, and cut an IPv6 address short.
    client.host = urlsplit(archive.url).netloc
    return client


def _verify(archive: Archive, client: DICOMwebClient, instance: Instance) -> Verification:
    try:
        if not _is_found(archive, client, instance):
            problem = "QIDO-RS: the archive does not find it (PS3.18 §10.6)"
            return Verification(instance, failure="not_found", problem=problem)
    except StepError as error:
        return Verification(instance, failure=error.failure, problem=f"QIDO-RS: {error}")
    try:
        retrieved = _retrieve(archive, client, instance)
    except StepError as error:
        return Verification(instance, found=True, failure=error.failure, problem=f"WADO-RS: {error}")

    differences, identical = _differences(dcmread(instance.path), retrieved)
    return Verification(
        instance,
        found=True,
        retrieved=True,
        pixel_data_identical=identical,
        transfer_syntax_uid=str(retrieved.file_meta.get("TransferSyntaxUID", "")),
        failure="different" if differences else None,
        problem=f"comparison: {'; '.join(differences)}" if differences else None,
    )


def _is_found(archive: Archive, client: DICOMwebClient, instance: Instance) -> bool:
    with asking(archive, "QIDO-RS"):
        results = client.search_for_instances(
            instance.study_instance_uid,
            instance.series_instance_uid,
            search_filters={"SOPInstanceUID": instance.sop_instance_uid},
        )
        # A server may ignore a filter, so look at what it answers.
        return any(result[_SOP_INSTANCE_UID]["Value"] == [instance.sop_instance_uid] for result in results)


def _retrieve(archive: Archive, client: DICOMwebClient, instance: Instance) -> Dataset:
    """Retrieve the instance in the transfer syntax that the archive holds it in (PS3.18 §8.7.3.5.2)."""
    with asking(archive, "WADO-RS"):
        return client.retrieve_instance(
            instance.study_instance_uid,
            instance.series_instance_uid,
            instance.sop_instance_uid,
            media_types=(("application/dicom", "*"),),
        )


class StepError(Exception):
    """The archive answers, but not with what this instance was asked for."""

    def __init__(self, failure: VerifyFailure, sentence: str) -> None:
        super().__init__(sentence)
        self.failure = failure


@contextlib.contextmanager
def asking(archive: Archive, service: str) -> Iterator[None]:
    """Turn what can go wrong in a request into ``DicomWebError`` (the archive) or ``StepError`` (the instance)."""
    try:
        yield
    except requests.exceptions.SSLError as error:
        raise DicomWebError(
            "certificate_not_accepted",
            f"The certificate of {archive.url} is not accepted: {_cause(error)}. Give the authority that issued it as "
            "ca_file, and ask by a name that the certificate has.",
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
            f"{archive.url} answered {service} with something else than DICOM JSON (PS3.18 §F). "
            "Is it the DICOMweb root, and does no login page stand before it?",
        ) from error
    except requests.exceptions.RequestException as error:
        raise DicomWebError(
            "unreachable",
            f"{archive.url} cannot be reached: {_cause(error)}. Is the service up, and the port right?",
        ) from error
    except MALFORMED as error:
        raise StepError("answer_not_decoded", f"the answer cannot be decoded ({error!r})") from error


def _failure_of_status(archive: Archive, service: str, response: requests.Response) -> Exception:
    status = f"HTTP {response.status_code} {response.reason}".strip()
    if response.status_code == 401:
        who = f"the user {archive.username}" if archive.username else "requests without a user"
        return DicomWebError(
            "not_authenticated", f"{archive.url} does not let {who} in ({status}). Mend username and password."
        )
    if response.status_code == 403:
        return DicomWebError(
            "forbidden",
            f"{archive.url} forbids {service} to {archive.username or 'whoever has not signed in'} ({status}). "
            "Give that user the right to read, or use another.",
        )
    if response.status_code == 404 and service == "QIDO-RS":
        return DicomWebError(
            "not_dicomweb",
            f"{archive.url} knows no such resource ({status}). Is it the DICOMweb root, such as …/dicom-web?",
        )
    return StepError("http_status", f"the archive answered {status}; its log says why")


def _differences(sent: Dataset, retrieved: Dataset) -> tuple[list[str], bool | None]:
    """Return how both differ, in words, and whether their pixel data are the same byte for byte."""
    pairs = [
        ("transfer syntax", sent.file_meta.get("TransferSyntaxUID"), retrieved.file_meta.get("TransferSyntaxUID")),
        ("SOP class", sent.get("SOPClassUID"), retrieved.get("SOPClassUID")),
        ("SOP instance", sent.get("SOPInstanceUID"), retrieved.get("SOPInstanceUID")),
        ("rows", sent.get("Rows"), retrieved.get("Rows")),
        ("columns", sent.get("Columns"), retrieved.get("Columns")),
        ("frames", int(sent.get("NumberOfFrames") or 1), int(retrieved.get("NumberOfFrames") or 1)),
    ]
    differences = [f"{what} was {before}, came back as {after}" for what, before, after in pairs if before != after]

    identical: bool | None = None
    for keyword in _PIXEL_DATA:
        before, after = sent.get(keyword), retrieved.get(keyword)
        if before is None and after is None:
            continue
        identical = before == after and identical is not False
        if before != after:
            differences.append(
                f"{keyword} is not the same byte for byte ({len(before or b'')} bytes sent, {len(after or b'')} back)"
            )
    return differences, identical


def _cause(error: BaseException) -> str:
    """Return the innermost reason of a chain of wrapped errors."""
    inner = error
    while inner.args and isinstance(inner.args[0], BaseException):
        inner = inner.args[0]
    reason = getattr(inner, "reason", None)
    return _cause(reason) if isinstance(reason, BaseException) and reason is not inner else str(inner)
