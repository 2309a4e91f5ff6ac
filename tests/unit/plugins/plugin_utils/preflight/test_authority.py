# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose CA it is."""

from __future__ import annotations

import pytest
from ansible_collections.cellcs.orthweb.plugins.plugin_utils.preflight.authority import (
    folder_problems,
    stranger_problems,
)

OURS, OTHER = (f"-----BEGIN CERTIFICATE-----\n{name}\n-----END CERTIFICATE-----\n" for name in ("ours", "other"))


@pytest.mark.parametrize("name", ["", "OrthWeb clinic CA"])
def test_a_new_folder_and_our_own_are_fine(name: str) -> None:
    assert list(folder_problems("clinic", "/state/pki/ca.crt", name)) == []


def test_a_folder_of_another_stack_is_refused() -> None:
    (problem,) = folder_problems("clinic", "/state/pki/ca.crt", "OrthWeb ward CA")
    assert 'belongs to another stack: /state/pki/ca.crt says "OrthWeb ward CA"' in problem


def strangers(found: str, known: str) -> list[str]:
    return list(stranger_problems(host="one", clients_ca="/etc/x.crt", found=found, ca_bundle="/state/ca", known=known))


@pytest.mark.parametrize(("found", "known"), [("", ""), ("", OURS), (OURS, OURS), (OTHER + OURS, OURS)])
def test_an_archive_of_ours_and_none_are_fine(found: str, known: str) -> None:
    assert strangers(found, known) == []


@pytest.mark.parametrize("known", ["", OTHER])
def test_an_archive_with_another_ca_is_refused(known: str) -> None:
    (problem,) = strangers(OURS, known)
    assert problem.startswith("The archive that runs on one was deployed with another CA")
    assert "/etc/x.crt, which is not in /state/ca" in problem
