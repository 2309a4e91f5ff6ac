# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether an archive gives back over DICOMweb what was put in: found, retrieved, compared."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

with contextlib.suppress(ImportError):  # the module says what is missing
    import requests
    from dicomweb_client.api import DICOMwebClient
    from pydicom import dcmread

from ..store.files import Instance, shown
from ..words import first_few
from .archive import Archive, StepError, WebFailure, asking, session_with

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_PIXEL_DATA = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
_SOP_INSTANCE_UID = "00080018"


@dataclass(frozen=True)
class Verification:
    """How one instance came out. ``pixel_data_identical`` is ``None`` where there is none, or it was not retrieved."""

    instance: Instance
    found: bool = False
    retrieved: bool = False
    pixel_data_identical: bool | None = None
    transfer_syntax_uid: str | None = None
    failure: WebFailure | None = None
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


def verify(archive: Archive, instances: Iterable[Instance]) -> list[Verification]:
    """Ask for each instance. Raises ``DicomWebError`` as soon as the archive itself is what fails."""
    with session_with(archive) as session:
        client = _client(archive, session)
        return [_verify(archive, client, instance) for instance in instances]


def sentence(archive: Archive, verifications: list[Verification]) -> str:
    """Tell a person what came out."""
    count, failed = len(verifications), [verification for verification in verifications if verification.failure]
    if not failed:
        return f"{archive.url} returns all {count} instances as they were sent."
    named = first_few(failed, lambda each: f"{shown(each.instance.path)}: {each.problem}")
    return f"{archive.url} does not return {len(failed)} of {count} instances as they were sent. {named}"


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
