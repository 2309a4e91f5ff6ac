# SPDX-License-Identifier: GPL-3.0-or-later
"""Ports of nginx for where Orthanc may go."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from ansible_collections.cellcs.orthweb.plugins.filter.relays import (
    COUNT,
    FIRST,
    destination,
    is_address,
    relays,
    tls_relays,
)
from ansible_collections.cellcs.orthweb.plugins.plugin_utils.modalities import modalities

WORKSTATION, CT, MR = modalities(
    [
        {"name": "workstation", "aet": "WORKSTATION"},
        {"name": "ct", "aet": "CT1", "host": "ct1.clinic.example"},
        {"name": "mr", "aet": "MR1", "host": "192.0.2.21", "port": 11112},
    ]
)


def test_only_who_has_a_host_is_a_destination() -> None:
    ports = relays([WORKSTATION, CT, MR], {}, [])
    assert set(ports) == {"ct1.clinic.example:104", "192.0.2.21:11112"}
    assert len(set(ports.values())) == 2
    assert all(FIRST <= port < FIRST + COUNT for port in ports.values())


def test_a_destination_keeps_its_port_and_another_has_another() -> None:
    before = relays([CT, MR], {}, [])
    assert relays([MR], {}, [])["192.0.2.21:11112"] == before["192.0.2.21:11112"]
    moved = relays([{**CT, "port": 105}, MR], {}, [])
    assert before["ct1.clinic.example:104"] not in moved.values()


def test_two_modalities_at_one_place_share_a_port() -> None:
    assert len(relays([CT, {**CT, "aet": "CT2", "port": "104"}], {}, [])) == 1


def test_ports_of_listeners_are_left_alone() -> None:
    port = relays([CT], {}, [])["ct1.clinic.example:104"]
    assert relays([CT], {}, [str(port), 443]) == {"ct1.clinic.example:104": port + 1}


def test_ports_that_would_be_the_same_are_not() -> None:
    many = [{"host": f"192.0.{number // 250}.{number % 250}", "port": 104} for number in range(2000)]
    ports = relays(many, {}, [])
    assert len(set(ports.values())) == len(ports) == 2000


@pytest.mark.parametrize(
    ("host", "is_one"), [("postgres.clinic.example", True), ("192.0.2.9", False), ("2001:db8::9", False), ("", False)]
)
def test_a_database_is_one_if_it_has_a_name(host: str, is_one: bool) -> None:
    assert relays([], {"host": host, "port": 5433} if host else {}, []) == (
        relays([{"host": host, "port": 5433}], {}, []) if is_one else {}
    )


def test_addresses_and_names() -> None:
    assert [is_address(each) for each in ("192.0.2.1", "2001:db8::1", "ct1", "192.0.2.256", "")] == [
        True,
        True,
        False,
        False,
        False,
    ]
    assert destination("2001:db8::1", 104) == "[2001:db8::1]:104"
    assert destination("ct1", "104") == "ct1:104"


def test_what_a_certificate_must_be_is_said_by_destination() -> None:
    called = {"name": "ct", "aet": "CT1", "host": "ct1.clinic.example", "call_with_tls": True}
    given = {"certificate_name": "ct", "ca_certificate": "~/ca.crt", "host": "192.0.2.21", "name": "us", "aet": "US"}
    assert tls_relays([WORKSTATION, MR]) == {}
    found = tls_relays(modalities([called, {**called, **given}]))
    assert found["ct1.clinic.example:104"] == {"name": "ct1.clinic.example", "ca": "", "file": "clients-ca.crt"}
    other = found["192.0.2.21:104"]
    assert (other["name"], other["ca"]) == ("ct", str(Path.home() / "ca.crt"))
    assert re.fullmatch(r"modality-ca-[0-9a-f]{16}\.crt", other["file"])
