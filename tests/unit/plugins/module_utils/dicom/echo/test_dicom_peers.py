# SPDX-License-Identifier: GPL-3.0-or-later
"""Many peers in one call: what is declared, that they are asked side by side, and what comes back."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from dataclasses import replace

import pytest
import yaml
from ansible.module_utils import basic
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.echo import peers as many
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.echo.peers import check_all, declared_peers
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.net import tls
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.net.tls import TlsContexts
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.peer import (
    ENTRY_ARGUMENTS,
    PEER_ARGUMENTS,
    Timeouts,
    TlsOptions,
    entry_options,
)
from ansible_collections.cellcs.orthweb.plugins.modules import dicom_echo

from support.checkout import COLLECTIONS
from support.peers import peer_at, server_context

DEFAULTS = {name: spec.get("default") for name, spec in PEER_ARGUMENTS.items()}
HERE = "127.0.0.1"


def declared(entries, **defaults):
    return declared_peers(entries, {**DEFAULTS, **defaults}, TlsContexts())


@pytest.fixture
def closed_port():
    with socket.create_server((HERE, 0)) as free:
        port = free.getsockname()[1]
    return port


# What is declared


def test_an_entry_takes_the_peer_options_and_has_no_defaults_of_its_own():
    documented = yaml.safe_load(dicom_echo.DOCUMENTATION)["options"]["peers"]["suboptions"]
    assert documented.keys() == ENTRY_ARGUMENTS.keys() == PEER_ARGUMENTS.keys()
    for name, spec in ENTRY_ARGUMENTS.items():
        assert "default" not in spec
        assert "default" not in documented[name]
        for aspect in ("type", "choices"):
            assert documented[name].get(aspect) == spec.get(aspect) == PEER_ARGUMENTS[name].get(aspect)
    assert ENTRY_ARGUMENTS["client_key_passphrase"]["no_log"] is True


def test_what_an_entry_does_not_say_is_the_default():
    peers, problems = declared(
        [{"host": "a"}, {"host": "b", "port": 104, "called_aet": "B", "retries": 0}],
        called_aet="ALL",
        port=11113,
        retries=3,
    )
    assert problems == []
    assert [(peer.host, peer.port, peer.called_aet, peer.retries) for peer in peers] == [
        ("a", 11113, "ALL", 3),
        ("b", 104, "B", 0),
    ]


@pytest.mark.parametrize(
    ("entry", "left"),
    [
        ({}, {"ca_file", "crl_file", "client_certificate", "client_key", "client_key_passphrase", "server_name"}),
        ({"tls": False}, set()),
        ({"verify": False}, {"client_certificate", "client_key", "client_key_passphrase", "server_name"}),
        ({"ca_file": "/x"}, {"ca_file", "client_certificate", "client_key", "client_key_passphrase", "server_name"}),
        ({"client_certificate": "/x"}, {"ca_file", "crl_file", "client_certificate", "server_name"}),
        ({"client_key": "/x"}, {"ca_file", "crl_file", "client_certificate", "client_key", "server_name"}),
    ],
)
def test_defaults_that_do_not_go_with_an_entry_do_not_hold_for_it(entry, left):
    of_all = ("ca_file", "crl_file", "client_certificate", "client_key", "client_key_passphrase", "server_name")
    options = entry_options(entry, {**DEFAULTS, "tls": True, **{name: f"/{name}" for name in of_all}})
    assert {name for name in of_all if options[name] is not None} == left
    assert options["tls"] is entry.get("tls", True)


def test_verification_is_not_switched_off_for_an_entry_without_tls():
    assert entry_options({"tls": False}, {**DEFAULTS, "tls": True, "verify": False})["verify"] is True


def test_all_problems_of_all_entries_are_told_with_index_and_host():
    _unused, problems = declared(
        [
            {"host": "good", "called_aet": "A"},
            {"host": "x", "called_aet": "A", "port": 0, "maximum_pdu": 1},
            {"called_aet": "A"},
            {"host": "y"},
            {"host": "z", "called_aet": "A", "tls": True, "ca_file": "/nowhere"},
        ]
    )
    assert [problem.rsplit(":", 1)[0] if "maximum" in problem else problem for problem in problems] == [
        "peers[1] (x): port: 0: a port is a number from 1 to 65535",
        "peers[1] (x): maximum_pdu",
        "peers[2]: host: is missing",
        "peers[3] (y): called_aet: is missing",
        "peers[4] (z): ca_file: cannot read /nowhere: No such file or directory",
    ]


def test_there_must_be_one():
    assert declared([], called_aet="A") == ([], ["peers: is empty"])


def test_contexts_are_made_while_the_options_are_looked_at(monkeypatch):
    contexts = TlsContexts()
    peers, problems = declared_peers([{"host": "a", "called_aet": "A", "tls": True}], DEFAULTS, contexts)
    assert problems == []
    monkeypatch.setattr(tls, "client_context", None)
    assert contexts.context(peers[0].tls) is contexts.context(replace(peers[0].tls, server_name="b"))


def test_a_problem_that_all_entries_have_is_told_once():
    entries = [{"host": "a"}, {"host": "b"}]
    assert declared(entries, called_aet="A", retries=-1)[1] == ["each of peers: retries: -1 is not between 0 and 86400"]
    assert declared(entries[:1], called_aet="A", retries=-1)[1][0].startswith("peers[0] (a): retries: ")


def test_one_context_serves_all_who_ask_for_the_same(authority):
    contexts = TlsContexts()
    entries = [{"host": "a"}, {"host": "b", "server_name": "c"}, {"host": "d", "minimum_version": "1.3"}]
    peers, problems = declared_peers(
        entries, {**DEFAULTS, "called_aet": "A", "tls": True, "ca_file": str(authority.file)}, contexts
    )
    assert problems == []
    first, second, other = (contexts.context(peer.tls) for peer in peers)
    assert first is second
    assert first is not other


# What comes back


def test_many_peers_each_with_its_own_answer_in_declared_order(run_module, archive, authority, closed_port):
    plain = archive().port
    secured = archive(tls=server_context(authority, authority.issue_to("many-server"))).port
    ran = run_module(
        dicom_echo,
        {
            "called_aet": "ORTHANC",
            "peers": [
                {"host": HERE, "port": closed_port},
                {"host": HERE, "port": plain},
                {"host": HERE, "port": secured, "tls": True, "ca_file": str(authority.file)},
                {"host": HERE, "port": secured},
            ],
            "fail_on": "never",
        },
    )
    assert not ran.failed
    assert ran.result["changed"] is False
    assert [peer["failure"] for peer in ran.result["peers"]] == ["connection_refused", None, None, "tls_expected"]
    assert [peer["port"] for peer in ran.result["peers"]] == [closed_port, plain, secured, secured]
    assert (ran.result["alive"], ran.result["alive_count"], ran.result["failed_count"]) == (False, 2, 2)
    assert ran.result["msg"].startswith("2 of 4 peers are not alive. ORTHANC at 127.0.0.1:")

    alone = run_module(dicom_echo, {"host": HERE, "port": plain, "called_aet": "ORTHANC"}).result
    assert alone.keys() - {"invocation", "changed"} == ran.result["peers"][1].keys()


def test_connections_of_one_context_are_not_confused(archive, authority):
    certificate = authority.issue_to("shared-server")
    asking = archive(tls=server_context(authority, certificate, demand=True)).port
    quiet = archive(tls=server_context(authority, certificate)).port
    mine = authority.issue_to("shared-client")
    tls = TlsOptions("localhost", str(authority.file), None, *mine)
    other_name = replace(tls, server_name="archive.example")
    peers = [peer_at(port, each, timeouts=Timeouts()) for port, each in ((asking, tls), (quiet, tls))] * 3
    peers.append(peer_at(quiet, other_name, timeouts=Timeouts()))
    results = check_all(peers, 1, 7, TlsContexts()).to_result()["peers"]
    assert [result["client_certificate_requested"] for result in results[:6]] == [True, False] * 3
    assert [result["failure"] for result in results] == [None] * 6 + ["certificate_wrong_name"]


@pytest.mark.parametrize(
    ("fail_on", "some", "none"), [("never", False, False), ("any", True, True), ("all", False, True)]
)
def test_fail_on(run_module, archive, closed_port, fail_on, some, none):
    up, down = {"host": HERE, "port": archive().port}, {"host": HERE, "port": closed_port}

    def failed(*peers):
        return run_module(dicom_echo, {"called_aet": "ORTHANC", "peers": [*peers], "fail_on": fail_on}).failed

    assert failed(up, up) is False
    assert failed(up, down) is some
    assert failed(down, down) is none
    assert run_module(dicom_echo, {**down, "called_aet": "ORTHANC", "fail_on": fail_on}).failed is none


def test_the_sentence_names_the_first_few_and_counts_the_rest(run_module, closed_port):
    peers = [{"host": HERE, "port": closed_port, "called_aet": f"PEER{number}"} for number in range(6)]
    message = run_module(dicom_echo, {"peers": peers}).result["msg"]
    assert message.startswith("6 of 6 peers are not alive. PEER0 at")
    assert "PEER2" in message
    assert "PEER3" not in message
    assert message.endswith("And 3 more: connection_refused (3).")


def test_peers_are_asked_side_by_side_but_no_more_than_told(listener):
    """Nobody is answered before as many have come as may come; then it is seen whether one more does."""
    width, here, most = 4, [], []
    enough = threading.Barrier(width)

    def hold(connection):
        here.append(connection)
        most.append(len(here))
        enough.wait(30)  # broken, and so red, if fewer than that come at a time
        connection.recv(4096)
        here.remove(connection)
        connection.sendall(bytes.fromhex("0300000000040001ff01"))

    port = listener(hold)
    peers = [peer_at(port, timeouts=Timeouts()) for _each in range(3 * width)]
    reports = check_all(peers, 1, width, TlsContexts())
    assert [report.failure.failure for report in reports.reports] == ["association_rejected"] * len(peers)
    assert max(most) == width


@pytest.mark.parametrize(("limit", "most"), [(1024, 256), (256, 64), (3, 1)])
def test_no_more_than_the_limit_of_open_files_allows(limit, most):
    """In a process of its own, for a limit that is too low would hit this one."""
    soft_limit = f"resource.setrlimit(resource.RLIMIT_NOFILE, ({limit}, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))"
    script = f"import resource; from {many.__name__} import _most_by_open_files as most; {soft_limit}; print(most())"
    environment = {**os.environ, "PYTHONPATH": str(COLLECTIONS)}
    ran = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert int(ran.stdout) == most


def test_a_fault_in_one_check_costs_no_other_its_answer(archive, monkeypatch):
    """A stand-in for a fault that we do not know of."""
    peers = [
        peer_at(archive().port, timeouts=Timeouts()),
        peer_at(archive().port, called_aet="FAULTY", timeouts=Timeouts()),
        peer_at(archive().port, timeouts=Timeouts()),
    ]
    real = many.check

    def faulty(peer, *args):
        if peer.called_aet == "FAULTY":
            raise LookupError("something")
        return real(peer, *args)

    monkeypatch.setattr(many, "check", faulty)
    reports = check_all(peers, 1, 4, TlsContexts())
    assert [report.alive for report in reports.reports] == [True, False, True]
    failure = reports.failed[0].failure
    assert failure.failure == "internal_error"
    assert "LookupError: something" in str(failure)


# What is refused


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "one of the following is required: host, peers"),
        ({"host": "a", "called_aet": "A", "peers": [{"host": "b"}]}, "mutually exclusive: host|peers"),
        ({"host": "a"}, "required by 'host': called_aet"),
        ({"peers": [], "called_aet": "A"}, "peers: is empty"),
        ({"peers": [{"host": "a", "prot": 104}]}, "prot"),
        ({"peers": [{"host": "a"}], "called_aet": "A", "parallel": 0}, "parallel: 0 is not between 1 and 256"),
        ({"peers": [{"host": "a"}], "called_aet": "A", "parallel": 257}, "parallel: 257 is not between 1 and 256"),
        ({"peers": [{"host": "a"}], "called_aet": "A", "count": 0}, "count: 0 is not between 1 and 10000"),
        ({"peers": [{"host": "a"}], "called_aet": "A", "count": 10001}, "count: 10001 is not between 1 and 10000"),
    ],
)
def test_what_is_refused(run_module, options, said):
    ran = run_module(dicom_echo, options)
    assert ran.failed
    assert said in ran.result["msg"]


def test_nobody_is_asked_if_one_entry_is_wrong(run_module, listener):
    asked = threading.Event()
    port = listener(lambda connection: asked.set())
    ran = run_module(dicom_echo, {"called_aet": "A", "peers": [{"host": HERE, "port": port}, {"host": "a b"}]})
    assert ran.failed
    assert [problem[:16] for problem in ran.result["problems"]] == ["peers[1] (a b): "]
    assert not asked.is_set()


# What is not told


def test_passphrases_and_keys_are_neither_returned_nor_logged(run_module, archive, authority, closed_port, monkeypatch):
    logged = []
    monkeypatch.setattr(basic, "has_journal", False)
    monkeypatch.setattr(basic.syslog, "syslog", lambda *args: logged.append(str(args)))
    port = archive(tls=server_context(authority, authority.issue_to("secret-server"), demand=True)).port
    certificate, key = authority.issue_to("secret-client", passphrase=b"phrase-of-all")
    other, other_key = authority.issue_to("other-client", passphrase=b"phrase-of-one")
    mine = {"client_certificate": other, "client_key": other_key, "client_key_passphrase": "phrase-of-one"}
    options = {
        "called_aet": "ORTHANC",
        "tls": True,
        "ca_file": str(authority.file),
        "client_certificate": certificate,
        "client_key": key,
        "client_key_passphrase": "phrase-of-all",
        "peers": [{"host": HERE, "port": port}, {"host": HERE, "port": port, **mine}],
    }
    good = run_module(dicom_echo, options)
    assert not good.failed, good.result["msg"]
    options["peers"].append({"host": HERE, "port": closed_port})
    bad = run_module(dicom_echo, options)
    assert bad.failed
    options["peers"].append({"host": "a b", **mine, "client_key": key})
    wrong = run_module(dicom_echo, options)
    assert "client_key_passphrase: does not decrypt" in wrong.result["msg"]
    assert logged
    for told in (json.dumps(good.result), json.dumps(bad.result), json.dumps(wrong.result), *logged):
        assert "phrase-of-" not in told
        assert "PRIVATE KEY" not in told
