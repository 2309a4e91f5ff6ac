# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that can be wrong with a certificate that a person gave, each with its sentence."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.cellcs.orthweb.plugins.plugin_utils.preflight.certificate import server_certificate_problems
from cryptography.hazmat.primitives import serialization

from support.authority import Authority

NAME = "pacs.clinic.example"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "pki")


def given(authority: Authority, *names: str, **how: object) -> dict[str, str]:
    certificate, key = authority.issue(*(names or (NAME,)), **how)
    return {
        "certificate": certificate.read_text(),
        "private_key": key.read_text(),
        "ca_certificate": authority.file.read_text(),
    }


@pytest.mark.parametrize(
    ("carried", "reached_as"),
    [
        (NAME, NAME),
        (NAME.upper(), NAME),
        ("*.clinic.example", NAME),
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8::7", "2001:db8:0::7"),
    ],
)
def test_what_fits_is_silent(authority: Authority, carried: str, reached_as: str) -> None:
    assert server_certificate_problems(given(authority, "first.example", carried), reached_as) == []


@pytest.mark.parametrize(
    ("carried", "reached_as"),
    [
        ("other.example", NAME),
        ("*.example", NAME),  # one label only
        ("*.clinic.example", "clinic.example"),
        ("192.0.2.7", "192.0.2.8"),
    ],
)
def test_a_name_that_it_does_not_carry(authority: Authority, carried: str, reached_as: str) -> None:
    (problem,) = server_certificate_problems(given(authority, carried), reached_as)
    assert problem.startswith(f"certificate is not valid for orthweb_server_name ({reached_as}) but for {carried}")


def test_behind_a_load_balancer_it_carries_the_hosts_own_name_too(authority: Authority) -> None:
    (problem,) = server_certificate_problems(given(authority, NAME), NAME, "own.example")
    assert problem.startswith("certificate is not valid for orthweb_direct_name (own.example)")
    assert server_certificate_problems(given(authority, NAME, "own.example"), NAME, "own.example") == []


def test_all_that_is_wrong_is_said(authority: Authority, tmp_path: Path) -> None:
    files = given(authority, "other.example", days=-1)
    files["private_key"] = given(authority, stem="another")["private_key"]
    files["ca_certificate"] = Authority(tmp_path / "foreign").file.read_text()
    problems = server_certificate_problems(files, NAME)
    for beginning in (
        "private_key does not belong to certificate",
        "certificate expired on ",
        "certificate is not valid for orthweb_server_name",
        "certificate does not chain to ca_certificate",
    ):
        assert [problem for problem in problems if problem.startswith(beginning)], beginning
    assert len(problems) == 4


def test_a_chain_leads_over_its_intermediate(authority: Authority, tmp_path: Path) -> None:
    between = authority.intermediate(tmp_path / "between", "Department CA")
    files = given(between) | {"ca_certificate": authority.file.read_text()}
    assert server_certificate_problems(files, NAME)[0].startswith("certificate does not chain to ca_certificate")
    files["certificate"] += between.file.read_text()
    assert server_certificate_problems(files, NAME) == []


def test_a_chain_in_the_wrong_order(authority: Authority, tmp_path: Path) -> None:
    between = authority.intermediate(tmp_path / "between", "Department CA")
    files = given(between) | {"ca_certificate": authority.file.read_text()}
    files["certificate"] = between.file.read_text() + files["certificate"]
    assert "must be the first in its file" in server_certificate_problems(files, NAME)[0]


def test_a_key_with_a_passphrase(authority: Authority) -> None:
    files = given(authority)
    key = serialization.load_pem_private_key(files["private_key"].encode(), None)
    files["private_key"] = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"locked"),
    ).decode()
    (problem,) = server_certificate_problems(files, NAME)
    assert problem.startswith("private_key is encrypted with a passphrase")


@pytest.mark.parametrize("key", ["certificate", "private_key", "ca_certificate"])
@pytest.mark.parametrize("text", ["", "no PEM", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_what_is_no_pem(authority: Authority, key: str, text: str) -> None:
    (problem,) = server_certificate_problems(given(authority) | {key: text}, NAME)
    assert problem.startswith(f"{key} has no ")
