# SPDX-License-Identifier: GPL-3.0-or-later
"""Any folder, made by openssl, by our module or by chance: what is in it, what ends when, and what was not read."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.cellcs.orthweb.plugins.module_utils.pki_survey.files import Limits
from ansible_collections.cellcs.orthweb.plugins.module_utils.pki_survey.report import Survey, build_report
from ansible_collections.cellcs.orthweb.plugins.modules import pki_info as module
from cryptography import x509
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.process import output_of

SECRET = "correct horse"
UNDERSTANDS_ALL = hasattr(x509.Certificate, "verify_directly_issued_by")  # cryptography 40


def openssl(folder: Path, command: str) -> str:
    """Run openssl in ``folder``; ``SECRET`` in the command is the passphrase."""
    return output_of("openssl", *(word.replace("SECRET", SECRET) for word in command.split()), folder=folder)


@pytest.fixture
def info(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    """Run the module; ``now`` is what it takes for now."""

    def run(path: Path, *, now: datetime | None = None, fails: bool = False, **params: Any) -> dict[str, Any]:
        class Clock(datetime):
            @classmethod
            def now(cls, tz=None):
                return now or datetime.now(UTC)

        monkeypatch.setattr(module, "datetime", Clock)
        capsys.readouterr()
        with patch_module_args({"path": str(path), **params}), pytest.raises(SystemExit):
            module.main()
        result = json.loads(capsys.readouterr().out)
        assert bool(result.get("failed")) is fails, result
        assert fails or result["changed"] is False
        return result

    return run


@pytest.fixture(scope="session")
def made_by_openssl(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root, an intermediate CA, a server whose chain is in one file, and a list that revokes a client."""
    folder = tmp_path_factory.mktemp("openssl")
    ec = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
    (folder / "ca.cnf").write_text(
        "[ca]\ndefault_ca=c\n[c]\ndatabase=index\nserial=serial\ncrlnumber=crlnumber\nnew_certs_dir=.\n"
        "default_md=sha256\ndefault_days=90\ndefault_crl_days=7\npolicy=p\ncopy_extensions=copy\n"
        "[p]\ncommonName=supplied\n[v3_ca]\nbasicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=keyCertSign,cRLSign\n"
    )
    (folder / "index").touch()
    (folder / "serial").write_text("0AF3\n")
    (folder / "crlnumber").write_text("2B\n")
    openssl(folder, f"req -x509 {ec} -keyout root.key -out root.pem -days 3650 -subj /CN=Root")
    openssl(folder, f"req -new {ec} -keyout int.key -out int.csr -subj /CN=Intermediate")
    openssl(folder, "ca -batch -notext -config ca.cnf -cert root.pem -keyfile root.key -in int.csr -out int.pem"
            " -extensions v3_ca -days 1000")  # fmt: skip
    openssl(folder, f"req -new {ec} -keyout web.key -out web.csr -subj /CN=web.example -addext"
            " subjectAltName=DNS:web.example,IP:2001:db8::1,email:it@web.example,URI:urn:oid:1.2.3"
            " -addext extendedKeyUsage=serverAuth,1.3.6.1.5.5.7.3.8"
            " -addext basicConstraints=critical,CA:FALSE")  # fmt: skip
    openssl(folder, f"req -new {ec} -keyout ct.key -out ct.csr -subj /CN=ct-1")
    for name, days in (("web", 90), ("ct", 10)):
        openssl(folder, f"ca -batch -notext -config ca.cnf -cert int.pem -keyfile int.key -in {name}.csr"
                f" -out {name}.pem -days {days}")  # fmt: skip
    openssl(folder, "ca -config ca.cnf -cert int.pem -keyfile int.key -revoke ct.pem")
    openssl(folder, "ca -config ca.cnf -cert int.pem -keyfile int.key -gencrl -out int.crl")
    (folder / "web.chain.pem").write_bytes((folder / "web.pem").read_bytes() + (folder / "int.pem").read_bytes())
    for leftover in ("index", "serial", "crlnumber", "ca.cnf"):
        for file in folder.glob(f"{leftover}*"):
            file.unlink()
    for file in folder.glob("0A*.pem"):
        file.unlink()
    return folder


def names(entries: list[dict[str, Any]]) -> list[str]:
    return [Path(entry["path"]).name for entry in entries]


def by_name(entries: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {Path(entry["path"]).name: entry for entry in entries}


def reasons(result: dict[str, Any]) -> dict[str, str]:
    assert all(entry["message"] for entry in result["unreadable"])
    return {name: entry["reason"] for name, entry in by_name(result["unreadable"]).items()}


# --- what is said of what is there


def test_each_certificate_says_what_openssl_says_of_it(info, made_by_openssl):
    result = info(made_by_openssl)
    assert names(result["certificates"]) == ["ct.pem", "int.pem", "root.pem", "web.pem"]
    for entry in result["certificates"]:
        said = openssl(
            made_by_openssl,
            f"x509 -in {entry['path']} -noout -serial -fingerprint -sha256 -dates -subject -issuer"
            " -nameopt RFC2253 -dateopt iso_8601",
        )
        says = dict(line.split("=", 1) for line in said.splitlines())
        assert entry["serial"] == says["serial"]
        assert entry["fingerprint_sha256"] == says["sha256 Fingerprint"]
        assert entry["not_valid_before"] == says["notBefore"].replace(" ", "T")
        assert entry["not_valid_after"] == says["notAfter"].replace(" ", "T")
        assert entry["subject"] == says["subject"]
        assert entry["issuer"] == says["issuer"]
        assert (entry["key_type"], entry["key_bits"]) == ("ecdsa", 256)
    web = by_name(result["certificates"])["web.pem"]
    assert web["subject_alt_names"] == [
        "DNS:web.example", "IP:2001:db8::1", "email:it@web.example", "URI:urn:oid:1.2.3",
    ]  # fmt: skip
    assert web["usage"] == ["1.3.6.1.5.5.7.3.8", "server"]
    assert web["days_left"] == 89


def test_what_belongs_together_is_found(info, made_by_openssl):
    result = info(made_by_openssl)
    found = by_name(result["certificates"])
    assert {name: Path(entry["issuer_path"]).name for name, entry in found.items()} == {
        "ct.pem": "int.pem", "int.pem": "root.pem", "root.pem": "root.pem", "web.pem": "int.pem",
    }  # fmt: skip
    assert [name for name, entry in found.items() if entry["self_signed"]] == ["root.pem"]
    assert {name: (entry["is_ca"], entry["path_length"]) for name, entry in found.items()} == {
        "ct.pem": (False, None), "int.pem": (True, 0), "root.pem": (True, None), "web.pem": (False, None),
    }  # fmt: skip
    assert found["web.pem"]["private_keys"] == [str(made_by_openssl / "web.key")]
    assert found["web.pem"]["copies"] == [{"path": str(made_by_openssl / "web.chain.pem"), "position": 1}]
    assert found["int.pem"]["copies"] == [{"path": str(made_by_openssl / "web.chain.pem"), "position": 2}]
    keys = by_name(result["private_keys"])
    assert {name: entry["certificates"] for name, entry in keys.items()} == {
        f"{name}.key": [str(made_by_openssl / f"{name}.pem")] for name in ("ct", "int", "root", "web")
    }
    assert [entry["contains"] for entry in result["other_files"]] == [["CERTIFICATE REQUEST"]] * 3
    assert result["unreadable"] == []


def test_a_server_that_signs_a_certificate_is_no_issuer(info, made_by_openssl, tmp_path):
    for name in ("web.pem", "web.key", "ct.csr"):
        shutil.copy(made_by_openssl / name, tmp_path)
    openssl(tmp_path, "x509 -req -in ct.csr -CA web.pem -CAkey web.key -CAcreateserial -out rogue.pem -days 5")
    rogue = by_name(info(tmp_path)["certificates"])["rogue.pem"]
    assert (rogue["issuer"], rogue["issuer_path"]) == ("CN=web.example", None)


def test_an_authority_from_before_version_3_is_an_issuer(info, made_by_openssl, tmp_path):
    for name in ("web.key", "web.csr", "ct.csr"):
        shutil.copy(made_by_openssl / name, tmp_path)
    (tmp_path / "none").touch()
    openssl(tmp_path, "x509 -req -in web.csr -signkey web.key -out old.pem -extfile none")
    openssl(tmp_path, "x509 -req -in ct.csr -CA old.pem -CAkey web.key -CAcreateserial -out ct.pem")
    assert "Version: 1 " in openssl(tmp_path, "x509 -in old.pem -noout -text")
    assert by_name(info(tmp_path)["certificates"])["ct.pem"]["issuer_path"] == str(tmp_path / "old.pem")


def test_the_list_and_what_it_revokes(info, made_by_openssl):
    result = info(made_by_openssl)
    [crl] = result["crls"]
    said = openssl(made_by_openssl, "crl -in int.crl -noout -crlnumber -lastupdate -nextupdate -dateopt iso_8601")
    says = dict(line.split("=", 1) for line in said.splitlines())
    assert crl["number"] == int(says["crlNumber"], 16) == 0x2B
    assert crl["last_update"] == says["lastUpdate"].replace(" ", "T")
    assert crl["next_update"] == says["nextUpdate"].replace(" ", "T")
    assert crl["days_left"] == 6
    assert crl["issuer_path"] == str(made_by_openssl / "int.pem")
    found = by_name(result["certificates"])
    assert crl["revoked"] == [found["ct.pem"]["serial"]]
    assert {name: entry["revoked"] for name, entry in found.items()} == {
        "ct.pem": True, "web.pem": False, "int.pem": None, "root.pem": None,
    }  # fmt: skip
    assert found["ct.pem"]["revoked_at"][:10] == crl["last_update"][:10]


def test_a_list_that_another_ca_of_that_name_signed_revokes_nothing(info, made_by_openssl, tmp_path):
    for name in ("ct.pem", "int.crl"):
        shutil.copy(made_by_openssl / name, tmp_path)
    openssl(tmp_path, "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout x.key -out x.pem"
            " -subj /CN=Intermediate")  # fmt: skip
    result = info(tmp_path)
    ct = by_name(result["certificates"])["ct.pem"]
    assert (ct["issuer_path"], ct["revoked"]) == (None, None)
    assert result["crls"][0]["issuer_path"] is None
    shutil.copy(made_by_openssl / "int.pem", tmp_path)  # both of that name
    result = info(tmp_path)
    ct = by_name(result["certificates"])["ct.pem"]
    assert (Path(ct["issuer_path"]).name, ct["revoked"]) == ("int.pem", True)


def test_what_ends_when(info, made_by_openssl, tmp_path):
    for name in ("web.pem", "ct.pem", "int.pem", "root.pem"):  # not the list: nothing is revoked
        shutil.copy(made_by_openssl / name, tmp_path)
    result = info(tmp_path, warn_days=10)
    assert (names(result["expired"]), names(result["expiring"])) == ([], ["ct.pem"])
    assert Path(result["expires_next"]["path"]).name == "ct.pem"
    result = info(tmp_path, warn_days=9)
    assert names(result["expiring"]) == []  # nine whole days and some hours left

    later = info(tmp_path, now=datetime.now(UTC) + timedelta(days=80), warn_days=30)
    assert (names(later["expired"]), names(later["expiring"])) == (["ct.pem"], ["web.pem"])
    assert later["expired"][0]["days_left"] == -71
    assert later["expires_next"]["subject"] == "CN=web.example"
    assert re.search(
        rf"{tmp_path} has 4 certificates; 1 ended; 1 with less than 30 days left; the next to expire is "
        rf"CN=web.example on "
        r"\d{4}-\d\d-\d\d\.",
        later["msg"],
    )
    end = info(tmp_path, now=datetime.now(UTC) + timedelta(days=4000))
    assert len(end["expired"]) == 4
    assert end["expires_next"] is None


def test_the_last_day_of_a_certificate_is_not_its_end(info, pair):
    [certificate] = info(pair)["certificates"]
    end = datetime.fromisoformat(certificate["not_valid_after"])
    last = info(pair, now=end, warn_days=1)
    assert (last["expired"], names(last["expiring"]), names([last["expires_next"]])) == ([], ["a.crt"], ["a.crt"])
    assert last["msg"] == (
        f"{pair} has 1 certificate; 1 with less than 1 day left; the next to expire is CN=A on {end:%Y-%m-%d}."
    )
    over = info(pair, now=end + timedelta(seconds=1), warn_days=1)
    assert (names(over["expired"]), over["expiring"], over["expires_next"]) == (["a.crt"], [], None)
    assert over["msg"] == f"{pair} has 1 certificate; 1 ended."


def test_the_end_of_a_revoked_certificate_alarms_nobody(info, made_by_openssl):
    result = info(made_by_openssl, warn_days=30)
    assert result["expiring"] == []
    assert Path(result["expires_next"]["path"]).name == "web.pem"


@pytest.mark.parametrize(
    ("algorithm", "kind", "bits"),
    [
        ("rsa:2048", "rsa", 2048),
        ("ec -pkeyopt ec_paramgen_curve:P-521", "ecdsa", 521),
        ("ec -pkeyopt ec_paramgen_curve:secp256k1", "ecdsa", 256),
        ("ed25519", "ed25519", None),
        ("ed448", "ed448", None),
        ("rsa-pss -pkeyopt rsa_keygen_bits:2048", "rsa", 2048),
    ],
)
def test_kinds_of_key(info, tmp_path, algorithm, kind, bits):
    openssl(tmp_path, f"req -x509 -newkey {algorithm} -nodes -keyout a.key -out a.crt -subj /CN=A")
    result = info(tmp_path)
    [certificate], [key] = result["certificates"], result["private_keys"]
    assert (certificate["key_type"], certificate["key_bits"]) == (key["key_type"], key["key_bits"]) == (kind, bits)
    assert certificate["self_signed"] is (UNDERSTANDS_ALL or algorithm.startswith(("rsa:", "ec ")))
    assert certificate["private_keys"] == [str(tmp_path / "a.key")]


@pytest.mark.parametrize(("algorithm", "bits"), [("x25519", None), ("x448", None), ("dsa", 1024)])
def test_kinds_of_key_that_no_certificate_here_has(info, tmp_path, algorithm, bits):
    command = f"genpkey -algorithm {algorithm} -out a.key"
    if algorithm == "dsa":
        openssl(tmp_path, "genpkey -genparam -algorithm DSA -pkeyopt dsa_paramgen_bits:1024 -out a.pem")
        command = "genpkey -paramfile a.pem -out a.key"
    openssl(tmp_path, command)
    [key] = info(tmp_path)["private_keys"]
    assert (key["key_type"], key["key_bits"], key["certificates"]) == (algorithm, bits, [])


@pytest.fixture
def pair(tmp_path: Path) -> Path:
    """A folder with a certificate and its key, under names that hide nothing."""
    folder = tmp_path / "pair"
    folder.mkdir()
    openssl(folder, "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout a.key -out a.crt -subj /CN=A")
    return folder


@pytest.mark.parametrize(
    "command",
    [
        "x509 -in a.crt -outform DER -out b",
        "x509 -in a.crt -text -out b",
        "x509 -in a.crt -trustout -addtrust serverAuth -out b",
    ],
)
def test_encodings_of_a_certificate(info, pair, command):
    openssl(pair, command)
    [entry] = info(pair)["certificates"]
    assert [Path(copy["path"]).name for copy in entry["copies"]] == ["b"]


@pytest.mark.parametrize(
    ("command", "encrypted"),
    [
        ("pkcs8 -topk8 -nocrypt -in a.key -out b", False),
        ("pkcs8 -topk8 -nocrypt -in a.key -outform DER -out b", False),
        ("ec -in a.key -out b", False),
        ("ec -in a.key -outform DER -out b", False),
        ("ec -in a.key -aes128 -passout env:PASS -out b", True),
        ("pkcs8 -topk8 -in a.key -passout env:PASS -out b", True),
        ("pkcs8 -topk8 -in a.key -passout env:PASS -outform DER -out b", True),
        ("pkcs8 -topk8 -scrypt -in a.key -passout env:PASS -out b", True),
    ],
)
def test_encodings_of_a_key(info, pair, monkeypatch, command, encrypted):
    monkeypatch.setenv("PASS", SECRET)
    openssl(pair, command)
    (pair / "a.key").unlink()
    (pair / "b").chmod(0o640)
    result = info(pair, passphrases=["another", SECRET])
    [key] = result["private_keys"]
    assert (key["encrypted"], key["opened"], key["key_type"]) == (encrypted, True, "ecdsa")
    assert (key["mode"], key["exposed"]) == ("0640", True)
    assert key["certificates"] == [str(pair / "a.crt")]
    if encrypted:
        assert reasons(info(pair)) == {"b": "passphrase_missing"}
        wrong = info(pair, passphrases=["another", "a third"])
        assert reasons(wrong) == {"b": "passphrase_wrong"}
        assert "none of the 2 passphrases opens it" in wrong["unreadable"][0]["message"]
        [key] = wrong["private_keys"]
        assert (key["encrypted"], key["opened"], key["key_type"], key["certificates"]) == (True, False, None, [])


def test_pkcs12(info, pair, monkeypatch):
    monkeypatch.setenv("PASS", SECRET)
    openssl(pair, "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout c.key -out c.crt -subj /CN=C")
    openssl(pair, "pkcs12 -export -inkey a.key -in a.crt -certfile c.crt -name modality -passout env:PASS -out a.p12")
    for name in ("a.key", "a.crt", "c.key", "c.crt"):
        (pair / name).unlink()
    (pair / "a.p12").chmod(0o600)
    closed = info(pair)
    assert reasons(closed) == {"a.p12": "passphrase_missing"}
    assert (closed["pkcs12"][0]["encrypted"], closed["pkcs12"][0]["opened"]) == (True, False)
    assert reasons(info(pair, passphrases=["another"])) == {"a.p12": "passphrase_wrong"}

    result = info(pair, passphrases=["another", SECRET])
    [bundle] = result["pkcs12"]
    assert (bundle["encrypted"], bundle["opened"], bundle["friendly_name"]) == (True, True, "modality")
    assert (bundle["mode"], bundle["exposed"]) == ("0600", False)
    assert [entry["subject"] for entry in result["certificates"]] == ["CN=A", "CN=C"]
    assert bundle["certificates"] == [entry["fingerprint_sha256"] for entry in result["certificates"]]
    assert result["certificates"][0]["private_keys"] == [str(pair / "a.p12")]
    assert result["certificates"][1]["private_keys"] == []
    assert result["unreadable"] == []


def test_pkcs12_without_a_passphrase(info, pair):
    openssl(pair, "pkcs12 -export -inkey a.key -in a.crt -passout pass: -out a.p12")
    result = info(pair)
    assert (result["pkcs12"][0]["encrypted"], result["pkcs12"][0]["opened"]) == (False, True)
    assert [entry["encrypted"] for entry in result["private_keys"]] == [False, False]
    assert result["unreadable"] == []


def test_key_material_and_passphrases_stay_where_they_are(info, pair, monkeypatch):
    monkeypatch.setenv("PASS", SECRET)
    openssl(pair, "pkcs8 -topk8 -in a.key -passout env:PASS -out b.key")
    openssl(pair, "pkcs12 -export -inkey a.key -in a.crt -passout env:PASS -out a.p12")
    openssl(pair, "ec -in a.key -out c.key")
    (pair / "torn.key").write_text((pair / "a.key").read_text()[:-40])
    result = info(pair, passphrases=[SECRET, "another"])
    assert len(result["private_keys"]) == 4
    shown = json.dumps({name: value for name, value in result.items() if name != "invocation"})
    private = re.search(r"priv:\n(.*?)pub:", openssl(pair, "ec -in a.key -noout -text"), re.DOTALL)[1]
    digits = re.sub(r"[\s:]", "", private)
    assert digits not in shown.lower()
    assert digits not in re.sub(":", "", shown.lower())
    for line in (pair / "a.key").read_text().splitlines() + (pair / "c.key").read_text().splitlines():
        assert line.startswith("-----") or line not in shown
    assert SECRET not in json.dumps(result)


# --- our own folder


def test_our_own_folder(info, pki, server, client):
    made = pki.run(server, client)
    result = info(pki.path, passphrases=["handed over"])
    assert result["unreadable"] == []
    assert result["complete"] is True
    found = by_name(result["certificates"])
    for entry in made["certificates"]:
        seen = found[Path(entry["certificate"]).name]
        for fact in ("serial", "fingerprint_sha256", "not_valid_after", "days_left", "subject_alt_names"):
            assert seen[fact] == entry[fact]
        assert entry["private_key"] in seen["private_keys"]
        assert seen["issuer_path"] == made["ca"]["certificate"]
        assert seen["revoked"] is False
        assert seen["superseded"] is False
    assert all(key["mode"] == "0600" and not key["exposed"] for key in result["private_keys"])
    assert result["crls"][0]["number"] == made["crl"]["number"]
    assert result["pkcs12"][0]["friendly_name"] == "ct-1"


def test_the_ledger_of_our_folder_is_told_from_what_is_in_use(info, pki, server, client):
    old = pki.run(server, client)["by_name"]["pacs"]
    pki.later(days=380)
    new = pki.run(server, {**client, "state": "revoked"})["by_name"]["pacs"]
    pki.later(days=30)
    assert old["serial"] != new["serial"]

    everything = info(pki.path, now=pki.clock, recurse=True)
    found = {entry["serial"]: entry for entry in everything["certificates"]}
    assert found[old["serial"]]["superseded"] is True
    assert found[old["serial"]]["days_left"] < 0
    assert found[new["serial"]]["superseded"] is False
    assert found[new["serial"]]["path"] == new["certificate"]
    assert not any("issued" in entry["path"] for entry in everything["expired"] + everything["expiring"])
    assert not any("issued" in entry["path"] for entry in everything["other_files"])

    in_use = info(pki.path, now=pki.clock)
    assert old["serial"] not in {entry["serial"] for entry in in_use["certificates"]}
    for part in ("expired", "expiring", "expires_next"):
        assert in_use[part] == everything[part]
    # The client was revoked, and ended since: nobody has to renew it.
    assert in_use["expired"] == []
    assert by_name(in_use["certificates"])["ct-1.crt"]["revoked"] is True


# --- what cannot be read


def pem(label: str, der: bytes) -> bytes:
    return f"-----BEGIN {label}-----\n{base64.encodebytes(der).decode()}-----END {label}-----\n".encode()


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("x.crt", b"", "empty"),
        ("x.crt", b"hello\n", "not_pki"),
        ("x.der", b"\x30\x03\x02\x01\x07", "not_pki"),
        ("x.der", b"\x30\x82\x75\x30" + bytes(30_000), "not_pki"),
        ("x.crt", b"-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n", "damaged"),
        ("x.crt", b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n", "damaged"),
        ("x.key", b"-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n", "damaged"),
        ("x", b"-----BEGIN CERTIFICATE-----\nMIIB\n", "damaged"),
        ("x.crl", b"-----BEGIN X509 CRL-----\nMIIB\n-----END X509 CRL-----\n", "damaged"),
        ("x.p12", b"\x30\x82\x10\x00\x02\x01\x03\x30\x00", "damaged"),
        ("x.p12", b"\x30\x80\x02\x01\x03\x30\x80\x00\x00\x00\x00", "unsupported"),
        ("x.p12", b"\x30\x0b\x02\x01\x03\x04\x06\x30\x80\x30\x00\x00\x00", "unsupported"),
        ("x.key", b"-----BEGIN PRIVATE KEY-----\n" + b"A" * 20_000 + b"\n-----END PRIVATE KEY-----\n", "too_large"),
        ("x.pem", b"-----BEGIN CERTIFICATE-----\n" + b"A" * 200_000, "too_large"),
    ],
)
def test_what_is_in_a_file_and_cannot_be_read(info, tmp_path, name, content, reason):
    (tmp_path / name).write_bytes(content)
    result = info(tmp_path, max_file_bytes=100_000)
    assert reasons(result) == {name: reason}
    assert result["msg"] == f"{tmp_path} has 0 certificates; 1 not readable."


def test_another_file_is_no_finding(info, tmp_path):
    (tmp_path / "README").write_text("hello\n")
    (tmp_path / "empty").touch()
    (tmp_path / "der").write_bytes(b"\x30\x82\x75\x30" + bytes(30_000))
    (tmp_path / "dh.pem").write_text("-----BEGIN DH PARAMETERS-----\nMAYC\n-----END DH PARAMETERS-----\n")
    result = info(tmp_path)
    assert result["unreadable"] == []
    assert {name: entry["contains"] for name, entry in by_name(result["other_files"]).items()} == {
        "README": [], "empty": [], "der": [], "dh.pem": ["DH PARAMETERS"],
    }  # fmt: skip


def test_a_request_in_der_is_another_file_too(info, pair):
    openssl(pair, "req -new -key a.key -subj /CN=A -outform DER -out a.csr")
    result = info(pair)
    assert [(*names([entry]), entry["contains"]) for entry in result["other_files"]] == [
        ("a.csr", ["CERTIFICATE REQUEST"]),
    ]  # fmt: skip
    assert result["unreadable"] == []


def test_damage_to_one_certificate_of_a_bundle_leaves_the_others(info, made_by_openssl, tmp_path):
    web, root = ((made_by_openssl / name).read_text() for name in ("web.pem", "root.pem"))
    (tmp_path / "bundle.pem").write_text(web + web.replace("\n", "\n@", 2) + root)
    result = info(tmp_path)
    assert [(entry["subject"], entry["position"]) for entry in result["certificates"]] == [
        ("CN=web.example", 1), ("CN=Root", 3),
    ]  # fmt: skip
    [problem] = result["unreadable"]
    assert (problem["position"], problem["reason"]) == (2, "damaged")


def test_a_key_whose_numbers_do_not_belong_together_is_damaged(info, tmp_path):
    openssl(tmp_path, "genrsa -traditional -out a.key 2048")
    openssl(tmp_path, "rsa -in a.key -outform DER -traditional -out a.der")
    der = bytearray((tmp_path / "a.der").read_bytes())
    der[-20] ^= 1  # in the last number, which decryption alone makes use of
    (tmp_path / "a.key").write_bytes(pem("RSA PRIVATE KEY", der))
    result = info(tmp_path)
    assert reasons(result) == {"a.key": "damaged"}
    assert "the numbers of this RSA key do not match" in result["unreadable"][0]["message"]


@pytest.mark.parametrize(("number", "written"), [(0, "00"), (-5, "-05"), (0xAF3, "0AF3")])
def test_serial_numbers_that_no_ca_gives_today(info, tmp_path, recwarn, number, written):
    openssl(tmp_path, f"req -x509 -newkey ed25519 -nodes -keyout a.key -out a.crt -subj /CN=A -set_serial {number}")
    assert openssl(tmp_path, "x509 -in a.crt -noout -serial") == f"serial={written}\n"
    result = info(tmp_path)
    assert [entry["serial"] for entry in result["certificates"]] == [written]
    assert not recwarn  # they would be written to standard error


@pytest.mark.parametrize("form", ["PEM", "DER", "PKCS12"])
def test_a_file_that_would_take_hours_to_open_is_not_opened(info, pair, monkeypatch, form):
    monkeypatch.setenv("PASS", SECRET)
    if form == "PKCS12":
        openssl(pair, "pkcs12 -export -inkey a.key -in a.crt -iter 65536 -passout env:PASS -out x")
    else:
        openssl(pair, "pkcs8 -topk8 -iter 65536 -in a.key -passout env:PASS -outform DER -out x")
    file = pair / "x"
    rounds = b"\x02\x03\x01\x00\x00"
    assert rounds in file.read_bytes()
    assert reasons(info(pair, passphrases=[SECRET])) == {}
    file.write_bytes(file.read_bytes().replace(rounds, b"\x02\x03\x7f\xff\xff"))
    if form == "PEM":
        file.write_bytes(pem("ENCRYPTED PRIVATE KEY", file.read_bytes()))
    result = info(pair, passphrases=[SECRET])
    assert reasons(result) == {"x": "too_costly"}
    assert "8388607 rounds" in result["unreadable"][0]["message"]


def test_what_is_no_regular_file_is_not_opened(info, pair, tmp_path):
    os.mkfifo(pair / "fifo.pem")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(pair / "socket.pem"))
        (pair / "device.pem").symlink_to("/dev/zero")
        (pair / "loop.pem").symlink_to("loop.pem")
        (pair / "nowhere.pem").symlink_to("gone")
        (pair / "link.pem").symlink_to("a.crt")
        (pair / "around").symlink_to(".")
        result = info(pair, recurse=True)
    assert reasons(result) == {
        "fifo.pem": "not_a_file",
        "socket.pem": "not_a_file",
        "device.pem": "not_a_file",
        "loop.pem": "link_loop",
        "nowhere.pem": "link_dangling",
        "around": "link_to_folder",
    }
    [certificate] = result["certificates"]
    assert [Path(certificate["path"]).name, *names(certificate["copies"])] == ["a.crt", "link.pem"]


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user may pass through, which pytest's own are not."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def test_files_and_folders_without_permission(info, open_folder):
    openssl(open_folder, "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout a.key -out a.crt"
            " -subj /CN=A")  # fmt: skip
    (open_folder / "a.crt").chmod(0o644)
    (open_folder / "a.key").chmod(0)
    (open_folder / "sub").mkdir(mode=0)
    privileged = os.geteuid() == 0
    if privileged:
        os.seteuid(65534)
    try:
        result = info(open_folder, recurse=True)
        within = info(open_folder / "sub" / "deeper.pem")
    finally:
        if privileged:
            os.seteuid(0)
        (open_folder / "sub").chmod(0o700)
    assert reasons(result) == {"a.key": "no_permission", "sub": "no_permission"}
    assert names(result["certificates"]) == ["a.crt"]
    assert within["exists"] is True
    assert reasons(within) == {"deeper.pem": "no_permission"}


# --- what is asked


def test_nothing_there_is_an_answer(info, tmp_path):
    result = info(tmp_path / "gone")
    assert result["exists"] is False
    assert result["certificates"] == result["unreadable"] == []
    assert result["msg"] == f"There is no {tmp_path}/gone."
    assert info(tmp_path)["exists"] is True


def test_one_file(info, made_by_openssl):
    result = info(made_by_openssl / "web.chain.pem")
    assert [(entry["subject"], entry["position"]) for entry in result["certificates"]] == [
        ("CN=web.example", 1), ("CN=Intermediate", 2),
    ]  # fmt: skip


def test_folders_below_only_when_asked(info, made_by_openssl, tmp_path):
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    shutil.copy(made_by_openssl / "web.pem", deep)
    assert info(tmp_path)["certificates"] == []
    assert names(info(tmp_path, recurse=True)["certificates"]) == ["web.pem"]


def test_too_many_files_are_said_to_be_too_many(info, made_by_openssl):
    count = len(list(made_by_openssl.iterdir()))
    result = info(made_by_openssl, max_files=2)
    assert result["complete"] is False
    assert len(result["certificates"] + result["private_keys"] + result["other_files"]) == 2
    assert "files beyond the first 2 (max_files) were not examined" in result["msg"]
    assert info(made_by_openssl, max_files=count)["complete"] is True
    assert info(made_by_openssl, max_files=count - 1)["complete"] is False


def test_check_mode_is_the_same_and_neither_changes_anything(info, made_by_openssl):
    before = {file: (file.read_bytes(), file.stat().st_mtime_ns) for file in made_by_openssl.iterdir()}
    assert info(made_by_openssl, _ansible_check_mode=True) == info(made_by_openssl)
    assert {file: (file.read_bytes(), file.stat().st_mtime_ns) for file in made_by_openssl.iterdir()} == before


def test_a_name_that_is_not_utf8(info, made_by_openssl, tmp_path):
    shutil.copy(made_by_openssl / "web.pem", os.fsencode(tmp_path) + b"/r\xf6ntgen.pem")
    assert names(info(tmp_path)["certificates"]) == ["r\\xf6ntgen.pem"]


def test_options_that_cannot_be(info, tmp_path):
    result = info(Path("relative"), fails=True, max_files=0, max_file_bytes=0, warn_days=-1)
    assert [problem.partition(":")[0] for problem in result["problems"]] == [
        "path", "max_files", "max_file_bytes", "warn_days",
    ]  # fmt: skip
    assert info(Path("/tmp/\0"), fails=True)["problems"] == ["path: contains a null character, which no path can have"]


# --- whatever is in the files


def look(folder: Path) -> dict[str, Any]:
    limits = Limits(recurse=True, max_files=100, max_file_bytes=1_000_000)
    report = build_report(Survey(str(folder), limits, 30, (SECRET.encode(),)), datetime.now(UTC))
    json.dumps(report)
    for file in folder.iterdir():  # everything is accounted for
        parts = ("certificates", "private_keys", "crls", "pkcs12", "unreadable", "other_files")
        places = [entry for part in parts for entry in report[part]]
        places += [copy for entry in report["certificates"] for copy in entry["copies"]]
        assert str(file) in {place["path"] for place in places}
    return report


ENDINGS = st.sampled_from(["", ".crt", ".key", ".p12", ".der", ".crl", ".pem", ".txt"])
LABELS = st.sampled_from(
    ["CERTIFICATE", "TRUSTED CERTIFICATE", "X509 CRL", "PRIVATE KEY", "ENCRYPTED PRIVATE KEY", "?"]
)
PEM_LIKE = st.builds(
    lambda begin, end, body: f"-----BEGIN {begin}-----\n".encode() + body + f"\n-----END {end}-----\n".encode(),
    LABELS, LABELS, st.binary(max_size=200) | st.from_regex(r"\A[A-Za-z0-9+/]{4,200}={0,2}\Z").map(str.encode),
)  # fmt: skip
DER_LIKE = st.builds(
    lambda head, body: b"\x30\x82" + len(head + body).to_bytes(2, "big") + head + body,
    st.sampled_from([b"", b"\x02\x01\x03", b"\x02\x01\x00", b"\x30\x80", b"\x30\x03\x06\x01\x00"]),
    st.binary(max_size=300),
)
JUNK = st.binary(max_size=500) | PEM_LIKE | DER_LIKE | st.lists(PEM_LIKE, max_size=4).map(b"".join)


@settings(max_examples=3 * settings.default.max_examples, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(content=JUNK, ending=ENDINGS)
def test_junk_never_makes_it_fail(content, ending):
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / f"junk{ending}").write_bytes(content)
        look(Path(folder))


@pytest.fixture(scope="session")
def samples(made_by_openssl: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """One file of each kind."""
    folder = tmp_path_factory.mktemp("samples")
    openssl(made_by_openssl, f"x509 -in web.pem -outform DER -out {folder}/web.der")
    openssl(made_by_openssl, f"crl -in int.crl -outform DER -out {folder}/int.crl")
    openssl(made_by_openssl, f"pkcs8 -topk8 -nocrypt -in web.key -outform DER -out {folder}/web.key")
    openssl(made_by_openssl, f"pkcs8 -topk8 -in web.key -passout pass:x -outform DER -out {folder}/encrypted.key")
    openssl(made_by_openssl, f"pkcs12 -export -inkey web.key -in web.chain.pem -passout pass:x -out {folder}/web.p12")
    openssl(made_by_openssl, f"pkcs12 -export -inkey web.key -in web.pem -nomac -keypbe NONE -certpbe NONE"
            f" -passout pass: -out {folder}/open.p12")  # fmt: skip
    openssl(made_by_openssl, f"genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024 -outform DER -out {folder}/rsa.key")
    shutil.copy(made_by_openssl / "web.chain.pem", folder)
    return sorted(folder.iterdir())


@settings(max_examples=4 * settings.default.max_examples, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_damage_never_makes_it_fail(samples, data):
    sample = data.draw(st.sampled_from(samples))
    content = bytearray(sample.read_bytes())
    for _flip in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    end = data.draw(st.none() | st.integers(0, len(content)))
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / sample.name).write_bytes(content[:end])
        look(Path(folder))


def test_the_samples_can_be_read_when_they_are_whole(samples):
    report = look(samples[0].parent)
    assert sorted(entry["reason"] for entry in report["unreadable"]) == ["passphrase_wrong", "passphrase_wrong"]


def test_a_file_of_broken_blocks_is_given_up(tmp_path):
    """A megabyte of them; a search from each BEGIN to the end of the file would go over it 35,000 times."""
    (tmp_path / "hostile.pem").write_bytes(b"-----BEGIN CERTIFICATE-----\n" * 35_000)
    unreadable = look(tmp_path)["unreadable"]
    assert [entry["position"] for entry in unreadable] == [*range(1, 101), None]
    assert "were not examined" in unreadable[-1]["message"]
