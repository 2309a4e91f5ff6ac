# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a PKI was refused. Each failure has its own type, its own name for callers, and its own advice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar


class PkiError(Exception):
    """What was tried and on what, what came back, and (by type) what to do about it."""

    failure: ClassVar[str]
    advice: ClassVar[str]

    def __init__(self, tried: str, came_back: str) -> None:
        super().__init__(f"{tried}: {came_back}. {self.advice}")


class InvalidSpecError(PkiError):
    """The declaration contradicts itself or a standard; nothing was looked at yet."""

    failure = "invalid_parameters"
    advice = "Nothing was touched."

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        listed = "".join(f"\n- {problem}" for problem in problems)
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        super(PkiError, self).__init__(f"The declared PKI has {count}. {self.advice}{listed}")


class FolderError(PkiError):
    failure = "folder_unusable"
    advice = "Give a path where this user may create and write a folder; nothing was changed."


class FileUnreadableError(PkiError):
    failure = "file_unreadable"
    advice = "Run as the user who owns the folder, or fix the file's permissions; nothing was changed."


class LockedError(PkiError):
    failure = "locked"
    advice = "Wait until the other run has ended and run again; nothing was changed."


class WriteError(PkiError):
    failure = "write_failed"
    advice = "Every file is whole, old or new; remove the cause and run again, which finishes the work."


class CaKeyMissingError(PkiError):
    failure = "ca_key_missing"
    advice = (
        "Restore it from a backup, or from where it is kept offline. If it is lost for good, move the whole folder "
        "away: the next run then makes a new CA, which every peer must be given. Nothing was changed."
    )


class CaKeyPermissionError(PkiError):
    failure = "ca_key_permission"
    advice = "Run as the user who owns it, or give the file to this user with mode 0600; nothing was changed."


class CaKeyPassphraseError(PkiError):
    failure = "ca_key_passphrase"
    advice = "Give the passphrase that the key was made with; nothing was changed."


class CaKeyDamagedError(PkiError):
    failure = "ca_key_damaged"
    advice = "Restore it from a backup; nothing was changed."


class CaKeyTypeError(PkiError):
    failure = "ca_key_type_differs"
    advice = (
        "A CA key is never replaced in passing, because every peer would have to be given the new CA: declare the "
        "type it has, or raise the CA's generation to give it a new key beside the old one. Nothing was changed."
    )


class CaCertificateDamagedError(PkiError):
    failure = "ca_certificate_damaged"
    advice = (
        "Restore it from a backup; or remove it, and the next run makes it again from the CA's key. "
        "Nothing was changed."
    )


class CaCertificateMismatchError(PkiError):
    failure = "ca_certificate_mismatch"
    advice = "One of the two comes from elsewhere: restore the pair from one backup; nothing was changed."


class CaCertificateMissingError(PkiError):
    failure = "ca_certificate_missing"
    advice = (
        "Restore it from a backup: certificates of this CA may still be in use. If none is, remove its key, too. "
        "Nothing was changed."
    )


class CaGenerationError(PkiError):
    failure = "ca_generation"
    advice = "A CA goes from one generation to the next, and not back. Nothing was changed."


class IntermediateUndeclaredError(PkiError):
    failure = "ca_intermediate_undeclared"
    advice = (
        "What it has issued would end with it: declare ca.intermediate as it is. To do without one, move the whole "
        "folder away, and begin with a new CA. Nothing was changed."
    )


class ForeignCaError(PkiError):
    failure = "ca_foreign"
    advice = (
        "This certificate folder belongs to another stack: give this one another path, "
        "or declare the CA's names as they are. Nothing was changed."
    )
