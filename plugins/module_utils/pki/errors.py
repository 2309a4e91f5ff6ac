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
    advice = "Use a path where this user is allowed to create a folder and write to it. Nothing was changed."


class FileUnreadableError(PkiError):
    failure = "file_unreadable"
    advice = "Run as the user who owns the folder, or fix the file's permissions. Nothing was changed."


class LockedError(PkiError):
    failure = "locked"
    advice = "Wait until the other run has ended and run again. Nothing was changed."


class WriteError(PkiError):
    failure = "write_failed"
    advice = "Every file is complete, either old or new. Fix the cause and run again to finish the work."


class CaKeyMissingError(PkiError):
    failure = "ca_key_missing"
    advice = (
        "Restore it from a backup, or from where it is kept offline. If it is lost for good, move the whole folder "
        "away: the next run then creates a new CA, whose certificate every peer needs. Nothing was changed."
    )


class CaKeyPermissionError(PkiError):
    failure = "ca_key_permission"
    advice = (
        "Run as the user who owns it, or make this user the owner of the file, with mode 0600. Nothing was changed."
    )


class CaKeyPassphraseError(PkiError):
    failure = "ca_key_passphrase"
    advice = "Use the passphrase that the key was created with. Nothing was changed."


class CaKeyDamagedError(PkiError):
    failure = "ca_key_damaged"
    advice = "Restore it from a backup. Nothing was changed."


class CaKeyTypeError(PkiError):
    failure = "ca_key_type_differs"
    advice = (
        "A CA key is never replaced implicitly, because every peer would need the new CA: declare the type that the "
        "key has, or raise the CA's generation to create a new key beside the old one. Nothing was changed."
    )


class CaCertificateDamagedError(PkiError):
    failure = "ca_certificate_damaged"
    advice = (
        "Restore it from a backup; or remove it, and the next run recreates it from the CA's key. Nothing was changed."
    )


class CaCertificateMismatchError(PkiError):
    failure = "ca_certificate_mismatch"
    advice = "They do not belong together: restore both from the same backup. Nothing was changed."


class CaCertificateMissingError(PkiError):
    failure = "ca_certificate_missing"
    advice = (
        "Restore it from a backup: certificates of this CA may still be in use. If none are, remove its key, too. "
        "Nothing was changed."
    )


class CaGenerationError(PkiError):
    failure = "ca_generation"
    advice = "A CA moves from one generation to the next, and never back. Nothing was changed."


class IntermediateUndeclaredError(PkiError):
    failure = "ca_intermediate_undeclared"
    advice = (
        "Removing it would invalidate what it has issued: declare ca.intermediate as it is. To do without one, move "
        "the whole folder away and start with a new CA. Nothing was changed."
    )


class ForeignCaError(PkiError):
    failure = "ca_foreign"
    advice = (
        "This certificate folder belongs to another stack: use another path for this one, or declare the CA's names as "
        "they are. Nothing was changed."
    )
