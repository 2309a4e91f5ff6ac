# SPDX-License-Identifier: GPL-3.0-or-later
"""Modalities, and the archive's own names."""

from __future__ import annotations

import pytest
from ansible_collections.cellcs.orthweb.plugins.filter.modalities import echo_report, orthanc_modalities
from ansible_collections.cellcs.orthweb.plugins.plugin_utils.modalities import (
    calling_titles,
    modalities,
    modality_problems,
    plain_port_problems,
)
from ansible_collections.cellcs.orthweb.plugins.plugin_utils.preflight.server_names import server_name_problems
from requests.certs import where

CA = where()
CT = {"name": "ct-1", "aet": "CT1", "host": "192.0.2.7", "port": 104, "allow": ["echo", "store", "find_worklist"]}


def test_what_is_right_is_fine() -> None:
    assert list(modality_problems([CT, {"name": "mr", "aet": "MR"}], "ORTHANC")) == []
    assert list(server_name_problems(["pacs.clinic.example", "192.0.2.1"])) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"name": "Not good"}, "(Not good): name must consist of lowercase letters"),
        ({"name": ""}, "(): name must consist of lowercase letters"),
        ({"aet": "SEVENTEEN_LETTERS"}, "has 17 characters"),
        ({"host": "https://ct"}, "is a URL"),
        ({"port": 0}, "port is 0: a port is a number from 1 to 65535."),
        (
            {"ssl": False},
            "has unknown keys: ssl. Known keys: name, aet, further_aets, host, port, allow, tls, listener, "
            "call_with_tls, certificate_name and ca_certificate.",
        ),
        ({"tls": "no"}, "tls is 'no': use true or false."),
        ({"tls": False, "host": "ct1.clinic.example"}, "tls is false, but host is not an IPv4 address"),
        ({"tls": False, "host": "2001:db8::1"}, "tls is false, but host is not an IPv4 address"),
        ({"tls": False, "listener": 0}, "listener is 0: a port is a number from 1 to 65535."),
        ({"listener": 105}, "listener is the port for a modality without TLS: set tls: false"),
        ({"prot": 104}, "has unknown keys: prot (did you mean port?)."),
        ({"allow": ["store", "fetch"]}, "allow has fetch; choose of echo, store, find, find_worklist, get and move."),
        ({"allow": "store"}, "allow is 'store': use a list"),
        ({"call_with_tls": "yes"}, "call_with_tls is 'yes': use true or false."),
        (
            {"call_with_tls": True},
            "host is an address, and a certificate is compared with a DNS name: set certificate_name",
        ),
        ({"certificate_name": "ct1.example"}, "certificate_name is for a modality that is called over TLS"),
        (
            {"certificate_name": "ct1.example", "ca_certificate": CA},
            "certificate_name and ca_certificate is for a modality that is called over TLS",
        ),
        ({"call_with_tls": True, "certificate_name": "192.0.2.7"}, "certificate_name is an address: use a DNS name."),
        ({"call_with_tls": True, "certificate_name": "no name"}, "certificate_name 'no name' is not a DNS name"),
        (
            {"call_with_tls": True, "host": "ct1.example", "ca_certificate": "/nowhere/ca.crt"},
            "ca_certificate is /nowhere/ca.crt: set the path of a file on the controller.",
        ),
        (
            {"call_with_tls": True, "host": "ct1.example", "ca_certificate": __file__},
            "test_modalities.py, in which there is no certificate in PEM.",
        ),
        ({"further_aets": "CT2"}, "further_aets is 'CT2': use a list of AE titles."),
        ({"further_aets": ["CT2", "SEVENTEEN_LETTERS"]}, "further_aets: 'SEVENTEEN_LETTERS' has 17 characters"),
        ({"further_aets": ["ct1"]}, "AE title CT1 is there more than once; upper and lower case are the same."),
    ],
)
def test_each_mistake_is_said_with_its_entry(change: dict, said: str) -> None:
    (problem,) = modality_problems([{"name": "mr", "aet": "MR"}, {**CT, **change}], "ORTHANC")
    assert problem.startswith("orthweb_modalities, entry 2 (")
    assert said in problem


def test_what_is_not_said_has_its_default() -> None:
    workstation, ct = modalities([{"name": "mr", "aet": "MR"}, {**CT, "port": "105"}])
    everything = ["echo", "store", "find", "get", "move"]
    assert workstation == {
        "name": "mr", "aet": "MR", "further_aets": [], "host": "", "port": 104, "allow": everything, "tls": True,
        "listener": 104, "call_with_tls": False, "certificate_name": "", "ca_certificate": "",
    }  # fmt: skip
    assert (ct["host"], ct["port"], ct["allow"]) == ("192.0.2.7", 105, ["echo", "store", "find_worklist"])


class OfAnInventory(list):
    """Ansible's lists of an inventory render what they have when it is read, and nobody else makes one."""

    def __init__(self, *items: object) -> None:
        raise TypeError("Direct construction of lazy containers is not supported.")


def test_lists_are_those_of_an_inventory() -> None:
    allow = OfAnInventory.__new__(OfAnInventory)
    allow.append("echo")
    assert list(modality_problems([{**CT, "allow": allow}], "ORTHANC")) == []
    (complete,) = modalities([{**CT, "allow": allow}])
    assert not isinstance(complete["allow"], OfAnInventory)


def test_without_tls_is_fine_where_the_address_is_known() -> None:
    plain = {**CT, "tls": False, "listener": 105}
    assert list(modality_problems([{"name": "mr", "aet": "MR"}, plain], "ORTHANC")) == []
    (problem,) = modality_problems([plain], "ORTHANC")
    assert "entry 1 (ct-1): the archive is checked over TLS with the first entry" in problem


def test_without_tls_it_cannot_call_where_tls_is_spoken() -> None:
    given = [{"name": "mr", "aet": "MR"}, {**CT, "tls": False, "listener": "2762"}]
    assert list(plain_port_problems([{"port": 11112}, {"port": 2762, "tls": False}], given)) == []
    (problem,) = plain_port_problems([{"port": 11112}, {"port": 2762}], given)
    assert problem.startswith("orthweb_modalities, entry 2 (ct-1): port 2762 uses TLS (orthweb_dicom_listeners)")


def test_who_is_called_over_tls_has_a_host() -> None:
    (problem,) = modality_problems([{"name": "mr", "aet": "MR", "call_with_tls": True}], "ORTHANC")
    assert problem.endswith("call_with_tls is for a modality that the archive calls: set its host, too, or remove it.")


def test_there_is_one_way_to_a_place() -> None:
    there = {"name": "mr", "aet": "MR", "host": "here.example", "call_with_tls": True}
    other = {"name": "us", "aet": "US", "host": "here.example"}
    assert list(modality_problems([there, {**other, "call_with_tls": True}], "ORTHANC")) == []
    assert list(modality_problems([there, {**other, "port": 105}], "ORTHANC")) == []
    assert list(modality_problems([other, {**there, "call_with_tls": False}], "ORTHANC")) == []
    assert list(modality_problems([there, other], "ORTHANC")) == [
        f"orthweb_modalities, entry {entry} has the same host and port, but not the same call_with_tls, "
        "certificate_name and ca_certificate."
        for entry in ("1 (mr): us", "2 (us): mr")
    ]


def test_an_ae_title_is_of_one_entry() -> None:
    problems = list(modality_problems([CT, {"name": "mr", "aet": "MR", "further_aets": ["ct1 "]}], "ORTHANC"))
    assert problems == [
        f"orthweb_modalities, entry {entry}: AE title CT1 is there more than once; upper and lower case are the same."
        for entry in ("1 (ct-1)", "2 (mr)")
    ]


US = {"name": "us", "aet": "US1", "host": "192.0.2.7", "tls": False}
HERE = {"name": "here", "aet": "HERE", "host": "127.0.0.1"}


def test_who_may_call_with_which_title() -> None:
    mr = {"name": "mr", "aet": "Mr", "further_aets": [" MR-2"], "host": "mr.clinic.example"}
    assert calling_titles(modalities([mr, CT, US, HERE]), "ORTHANC ", "172.18.0.1") == {
        "called": "ORTHANC",
        "by_certificate": {"mr": ["MR", "MR-2"], "ct-1": ["CT1"], "here": ["HERE"]},  # none for one without TLS
        "by_address": {"192.0.2.7": ["CT1", "US1"], "127.0.0.1": ["HERE"], "172.18.0.1": ["HERE"]},
        "anywhere": ["MR", "MR-2"],
    }
    assert calling_titles(modalities([HERE]), "ORTHANC")["by_address"] == {"127.0.0.1": ["HERE"]}


def test_each_title_is_a_modality_of_orthanc() -> None:
    ct, mr = modalities([{**CT, "further_aets": ["CT1B"]}, {"name": "mr", "aet": "MR", "port": 105}])
    found = orthanc_modalities([ct, mr], {"192.0.2.7:104": 28119}, "relay")
    assert list(found) == ["ct-1", "ct-1-AET2", "mr"]
    assert found["ct-1"] == {
        "AET": "CT1", "Host": "relay", "Port": 28119, "AllowEcho": True, "AllowStore": True, "AllowFind": False,
        "AllowFindWorklist": True, "AllowGet": False, "AllowMove": False,
    }  # fmt: skip
    assert found["ct-1-AET2"] == {**found["ct-1"], "AET": "CT1B"}
    assert (found["mr"]["Host"], found["mr"]["Port"]) == ("localhost", 105), "There is no way to it"


@pytest.mark.parametrize("given", [None, "ct", {"ct": "CT1"}, ["ct"]])
def test_it_must_be_a_list_of_entries(given: object) -> None:
    assert list(modality_problems(given, "ORTHANC")) == [
        "orthweb_modalities must be a list of entries, each with a name and an AE title (aet)."
    ]


def test_who_answers_and_who_does_not_is_reported() -> None:
    asked = modalities([CT, {"name": "mr", "aet": "MR1", "host": "mr"}, {"name": "us", "aet": "US1", "host": "us"}])
    answers = [
        {"status": 200, "json": {}},
        {"status": 500, "json": {"Message": "Error in the network protocol", "Details": "Failed to connect"}},
        {"status": 504, "msg": "Status code was 504"},
    ]
    assert echo_report(answers, asked) == {
        "alive": ["ct-1 (CT1@192.0.2.7:104) answers."],
        "silent": [
            "mr (MR1@mr:104) does not answer: Failed to connect",
            "us (US1@us:104) does not answer: Status code was 504",
        ],
    }


def test_nginx_knows_more_than_orthanc() -> None:
    (ct,) = modalities([CT])
    answer = {"status": 500, "json": {"Details": "Peer aborted Association"}}
    what = "connect() failed (111: Connection refused) while connecting to upstream, "
    log = (
        f"2026/11/29 09:43:25 [error] 42#42: *8 {what}"
        + 'client: 172.18.2.3, server: 0.0.0.0:28119, upstream: "192.0.2.7:104"\n'
    )
    for ports, why in (({"192.0.2.7:104": 28119}, "Connection refused"), ({}, "Peer aborted Association")):
        assert echo_report([answer], [ct], ports, log)["silent"] == [f"ct-1 (CT1@192.0.2.7:104) does not answer: {why}"]


def test_a_name_and_an_ae_title_stand_in_one_entry() -> None:
    assert list(modality_problems([CT, {**CT, "aet": "CT2"}], "ORTHANC")) == [
        "orthweb_modalities, entry 1 (ct-1): name ct-1 is in more than one entry.",
        "orthweb_modalities, entry 2 (ct-1): name ct-1 is in more than one entry.",
    ]


def test_an_entry_without_anything_is_said() -> None:
    problems = list(modality_problems([{}], "ORTHANC"))
    assert [problem.split(": ")[0] for problem in problems] == ["orthweb_modalities, entry 1 (no name)"] * 2


def test_the_archive_itself() -> None:
    (problem,) = modality_problems([CT], "WITH\\BACKSLASH")
    assert problem.startswith("orthweb_aet: ") and "has a backslash" in problem
    (problem,) = modality_problems([], "ORTHANC")
    assert problem.startswith("orthweb_modalities is empty")
    (problem,) = server_name_problems(["no name/", "pacs"])
    assert problem.startswith("orthweb_server_name or orthweb_server_aliases: 'no name/'")
