# SPDX-License-Identifier: GPL-3.0-or-later
"""Modalities, each with all its keys, who may call with which AE title, and what they answered."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible_collections.cellcs.orthweb.plugins.filter.relays import destination
from ansible_collections.cellcs.orthweb.plugins.plugin_utils.modalities import calling_titles, modalities
from ansible_collections.cellcs.orthweb.plugins.plugin_utils.relay_failures import why_not_reached

# Orthanc's options by service.
PERMISSIONS = {
    "echo": "AllowEcho",
    "store": "AllowStore",
    "find": "AllowFind",
    "find_worklist": "AllowFindWorklist",
    "get": "AllowGet",
    "move": "AllowMove",
}

# What Orthanc answers to an echo that went well.
ANSWERED = 200


def echo_report(
    answers: Sequence[Mapping[str, Any]],
    asked: Sequence[Mapping[str, Any]],
    ports: Mapping[str, int] | None = None,
    log: str = "",
) -> dict[str, list[str]]:
    """Who answered the archive's C-ECHO, and who did not.

    :param answers: of Orthanc, each with ``status`` and ``json``
    :param asked: complete entries of ``orthweb_modalities``, in the same order
    :param ports: of nginx, by destination
    :param log: nginx's, which knows more than Orthanc
    """
    alive, silent = [], []
    for answer, modality in zip(answers, asked, strict=True):
        who = f"{modality['name']} ({modality['aet']}@{modality['host']}:{modality['port']})"
        if answer.get("status") == ANSWERED:
            alive.append(f"{who} answers.")
        else:
            said = answer.get("json") or {}
            port = (ports or {}).get(destination(modality["host"], modality["port"]), 0)
            why = why_not_reached(log, port) or said.get("Details") or said.get("Message") or answer.get("msg")
            why = why or "no reason was given"
            silent.append(f"{who} does not answer: {why}")
    return {"alive": alive, "silent": silent}


def orthanc_modalities(
    complete: Sequence[Mapping[str, Any]], ports: Mapping[str, int], relay_host: str
) -> dict[str, dict[str, Any]]:
    """Orthanc's ``DicomModalities``: one for each AE title, as Orthanc's have one title each.

    A further title has a name with capitals, which no entry has.

    :param complete: complete entries of ``orthweb_modalities``
    :param ports: of nginx, by destination; to a modality without one there is no way
    """
    found = {}
    for entry in complete:
        port = ports.get(destination(entry["host"], entry["port"]), 0)
        common = {"Host": relay_host if port else "localhost", "Port": port or entry["port"]}
        common |= {option: service in entry["allow"] for service, option in PERMISSIONS.items()}
        for number, title in enumerate([entry["aet"], *entry["further_aets"]], 1):
            found[entry["name"] if number == 1 else f"{entry['name']}-AET{number}"] = {"AET": str(title), **common}
    return found


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {
            "modalities": modalities,
            "calling_titles": calling_titles,
            "orthanc_modalities": orthanc_modalities,
            "echo_report": echo_report,
        }
