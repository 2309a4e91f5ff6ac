# SPDX-License-Identifier: GPL-3.0-or-later
"""The copy of the controller's folder in Secrets Manager, which two controllers may write.

It is one secret, ``<stack>/controller``, and where that is too small for it, ``<stack>/controller-2`` and so on. All
parts of one state have the same version ID. The first part says how many there are, and is written last: its label
AWSCURRENT is moved from the version that was seen to the new one, which AWS refuses if somebody has moved it meanwhile.
So nobody reads half a state, and of two writers one is refused.
"""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

with contextlib.suppress(ImportError):  # AnsibleAWSModule says so.
    from botocore.exceptions import ClientError

from ..controller_state import archive
from .failure import code_of
from .resource import tags_of

CURRENT = "AWSCURRENT"
# A version must have a label to be kept; this one until it is the current one.
WRITTEN = "orthweb-written"
# Secrets Manager takes 65536 bytes. In base64, as they travel, these are 64000.
PART_BYTES = 48_000
# A name is free again some time after a forced deletion.
NAME_FREE_SECONDS = 120


class ConflictError(Exception):
    """Somebody else has written the copy meanwhile."""


@dataclass(frozen=True)
class Standing:
    """The first secret, as DescribeSecret has it.

    :ivar going: scheduled for deletion
    """

    going: bool
    tags: Mapping[str, str]


@dataclass(frozen=True)
class Copy:
    """What is current. Its files are read by :meth:`AccountCopy.files`."""

    version: str
    written: str
    header: archive.Header = field(repr=False)


class AccountCopy:
    """:param client: of secretsmanager, with or without retries of its own
    :param name: of the first secret
    :param key: ID, ARN or alias of the KMS key; without one, that of new secrets is the account's own for the service
    """

    def __init__(
        self,
        client: Any,
        name: str,
        key: str | None,
        tags: Mapping[str, str],
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.client, self.name, self.key, self.tags, self.sleep = client, name, key, tags, sleep

    def part_name(self, number: int) -> str:
        return self.name if number == 1 else f"{self.name}-{number}"

    # --- look

    def standing(self) -> Standing | None:
        there = self._described(1)
        return Standing(bool(there.get("DeletedDate")), tags_of(there.get("Tags"))) if there else None

    def current(self) -> Copy:
        """Raises :class:`archive.ArchiveError` for what we have not written."""
        answer = self.client.get_secret_value(SecretId=self.name, VersionStage=CURRENT)
        header = archive.read_header(_content(answer))
        return Copy(answer["VersionId"], f"{answer['CreatedDate']:%Y-%m-%d %H:%M} UTC", header)

    def files(self, copy: Copy) -> dict[str, archive.Entry]:
        """Raises :class:`archive.ArchiveError` if a part is not there any more, or what they hold is not whole."""
        others = []
        for number in range(2, copy.header.parts + 1):
            try:
                answer = self.client.get_secret_value(SecretId=self.part_name(number), VersionId=copy.version)
            except ClientError as error:
                if code_of(error) not in ("ResourceNotFoundException", "InvalidRequestException"):
                    raise
                raise archive.ArchiveError(f"its part {self.part_name(number)} is not there") from error
            others.append(_content(answer))
        return archive.unpack(archive.join(copy.header, others))

    def lacks_a_part(self, copy: Copy) -> bool:
        for number in range(2, copy.header.parts + 1):
            there = self._described(number) or {}
            if there.get("DeletedDate") or copy.version not in there.get("VersionIdsToStages", {}):
                return True
        return False

    def differing(self) -> list[int]:
        """Numbers of the parts that lack a tag, or are under another key."""
        return [number for number, there in self._parts() if self._update_of(there) != ({}, {})]

    # --- change

    def restore(self) -> None:
        """Take back a scheduled deletion, of all parts."""
        for number, there in self._parts():
            if there.get("DeletedDate"):
                self.client.restore_secret(SecretId=self.part_name(number))

    def write(self, packed: archive.Packed, seen: str) -> str:
        """Make it the current state; returns its version.

        :param seen: the version whose place it takes, empty if there is none
        """
        version = str(uuid.uuid4())
        first, *others = archive.split(packed, PART_BYTES)
        for number, part in enumerate(others, start=2):
            if self._described(number):
                self._put(number, part, version, CURRENT)
            else:
                self._create(number, part, version)
        if not seen:
            self._create(1, first, version)
            return version
        self._put(1, first, version, WRITTEN)
        try:
            self.client.update_secret_version_stage(
                SecretId=self.name, VersionStage=CURRENT, MoveToVersionId=version, RemoveFromVersionId=seen
            )
        except ClientError as error:
            if code_of(error) != "InvalidParameterException":
                raise
            now = self.current().version
            if now == version:
                return version  # the answer to an earlier try was lost
            if now != seen:
                raise ConflictError from error
            raise
        return version

    def settle(self) -> None:
        """Give each part the key and the tags that it should have."""
        for number, there in self._parts():
            options, tags = self._update_of(there)
            if options:
                self.client.update_secret(SecretId=self.part_name(number), **options)
            if tags:
                added = [{"Key": key, "Value": value} for key, value in tags.items()]
                self.client.tag_resource(SecretId=self.part_name(number), Tags=added)

    def remove(self) -> list[str]:
        """At once, the last part first: whoever looks for parts begins with the first. Returns their names."""
        names = [self.part_name(number) for number, _there in self._parts()]
        for name in reversed(names):
            self.client.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)
        return names

    # --- one secret

    def _described(self, number: int) -> dict[str, Any] | None:
        try:
            return self.client.describe_secret(SecretId=self.part_name(number))
        except ClientError as error:
            if code_of(error) == "ResourceNotFoundException":
                return None
            raise

    def _parts(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """All that are there; they have consecutive numbers."""
        number = 1
        while there := self._described(number):
            yield number, there
            number += 1

    def _create(self, number: int, content: bytes, version: str) -> None:
        options: dict[str, Any] = {"KmsKeyId": self.key} if self.key else {}
        end = time.monotonic() + NAME_FREE_SECONDS
        while True:
            try:
                self.client.create_secret(
                    Name=self.part_name(number),
                    Description="What only the controller of the stack has (make adopt)",
                    SecretBinary=content,
                    ClientRequestToken=version,
                    Tags=[{"Key": key, "Value": value} for key, value in self.tags.items()],
                    **options,
                )
                return
            except ClientError as error:
                if code_of(error) == "ResourceExistsException" and number == 1:
                    raise ConflictError from error
                if code_of(error) != "InvalidRequestException" or "deletion" not in str(error):
                    raise
                if time.monotonic() > end:
                    raise
            self.sleep(5)

    def _put(self, number: int, content: bytes, version: str, label: str) -> None:
        self.client.put_secret_value(
            SecretId=self.part_name(number),
            SecretBinary=content,
            ClientRequestToken=version,
            VersionStages=[label],
        )

    def _update_of(self, there: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, str]]:
        options = {}
        # What an alias stands for is not known here.
        if self.key and "alias/" not in self.key and _key_id(self.key) != _key_id(there.get("KmsKeyId") or ""):
            options["KmsKeyId"] = self.key
        tags = tags_of(there.get("Tags"))
        return options, {key: value for key, value in self.tags.items() if tags.get(key) != value}


def _content(answer: Mapping[str, Any]) -> bytes:
    return answer.get("SecretBinary") or answer.get("SecretString", "").encode()


def _key_id(key: str) -> str:
    return key.rpartition("/")[2]
