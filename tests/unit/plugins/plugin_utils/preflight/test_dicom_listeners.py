# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that can be wrong with the list of DICOM listeners, each with its sentence."""

from __future__ import annotations

import pytest
from ansible_collections.cellcs.orthweb.plugins.plugin_utils.preflight.listeners import (
    dicom_listener_problems,
    dicom_listeners,
)

FIRST = {"port": 11112}
HOSPITAL = [
    FIRST,
    {"port": 2762, "client_certificate": "none", "allowed": ["10.8.0.0/16", "fd00:8::/64"]},
    {"port": 104, "tls": False, "allowed": ["10.1.2.3/32"]},
]


def problems(*further: dict[str, object]) -> list[str]:
    return dicom_listener_problems([FIRST, *further], "11112")


def test_what_is_right_is_silent() -> None:
    assert dicom_listener_problems(HOSPITAL, 11112) == []
    assert dicom_listener_problems([{"port": "11112", "tls_profile": "widest"}], 11112) == []
    assert problems({"port": 2762, "client_certificate": "optional", "allowed": ["0.0.0.0/0"]}) == []


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ({"port": 104, "tls": False}, "does not use TLS: anyone who can reach it could send images"),
        ({"port": 104, "tls": False, "allowed": []}, "does not use TLS: anyone who can reach it could send images"),
        ({"port": 2762, "client_certificate": "none"}, "client_certificate is none: anyone who can reach it"),
        ({"port": 2762, "client_certificate": "optional"}, "client_certificate is optional: anyone who can reach it"),
        ({"port": 104, "tls": False, "allowed": ["10.0.0.0/8"], "client_certificate": "required"}, "but tls is false"),
        ({"port": 104, "tls": False, "allowed": ["10.0.0.0/8"], "tls_profile": "widest"}, "but tls is false"),
        ({"port": 104, "tls": "no"}, "tls is 'no': use true or false"),
        ({"port": 2762, "client_certificate": "maybe"}, "choose required or optional or none"),
        ({"port": 2762, "tls_profile": "oldest"}, "choose bcp195 or widest"),
        ({"port": 2762, "allowed": "10.0.0.0/8"}, "use a list of networks"),
        ({"port": 2762, "allowed": ["10.0.0.1/8"]}, "'10.0.0.1/8', which is not a network in CIDR notation"),
        ({"port": 2762, "allowed": ["all; allow 0.0.0.0/0"]}, "which is not a network in CIDR notation"),
        ({"port": 2762, "ssl": True}, "it has unknown keys: ssl. Known keys: port, tls, "),
        ({"port": 0}, "port is 0: a port is a number from 1 to 65535"),
        ({"port": 65536}, "port is 65536"),
        ({"port": "²"}, "port is ²"),
        ({"tls": True}, "port is missing"),
    ],
)
def test_each_mistake_has_its_sentence(entry: dict[str, object], says: str) -> None:
    [problem] = problems(entry)
    assert problem.startswith(f"entry 2 (port {entry.get('port', 'missing')}): ")
    assert says in problem


def test_all_is_said_at_once() -> None:
    said = problems({"port": 104, "tls": False}, {"port": 105, "tls": False}, {"port": 105, "allowed": ["x"], "ssl": 1})
    assert len(said) == 5
    assert said[-1] == "port 105 is in 2 entries."


@pytest.mark.parametrize("given", [None, "11112", {"port": 11112}, [11112]])
def test_it_must_be_a_list_of_entries(given: object) -> None:
    assert dicom_listener_problems(given, 11112) == ["it must be a list of entries, each with at least a port."]


@pytest.mark.parametrize(
    "listeners",
    [
        [],
        [{"port": 2762}],
        [{"port": 11112, "client_certificate": "optional", "allowed": ["10.0.0.0/8"]}],
        [{"port": 11112, "tls": False, "allowed": ["10.0.0.0/8"]}],
    ],
)
def test_one_is_what_a_deployment_is_proved_on(listeners: list[dict[str, object]]) -> None:
    [problem] = dicom_listener_problems(listeners, 11112)
    assert problem.startswith("no entry has port 11112 (orthweb_dicom_port) with TLS and a required client certificate")


CT = {"name": "ct", "aet": "CT1", "host": "10.1.2.7", "tls": False}
MR = {"name": "mr", "aet": "MR1", "host": "10.1.2.8", "tls": False}


def test_modalities_without_tls_have_a_listener_for_them_alone() -> None:
    first, plain, other = dicom_listeners([FIRST], [{"name": "ws", "aet": "WS"}, CT, MR, {**CT, "listener": 105}])
    assert first["port"] == 11112
    assert (plain["port"], plain["tls"], plain["allowed"]) == (104, False, ["10.1.2.7/32", "10.1.2.8/32"])
    assert (other["port"], other["tls"], other["allowed"]) == (105, False, ["10.1.2.7/32"])
    assert dicom_listeners([FIRST], [CT])[1].keys() == first.keys()


def test_a_plain_listener_that_is_there_is_opened_to_them() -> None:
    given = {"port": "104", "tls": False, "allowed": ["10.1.2.3/32", "10.1.2.7/32"]}
    plain = dicom_listeners([FIRST, given], [CT, MR])[1]
    assert plain["allowed"] == ["10.1.2.3/32", "10.1.2.7/32", "10.1.2.8/32"]
    assert given["allowed"] == ["10.1.2.3/32", "10.1.2.7/32"]


def test_what_is_not_said_has_its_default() -> None:
    first, without_certificate, plain = dicom_listeners(HOSPITAL)
    assert first == {
        "port": 11112,
        "tls": True,
        "client_certificate": "required",
        "allowed": [],
        "tls_profile": "bcp195",
    }
    assert (without_certificate["client_certificate"], without_certificate["tls"]) == ("none", True)
    assert (plain["tls"], plain["allowed"]) == (False, ["10.1.2.3/32"])
