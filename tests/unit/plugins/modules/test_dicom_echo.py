# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import ipaddress
import json
import os
import ssl
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest
import yaml
from ansible_collections.cellcs.orthweb.plugins.doc_fragments.dicom_peer import ModuleDocFragment
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.failure import FailureName
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.net.tls import (
    Certificate,
    client_context,
    tls_problems,
)
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.peer import (
    PEER_ARGUMENTS,
    Timeouts,
    TlsOptions,
    peer_from_options,
    peer_problems,
)
from ansible_collections.cellcs.orthweb.plugins.modules import dicom_echo
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from support.checkout import COLLECTIONS, ROOT
from support.peers import server_context

DEFAULTS = {name: spec.get("default") for name, spec in PEER_ARGUMENTS.items()}


def problems_of(**options):
    return peer_problems({**DEFAULTS, "host": "archive", "called_aet": "ORTHANC", **options})


def test_the_documented_options_are_the_options():
    documented = yaml.safe_load(ModuleDocFragment.DOCUMENTATION)["options"]
    assert documented.keys() == PEER_ARGUMENTS.keys()
    for name, spec in PEER_ARGUMENTS.items():
        for aspect in ("type", "default", "choices", "required"):
            assert documented[name].get(aspect) == spec.get(aspect), (name, aspect)


def test_the_python_that_is_asked_for_is_that_of_the_collection():
    config = yaml.safe_load((ROOT / "tests" / "config.yml").read_text(encoding="utf-8"))
    requirements = yaml.safe_load(ModuleDocFragment.DOCUMENTATION)["requirements"]
    assert requirements[0].replace(" ", "") == f"python{config['modules']['python_requires']}"


def test_the_failures_that_are_named_are_documented():
    notes = " ".join(yaml.safe_load(ModuleDocFragment.DOCUMENTATION)["notes"])
    assert [name for name in get_args(FailureName) if f"V(ignore:{name})" not in notes] == []


def test_the_failures_that_are_named_are_in_the_guide():
    guide = (ROOT / "docs" / "check-a-peer.md").read_text(encoding="utf-8")
    assert [name for name in get_args(FailureName) if f"| `{name}` |" not in guide] == []


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"host": "https://archive"}, "host: "),
        ({"port": 0}, "port: "),
        ({"called_aet": "A" * 17}, "called_aet: "),
        ({"calling_aet": ""}, "calling_aet: "),
        ({"connect_timeout_seconds": 0.0}, "connect_timeout_seconds: "),
        ({"dimse_timeout_seconds": float("inf")}, "dimse_timeout_seconds: "),
        ({"tls_timeout_seconds": float("nan")}, "tls_timeout_seconds: "),
        ({"retries": -1}, "retries: "),
        ({"maximum_pdu": 100}, "maximum_pdu: "),
        ({"ca_file": "/ca.pem"}, "ca_file: needs tls"),
        ({"verify": False}, "verify: needs tls"),
        ({"tls": True, "verify": False, "ca_file": "/ca.pem"}, "ca_file: has no effect"),
        ({"tls": True, "crl_file": "/crl.pem"}, "crl_file: needs ca_file"),
        ({"tls": True, "client_key": "/key"}, "client_key: needs client_certificate"),
        ({"tls": True, "client_key_passphrase": "x"}, "client_key_passphrase: needs client_certificate"),
        ({"tls": True, "server_name": "a b"}, "server_name: "),
        ({"association_timeout_seconds": 86401.0}, "association_timeout_seconds: "),
        ({"retries": 86401}, "retries: "),
        ({"retry_delay_seconds": -0.1}, "retry_delay_seconds: "),
        ({"maximum_pdu": 4095}, "maximum_pdu: "),
        ({"maximum_pdu": 131073}, "maximum_pdu: "),
        ({"client_certificate": "/crt"}, "client_certificate: needs tls"),
        ({"tls": True, "verify": False, "crl_file": "/crl.pem"}, "crl_file: has no effect"),
    ],
)
def test_each_option_has_its_own_problem(options, problem):
    problems = problems_of(**options)
    assert len(problems) == 1
    assert problems[0].startswith(problem)


def test_one_problem_does_not_hide_another():
    for options in ({"tls": True, "verify": False, "ca_file": "/ca.pem"}, {"verify": False, "ca_file": "/ca.pem"}):
        problems = problems_of(port=0, retries=-1, maximum_pdu=1, dimse_timeout_seconds=0, client_key="/key", **options)
        named = [problem.partition(":")[0] for problem in problems]
        assert named[:4] == ["port", "dimse_timeout_seconds", "retries", "maximum_pdu"]
        assert {"ca_file", "client_key"} <= set(named)


def test_options_without_a_problem():
    assert problems_of() == []
    assert problems_of(tls=True, ca_file="/ca.pem", client_certificate="/crt", client_key_passphrase="x") == []
    assert problems_of(connect_timeout_seconds=86400.0, retries=86400, retry_delay_seconds=0, maximum_pdu=4096) == []
    assert problems_of(connect_timeout_seconds=0.001, retries=0, retry_delay_seconds=86400, maximum_pdu=131072) == []


def test_each_option_is_that_of_the_peer():
    told = {name: f"the {name}" for name in DEFAULTS} | {"tls": True}
    peer = peer_from_options(told)
    assert peer.timeouts == Timeouts(
        connect="the connect_timeout_seconds",
        tls="the tls_timeout_seconds",
        association="the association_timeout_seconds",
        dimse="the dimse_timeout_seconds",
    )
    assert peer.tls is not None
    for holder in (peer, peer.tls):
        for name in vars(holder).keys() - {"tls", "timeouts", "retry_delay"}:
            assert getattr(holder, name) == f"the {name}"
    assert peer.retry_delay == "the retry_delay_seconds"
    assert peer_from_options({**told, "tls": False}).tls is None


def test_the_name_to_verify_is_the_host_unless_told():
    options = {**DEFAULTS, "host": "archive", "called_aet": "ORTHANC", "tls": True}
    assert peer_from_options(options).tls == TlsOptions(server_name="archive")
    assert peer_from_options({**options, "server_name": "other"}).tls == TlsOptions(server_name="other")


def test_the_passphrase_is_not_shown():
    assert "secret" not in repr(TlsOptions(server_name="a", client_key_passphrase="secret"))


def test_files_that_cannot_be_used(authority, stranger, tmp_path):
    certificate, key = authority.issue_to("files", passphrase=b"secret")
    other_key = stranger.issue_to("files")[1]
    rubbish = tmp_path / "rubbish.pem"
    rubbish.write_text("rubbish")

    def problem(**options):
        problems = tls_problems(TlsOptions(server_name="a", **options))
        assert len(problems) == 1
        return problems[0]

    assert problem(ca_file="/nowhere").startswith("ca_file: cannot read /nowhere: No such file")
    assert problem(ca_file=str(tmp_path)).startswith("ca_file: cannot read")
    assert problem(ca_file=str(rubbish)).startswith("ca_file: ")
    mine = {"client_certificate": certificate, "client_key": key}
    assert problem(**mine).startswith("client_key_passphrase: is missing")
    assert problem(**mine, client_key_passphrase="wrong").startswith("client_key_passphrase: does not decrypt")
    assert problem(client_certificate=certificate, client_key=other_key).startswith("client_key: ")
    assert problem(client_certificate=certificate).startswith(f"client_key: {certificate} is not a PEM private key")
    assert problem(client_certificate=certificate, client_key=str(rubbish)).startswith("client_key: ")
    plain_key = authority.issue_to("plain")[1]
    assert problem(client_certificate=str(rubbish), client_key=plain_key).startswith("client_certificate: ")
    assert tls_problems(TlsOptions(server_name="a", **mine, client_key_passphrase="secret")) == []
    assert tls_problems(None) == []


def test_a_revocation_list_takes_nothing_from_how_python_verifies(authority):
    plain = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context = client_context(TlsOptions(server_name="a", ca_file=str(authority.file), crl_file=authority.revoke()))
    assert context.verify_flags == plain.verify_flags | ssl.VerifyFlags.VERIFY_CRL_CHECK_LEAF
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)


def test_a_certificate_is_told_with_its_names_of_every_kind():
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "archive")])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "ca")]))
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=3))
    )
    names = [
        x509.DNSName("archive.example"),
        x509.IPAddress(ipaddress.ip_address("10.0.0.1")),
        x509.RFC822Name("it@archive.example"),
        x509.UniformResourceIdentifier("urn:oid:1.2"),
        x509.RegisteredID(x509.ObjectIdentifier("1.2.3")),
    ]
    named = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    der = named.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)
    told = Certificate.from_der(der, now).to_result()
    assert told.pop("subject_alt_names") == [
        "DNS:archive.example",
        "IP:10.0.0.1",
        "email:it@archive.example",
        "URI:urn:oid:1.2",
        "other:<ObjectIdentifier(oid=1.2.3, name=Unknown OID)>",
    ]
    assert told == {
        "subject": "CN=archive",
        "issuer": "CN=ca",
        "not_valid_after": "2026-01-05T03:04:05Z",
        "days_left": 3,
    }
    nameless = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)
    assert Certificate.from_der(nameless, now).subject_alt_names == ()


@pytest.mark.parametrize("check_mode", [False, True])
def test_the_module_asks_also_in_check_mode(run_module, archive, check_mode):
    options = {"host": "127.0.0.1", "port": archive().port, "called_aet": "ORTHANC", "count": 2}
    ran = run_module(dicom_echo, options, check_mode)
    assert not ran.failed
    assert ran.result["alive"] is True
    assert ran.result["changed"] is False
    assert ran.result["failure"] is None
    assert "answered 2 C-ECHO" in ran.result["msg"]


def test_the_module_fails_or_not_as_told(run_module, archive):
    options = {"host": "127.0.0.1", "port": archive(require_called_aet=True).port, "called_aet": "NOBODY"}
    failed = run_module(dicom_echo, options)
    told = run_module(dicom_echo, {**options, "fail_on": "never"})
    assert failed.failed
    assert not told.failed
    assert failed.result["failure"] == told.result["failure"] == "association_rejected"
    assert failed.result["msg"] == told.result["msg"]
    assert told.result["alive"] is False


def test_the_module_names_all_problems_at_once_and_asks_nobody(run_module):
    ran = run_module(
        dicom_echo,
        {"host": "a b", "port": 0, "called_aet": " ", "count": 0, "tls": True, "ca_file": "/nowhere"},
    )
    assert ran.failed
    assert [problem.split(":")[0] for problem in ran.result["problems"]] == [
        "host",
        "port",
        "called_aet",
        "ca_file",
        "count",
    ]
    assert all(problem in ran.result["msg"] for problem in ran.result["problems"])


def test_the_module_over_mutual_tls(run_module, archive, authority):
    port = archive(tls=server_context(authority, authority.issue_to("module-server"), demand=True)).port
    certificate, key = authority.issue_to("module-client", passphrase=b"a-secret-phrase")
    options = {
        "host": "localhost",
        "port": port,
        "called_aet": "ORTHANC",
        "tls": True,
        "ca_file": str(authority.file),
        "client_certificate": certificate,
        "client_key": key,
        "client_key_passphrase": "a-secret-phrase",
    }
    ran = run_module(dicom_echo, options)
    assert not ran.failed, ran.result["msg"]
    assert ran.result["tls_version"] == "TLSv1.3"
    assert ran.result["peer_certificate"]["subject"] == "CN=module-server"
    assert "a-secret-phrase" not in str(ran.result)


@pytest.mark.parametrize("library", ["pynetdicom", "pydicom", "cryptography"])
def test_the_module_says_which_library_is_missing(library, tmp_path):
    """In a process of its own, in which it cannot be imported."""
    arguments = tmp_path / "arguments.json"
    arguments.write_text(json.dumps({"ANSIBLE_MODULE_ARGS": {"host": "127.0.0.1", "called_aet": "ORTHANC"}}))
    script = (
        f"import runpy, sys; sys.modules[{library!r}] = None; sys.argv[1:] = [{str(arguments)!r}]; "
        f"runpy.run_module({dicom_echo.__name__!r}, run_name='__main__')"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": str(COLLECTIONS)},
        capture_output=True,
        text=True,
        check=False,
    )
    result = json.loads(ran.stdout)
    assert result["failed"] is True
    assert "Failed to import the required Python library" in result["msg"]
    assert library in result["msg"]
