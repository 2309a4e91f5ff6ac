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
        "certificates['issuer']: common_name: has characters that are not printable",
        "certificates['useless']: usage: is empty",
    ]
    for beginning in beginnings:
        assert sum(problem.startswith(beginning) for problem in problems) == 1, beginning
    assert len(problems) == len(beginnings), problems
    assert f"{len(problems)} problems" in result["msg"]
    assert not pki.path.exists()


@pytest.mark.parametrize(
    ("ca", "days", "problems"),
    [
        ({"valid_days": 36500, "path_length": 100, "generation": 999}, 36499, []),
        ({"valid_days": 1, "path_length": 0, "generation": 1}, 0, []),
        ({"common_name": "C" * 64, "organization": "O" * 64}, 30, []),
        ({"common_name": "C" * 62, "generation": 2}, 30, ["ca.common_name: has 65"]),
        ({"path_length": 101, "generation": 1000}, 30, ["ca.path_length: 101 is not", "ca.generation: 1000 is not"]),
        ({"generation": 0}, 30, ["ca.generation: 0 is not between 1 and 999"]),
        (
            {"valid_days": 36501},
            36501,
            [
                "renew_before_days: 36501 is not",
                "ca.valid_days: 36501 is not between",
                "ca.valid_days: 36501 is not more",
            ],
        ),
    ],
)
def test_ends_of_what_is_allowed(pki, ca, days, problems):
    ca = {"common_name": "Test CA", **ca}
    result = pki.run(ca=ca, renew_before_days=days, crl_valid_days=36500, check=True, fails=bool(problems))
    said = result.get("msg", "").split("\n- ")[1:]
    assert len(said) == len(problems)
    assert all(line.startswith(problem) for line, problem in zip(said, problems, strict=True)), said


@pytest.mark.parametrize("days", [0, 36501])
def test_days_of_a_list(pki, days):
    result = pki.run(crl_valid_days=days, check=True, fails=True)
    assert "1 problem" in result["msg"] and "1 problems" not in result["msg"]
    assert result["msg"].endswith(f"crl_valid_days: {days} is not between 1 and 36500")
    pki.run(crl_valid_days=1, check=True)


def test_relative_path_is_refused(pki, server):
    message = pki.run(server, path="pki", crl_valid_days=0, fails=True)["msg"]
    assert "\n- path: 'pki' is not absolute" in message
    assert "in the folder of the playbook\n- crl_valid_days: 0 is not between" in message


def test_leaf_may_not_take_the_name_of_its_issuer(pki):
    assert (
        "the same as the CA's"
        in pki.run({"name": "x", "usage": ["client"], "common_name": "Test CA"}, fails=True)["msg"]
    )


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
