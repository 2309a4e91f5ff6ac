# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with a CA is never fixed by making another: different errors, and every file as it was."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest

from support.pki_runs import refused

CA = {"common_name": "Test CA", "organization": "Test Clinic", "passphrase": "sesame"}


@pytest.fixture
def made(pki, server):
    pki.run(server, ca=CA)
    return pki


def test_wrong_passphrase(made, server):
    failure, message = refused(made, server, ca={**CA, "passphrase": "wrong one"})
    assert failure == "ca_key_passphrase"
    assert (
        f"{made.file('ca.key')}: the given passphrase does not decrypt it (ca.passphrase). Use the passphrase"
        in message
    )


def test_no_passphrase(made, server):
    failure, message = refused(made, server, ca={**CA, "passphrase": None})
    assert failure == "ca_key_passphrase"
    assert "it is encrypted, but no passphrase was given" in message


@pytest.mark.parametrize("passphrase", ["sesame", "open", None])
@pytest.mark.parametrize("how", ["cut", "garbled", "emptied", "headless"])
def test_damaged_key(made, server, how, passphrase):
    pem = made.file("ca.key").read_bytes()
    damaged = {
        "cut": pem[: len(pem) // 2],
        "garbled": pem.replace(b"\nM", b"\n!"),
        "emptied": b"",
        "headless": pem[30:],
    }
    assert damaged[how] != pem
    made.file("ca.key").write_bytes(damaged[how])
    failure, message = refused(made, server, ca={**CA, "passphrase": passphrase})
    assert failure == "ca_key_damaged"
    assert "Restore it from a backup" in message


def test_damaged_open_key(pki, server):
    pki.run(server)
    lines = pki.file("ca.key").read_text().splitlines()
    lines[1] = lines[1][:20] + "A" * 20 + lines[1][40:]
    pki.file("ca.key").write_text("\n".join(lines) + "\n")
    assert refused(pki, server)[0] == "ca_key_damaged"


def test_cut_key_whose_lines_are_whole(made, server):
    lines = made.file("ca.key").read_text().splitlines(keepends=True)
    made.file("ca.key").write_text("".join(lines[:2] + lines[-1:]))
    assert refused(made, server, ca=CA)[0] == "ca_key_damaged"


def test_lost_key(made, server):
    made.file("ca.key").unlink()
    failure, message = refused(made, server, ca=CA)
    assert failure == "ca_key_missing"
    assert "whose certificate every peer needs" in message
    made.file("ca.crt").unlink()
    assert refused(made, server, ca=CA)[0] == "ca_key_missing"


def test_folder_of_another_stack(made, server):
    failure, message = refused(made, server, ca={**CA, "common_name": "Other CA"})
    assert failure == "ca_foreign"
    assert "Looking for the CA 'CN=Other CA,O=Test Clinic'" in message
    assert "it belongs to 'CN=Test CA,O=Test Clinic'" in message
    assert "This certificate folder belongs to another stack" in message
    assert refused(made, server, ca={**CA, "organization": None, "passphrase": "open"})[0] == "ca_foreign"


def test_certificate_for_another_key(made, server):
    made.openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "other.key")
    made.openssl("req", "-x509", "-key", "other.key", "-subj", "/O=Test Clinic/CN=Test CA", "-utf8", "-out", "ca.crt")
    failure, message = refused(made, server, ca=CA)
    assert failure == "ca_certificate_mismatch"
    assert "the certificate is for another key" in message


def test_damaged_certificate(made, server):
    made.file("ca.crt").write_bytes(made.file("ca.crt").read_bytes()[:200])
    failure, message = refused(made, server, ca=CA)
    assert failure == "ca_certificate_damaged"
    assert "remove it, and the next run recreates it from the CA's key" in message


def test_other_key_type(made, server):
    failure, message = refused(made, server, ca={**CA, "key_type": "rsa-3072"})
    assert failure == "ca_key_type_differs"
    assert "it is ecdsa-p256, but rsa-3072 is declared" in message


@pytest.fixture
def nobody():
    """A folder that belongs to an ordinary user, and that user's eyes: root may read everything."""
    folder = Path(tempfile.mkdtemp(prefix="pki-"))
    yield folder
    os.seteuid(os.getuid())
    shutil.rmtree(folder)


def test_key_that_may_not_be_read(pki, server, nobody):
    pki.path = nobody / "pki"
    pki.run(server, ca=CA)
    before = pki.contents()
    if os.getuid() == 0:
        for file in (nobody, pki.path, *pki.path.rglob("*")):
            os.chown(file, 65534, -1)
        os.chown(pki.file("ca.key"), 0, -1)
        os.seteuid(65534)
    else:
        pki.file("ca.key").chmod(0)
    results = pki.run(server, ca=CA, fails=True), pki.run(server, ca=CA, check=True, fails=True)
    os.seteuid(os.getuid())
    pki.file("ca.key").chmod(0o600)
    assert pki.contents() == before
    for result in results:
        assert result["failure"] == "ca_key_permission"
        assert f"{pki.file('ca.key')}: Permission denied. Run as the user who owns it" in result["msg"]


def test_path_that_is_a_file(pki, server, tmp_path):
    pki.path = tmp_path / "file"
    pki.path.write_text("mine")
    for check in (True, False):
        assert pki.run(server, check=check, fails=True)["failure"] == "folder_unusable"
    assert pki.path.read_text() == "mine"
