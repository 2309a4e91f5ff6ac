# SPDX-License-Identifier: GPL-3.0-or-later
"""Modalities, each with all its keys, and what they answered."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible_collections.cellcs.orthweb.plugins.plugin_utils.modalities import modalities

# What Orthanc answers to an echo that went well.
ANSWERED = 200


def echo_report(answers: Sequence[Mapping[str, Any]], asked: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    """Who answered the archive's C-ECHO, and who did not.

    :param answers: of Orthanc, each with ``status`` and ``json``
    :param asked: complete entries of ``orthweb_modalities``, in the same order
    """
    alive, silent = [], []
    for answer, modality in zip(answers, asked, strict=True):
        who = f"{modality['name']} ({modality['aet']}@{modality['host']}:{modality['port']})"
        if answer.get("status") == ANSWERED:
            alive.append(f"{who} answers.")
        else:
            said = answer.get("json") or {}
            why = said.get("Details") or said.get("Message") or answer.get("msg") or "no reason was given"
            silent.append(f"{who} does not answer: {why}")
    return {"alive": alive, "silent": silent}


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"modalities": modalities, "echo_report": echo_report}
