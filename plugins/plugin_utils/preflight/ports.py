# SPDX-License-Identifier: GPL-3.0-or-later
"""The ports that a stack listens on, and who has them already."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from .words import port_problem


def with_listeners(
    ports: Mapping[str, object], listeners: Sequence[Mapping[str, Any]], plain: Iterable[object] = ()
) -> dict[str, object]:
    """Ports by variable, with those of the DICOM listeners that have no variable of their own.

    :param plain: further ones, which modalities without TLS call
    """
    further = {
        f"orthweb_dicom_listeners, entry {number}": listener["port"]
        for number, listener in enumerate(listeners, 1)
        if str(listener["port"]) != str(ports["orthweb_dicom_port"])
    }
    return {**ports, **further, **{f"orthweb_modalities, listener {port}": port for port in plain}}


def port_problems(
    ports: Mapping[str, object],
    *,
    containers: Sequence[str],
    own: Sequence[str],
    listeners: Sequence[Mapping[str, Any]],
) -> Iterator[str]:
    """Of ports that are none, that are wanted twice, or that somebody has.

    :param ports: by the variable that has them
    :param containers: of the host, as ``docker ps`` prints names and ports: ``nginx 0.0.0.0:443->443/tcp``
    :param own: names of containers that may have these ports: the stack's own
    :param listeners: of the host, each with ``port``, ``address``, ``process`` and ``pid`` (0 if somebody else's)
    """
    for variable, port in ports.items():
        for other, taken in ports.items():
            if other < variable and str(taken) == str(port):
                yield f"{other} and {variable} are both {port}: use different ports."
        if problem := port_problem(port):
            yield f"{variable} is {problem}"
        for line in containers:
            name = line.split()[0]
            if f":{port}->" in line and name not in own:
                yield f"Port {port} ({variable}) is taken by the container {name}: stop it, or choose another port."
        for holder in _holders(port, listeners):
            who = f"{holder['process']} (process {holder['pid']})" if holder["pid"] else "a process of another user"
            yield (
                f"Port {port} ({variable}) is taken by {who} on {holder['address']}: stop it, or choose another port."
            )


def _holders(port: object, listeners: Sequence[Mapping[str, Any]]) -> Iterable[Mapping[str, Any]]:
    """Each process once. Docker's own is named by its container already."""
    holders: dict[int, Mapping[str, Any]] = {}
    for listener in listeners:
        if str(listener["port"]) == str(port) and listener["process"] != "docker-proxy":
            holders.setdefault(listener["pid"], listener)
    return holders.values()
