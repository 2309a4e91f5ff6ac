# SPDX-License-Identifier: GPL-3.0-or-later
"""The certificates that a deployment needs."""

from __future__ import annotations

import pytest
from ansible_collections.cellcs.orthweb.plugins.filter.server_keys import server_keys
from ansible_collections.cellcs.orthweb.plugins.filter.wanted_certificates import (
    client_certificates,
    outgoing_certificates,
    service_certificates,
)
from ansible_collections.cellcs.orthweb.plugins.plugin_utils.modalities import modalities

CT = {"name": "ct", "aet": "CT1", "host": "ct.example"}
PLAIN = {"name": "us", "aet": "US1", "host": "192.0.2.7", "tls": False}
HOSTS = [("one", ["pacs.example", "192.0.2.1"]), ("two", ["other.example"])]


def test_each_host_has_one_for_each_service() -> None:
    wanted = service_certificates(HOSTS, {"server": [], "orthanc": ["o"]}, valid_days=3, key_type="ecdsa-p256")
    assert {each["name"]: each["subject_alt_names"] for each in wanted} == {
        "server-one": ["pacs.example", "192.0.2.1"],
        "orthanc-one": ["pacs.example", "192.0.2.1", "o"],
        "server-two": ["other.example"],
        "orthanc-two": ["other.example", "o"],
    }
    assert {(each["common_name"], each["valid_days"], *each["usage"]) for each in wanted} == {
        ("pacs.example", 3, "server"),
        ("other.example", 3, "server"),
    }


def test_the_database_is_known_inside_only() -> None:
    (wanted,) = service_certificates(HOSTS[:1], {"postgresql": ["db"]}, valid_days=3, key_type="ecdsa-p256")
    assert wanted["subject_alt_names"] == ["db"]


@pytest.mark.parametrize(("key_type", "other"), [("ecdsa-p384", "rsa-3072"), ("rsa-4096", "ecdsa-p256")])
def test_the_other_key_is_of_the_other_kind(key_type: str, other: str) -> None:
    services: dict[str, list[str]] = {"server": [], "server-other-key": []}
    wanted = service_certificates(HOSTS[:1], services, valid_days=3, key_type=key_type)
    assert [each["key_type"] for each in wanted] == [key_type, other]


def test_a_modality_has_one_with_a_bundle() -> None:
    ct, plain = modalities([CT, PLAIN])
    assert client_certificates([ct, plain], valid_days=3, key_type="rsa-3072", passphrase="p") == [
        {
            "name": "client-ct",
            "usage": ["client"],
            "common_name": "ct",
            "subject_alt_names": [],
            "valid_days": 3,
            "key_type": "rsa-3072",
            "pkcs12": True,
            "pkcs12_passphrase": "p",
        }
    ]


@pytest.mark.parametrize(
    ("entry", "wanted"),
    [
        ({**CT, "call_with_tls": True}, [(["client", "server"], ["ct.example"])]),
        ({**CT, "call_with_tls": True, "certificate_name": "ct"}, [(["client", "server"], ["ct"])]),
        ({**CT, "call_with_tls": True, "ca_certificate": "/ca.crt"}, [(["client"], [])]),
        ({**PLAIN, "call_with_tls": True, "certificate_name": "us"}, [(["server"], ["us"])]),
        ({**PLAIN, "call_with_tls": True, "certificate_name": "us", "ca_certificate": "/ca.crt"}, []),
    ],
)
def test_who_is_called_over_tls_shows_the_same_one(entry: dict, wanted: list) -> None:
    found = client_certificates(modalities([entry]), valid_days=3, key_type="rsa-3072", passphrase="p")
    assert [(each["usage"], each["subject_alt_names"]) for each in found] == wanted


def test_the_archive_has_one_to_show_if_somebody_is_called_over_tls() -> None:
    settings = {"stack": "clinic", "valid_days": 3, "key_type": "rsa-3072"}
    assert outgoing_certificates(["pacs"], modalities([CT]), **settings) == []
    assert outgoing_certificates(["pacs"], modalities([CT, {**CT, "call_with_tls": True}]), **settings) == [
        {
            "name": "outgoing-pacs",
            "usage": ["client"],
            "common_name": "OrthWeb clinic archive",
            "valid_days": 3,
            "key_type": "rsa-3072",
        }
    ]


def test_each_key_is_with_its_certificate() -> None:
    assert server_keys([{}, {}], ["K1", "K2"], ["C1", "C2"]) == [
        {"name": "server-1.pem", "secret_content": "K1\nC1\n"},
        {"name": "server-2.pem", "secret_content": "K2\nC2\n"},
    ]


@pytest.mark.parametrize(("keys", "certificates"), [(None, None), ([], [])])
def test_before_they_are_made_there_is_a_file_for_each(keys: list[str] | None, certificates: list[str] | None) -> None:
    found = server_keys([{}, {}], keys, certificates)
    assert [each["name"] for each in found] == ["server-1.pem", "server-2.pem"]
