# SPDX-License-Identifier: GPL-3.0-or-later
"""Ports: two of the same, none at all, and those that somebody has already."""

from __future__ import annotations

import pytest
from ansible_collections.cellcs.orthweb.plugins.plugin_utils.preflight.ports import port_problems, with_listeners

PORTS = {"orthweb_dicom_port": 11112, "orthweb_portal_port": "443"}
OWN = ["clinic-nginx", "clinic-orthanc"]


def problems(ports: dict | None = None, containers: tuple = (), listeners: tuple = ()) -> list[str]:
    return list(port_problems({**PORTS, **(ports or {})}, containers=containers, own=OWN, listeners=listeners))


def listener(port: int, process: str = "httpd", pid: int = 7, address: str = "0.0.0.0") -> dict:
    return {"port": port, "process": process, "pid": pid, "address": address}


def test_free_ports_and_our_own_are_fine() -> None:
    ours = ("clinic-nginx 0.0.0.0:443->8443/tcp, 0.0.0.0:11112->11112/tcp", "other 0.0.0.0:4430->443/tcp", "idle")
    assert problems(containers=ours, listeners=(listener(443, "docker-proxy"), listener(80))) == []


@pytest.mark.parametrize("port", [0, 65536, -1, "", "https", "44\u0663"])
def test_what_is_no_port_is_said(port: object) -> None:
    assert problems({"orthweb_orthanc_port": port}) == [
        f"orthweb_orthanc_port is {port}: a port is a number from 1 to 65535."
    ]


def test_two_of_the_same_are_said_once() -> None:
    assert problems({"orthweb_orthanc_port": 443}) == [
        "orthweb_orthanc_port and orthweb_portal_port are both 443: use different ports."
    ]


def test_a_container_that_has_it_is_named() -> None:
    assert problems(containers=("proxy 0.0.0.0:443->443/tcp",)) == [
        "Port 443 (orthweb_portal_port) is taken by the container proxy: stop it, or choose another port."
    ]


def test_a_process_that_has_it_is_named_once() -> None:
    both = (listener(443), listener(443, address="::"), listener(443, "", 0))
    assert problems(listeners=both) == [
        "Port 443 (orthweb_portal_port) is taken by httpd (process 7) on 0.0.0.0: stop it, or choose another port.",
        "Port 443 (orthweb_portal_port) is taken by a process of another user on 0.0.0.0: stop it, or choose another "
        "port.",
    ]


def test_listeners_without_a_variable_of_their_own_are_added() -> None:
    listeners = [{"port": "11112"}, {"port": 104, "tls": False}]
    assert with_listeners(PORTS, listeners) == {**PORTS, "orthweb_dicom_listeners, entry 2": 104}
    plain = {**PORTS, "orthweb_dicom_listeners, entry 2": 104, "orthweb_modalities, listener 105": 105}
    assert with_listeners(PORTS, listeners, [105]) == plain
