# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest


def test_all_problems_come_in_one_message_and_nothing_is_touched(pki, server):
    result = pki.run(
        server,
        server,
        {"name": "../evil", "subject_alt_names": ["a.example"]},
        {"name": "ca", "usage": ["client"]},
        {"name": "x.chain", "usage": ["client"]},
        {"name": "bad-names", "subject_alt_names": ["pacs_1", "10.0.0.300", "fine.example"]},
        {"name": "nameless", "common_name": "pacs.example.org"},
        {"name": "short", "usage": ["client"], "valid_days": 30},
        {"name": "endless", "usage": ["client"], "valid_days": 10**9},
        {"name": "open", "usage": ["client"], "pkcs12": True},
        {"name": "self", "usage": ["client"], "common_name": "C" * 65},
        {"name": "issuer", "usage": ["client"], "common_name": "Our\nCA"},
        {"name": "useless", "usage": []},
        ca={"common_name": "  ", "organization": "O" * 65, "valid_days": 7, "passphrase": ""},
        crl_valid_days=0,
        fails=True,
    )
    assert result["failure"] == "invalid_parameters"
    problems = result["msg"].split("\n- ")[1:]
    beginnings = [
        "certificates['bad-names']: subject_alt_names: 'pacs_1'",
        "certificates['bad-names']: subject_alt_names: '10.0.0.300'",
        "crl_valid_days: 0",
        "ca.common_name: is empty",
        "ca.organization: has 65 characters",
        "ca.valid_days: 7 is not more than renew_before_days (30)",
        "ca.passphrase: is empty",
        "certificates['pacs']: is declared 2 times",
        "certificates['../evil']: name:",
        "certificates['ca']: name:",
        "certificates['x.chain']: name:",
        "certificates['nameless']: subject_alt_names: a server needs",
        "certificates['short']: valid_days: 30 is not more than",
        "certificates['endless']: valid_days: 1000000000 is not between",
        "certificates['open']: pkcs12_passphrase:",
        "certificates['self']: common_name: has 65 characters",
        "certificates['issuer']: common_name: has characters that cannot be printed",
        "certificates['useless']: usage: is empty",
    ]
    for beginning in beginnings:
        assert sum(problem.startswith(beginning) for problem in problems) == 1, beginning
    assert len(problems) == len(beginnings), problems
    assert f"{len(problems)} problems" in result["msg"]
    assert not pki.path.exists()


def test_relative_path_is_refused(pki, server):
    assert "not absolute" in pki.run(server, path="pki", fails=True)["msg"]


def test_leaf_may_not_take_the_name_of_its_issuer(pki):
    assert "the CA's own" in pki.run({"name": "x", "usage": ["client"], "common_name": "Test CA"}, fails=True)["msg"]


def test_negative_threshold_is_refused(pki, server):
    assert "renew_before_days: -1" in pki.run(server, renew_before_days=-1, fails=True)["msg"]


@pytest.mark.parametrize(
    ("entry", "common_name"),
    [
        ({"subject_alt_names": ["192.0.2.1", "a.example", "b.example"]}, "a.example"),
        ({"subject_alt_names": ["192.0.2.1"]}, "node"),
        ({"subject_alt_names": [("a" * 60) + ".example"]}, "node"),
        ({"subject_alt_names": ["a.example"], "common_name": "Node One"}, "Node One"),
    ],
)
def test_common_name_defaults_to_the_first_dns_name(pki, entry, common_name):
    pki.run({"name": "node", **entry})
    assert f"Subject: CN={common_name},O=Test Clinic" in pki.text("node.crt")
