# SPDX-License-Identifier: GPL-3.0-or-later
"""Owner, group and mode: from the first byte on, fixed where they differ, refused where they make no sense."""

from __future__ import annotations

import os

import pytest
from ansible_collections.cellcs.orthweb.plugins.module_utils.pki.ownership import Ownership
from ansible_collections.cellcs.orthweb.plugins.module_utils.pki.parse_ownership import ownership_problems

needs_root = pytest.mark.skipif(os.getuid() != 0, reason="only root may give files away")
DECLARED = {"owner": "daemon", "group": "daemon", "mode": "0640", "directory_mode": "0750"}


def attributes(pki):
    return {
        str(file.relative_to(pki.path)): (file.owner(), file.group(), f"{file.stat().st_mode & 0o7777:04o}")
        for file in (pki.path, *pki.path.rglob("*"))
    }


@needs_root
def test_as_declared(pki, server, client):
    announced = pki.run(server, client, check=True, **DECLARED)
    made = pki.run(server, client, **DECLARED)
    assert announced["diff"] == made["diff"]
    found = attributes(pki)
    assert {(owner, group) for owner, group, _mode in found.values()} == {("daemon", "daemon")}
    modes = {name: mode for name, (_owner, _group, mode) in found.items()}
    assert (modes["."], modes["issued"]) == ("0750", "0750")
    assert (modes["ca.key"], modes["pacs.key"], modes["ct-1.p12"]) == ("0600", "0640", "0640")
    assert (modes["ca.crt"], modes["crl.pem"], modes["pacs.crt"]) == ("0644", "0644", "0644")
    assert pki.run(server, client, **DECLARED)["changed"] is False


@needs_root
def test_numbers_will_do(pki, server):
    pki.run(server, owner="1", group="0")
    assert {(owner, group) for owner, group, _mode in attributes(pki).values()} == {("daemon", "root")}
    assert pki.run(server, owner="0")["diff"]["after"]["attributes"][str(pki.path)] == "root:root 0700"


@needs_root
def test_mended_where_they_differ(pki, server):
    pki.run(server)
    before = attributes(pki)
    announced = pki.run(server, check=True, **DECLARED)
    assert attributes(pki) == before
    result = pki.run(server, **DECLARED)
    assert (announced["diff"], announced["attributes"]) == (result["diff"], result["attributes"])
    assert result["by_name"]["pacs"]["action"] == "keep"
    assert str(pki.file("pacs.key")) in result["attributes"]
    assert result["diff"]["before"]["attributes"][str(pki.path)] == "root:root 0700"
    assert result["diff"]["after"]["attributes"][str(pki.path)] == "daemon:daemon 0750"
    assert attributes(pki)["pacs.key"] == ("daemon", "daemon", "0640")
    assert pki.run(server, **DECLARED)["changed"] is False


def test_folder_that_lies_open_is_closed(pki, server):
    pki.run(server)
    pki.path.chmod(0o755)
    pki.file("pacs.crt").chmod(0o600)
    result = pki.run(server)
    assert sorted(result["attributes"]) == sorted([str(pki.path), str(pki.file("pacs.crt"))])
    assert attributes(pki)["."][2] == "0700"
    assert pki.run(server)["changed"] is False


def test_files_of_others_are_left_alone(pki, server):
    pki.run(server)
    pki.file("README").write_text("mine")
    pki.file("README").chmod(0o666)
    elsewhere = pki.path.with_name("elsewhere.crt")
    elsewhere.write_text("not of this PKI")
    elsewhere.chmod(0o600)
    pki.file("linked.crt").symlink_to(elsewhere)
    for name in ("haproxy.pem", "www.key"):
        pki.file(name).write_text("of another service")
        pki.file(name).chmod(0o400)
    assert pki.run(server)["changed"] is False
    assert elsewhere.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("mode", ["0640", "640", "u=rw,g=r", "u=rw,g=r,o="])
def test_spellings_of_a_mode(pki, server, mode):
    pki.run(server, mode=mode)
    assert attributes(pki)["pacs.key"][2] == "0640"
    assert pki.run(server, mode=mode)["changed"] is False


@pytest.mark.parametrize(
    ("params", "problem"),
    [
        ({"owner": "no-such-user"}, "owner: there is no user 'no-such-user' on this machine"),
        ({"group": "no-such-group"}, "group: there is no group 'no-such-group' on this machine"),
        ({"mode": "0644"}, "mode: 0644 lets every user of this machine read the private keys"),
        ({"mode": "0200"}, "mode: 0200 keeps the owner from reading the private keys"),
        ({"mode": 640}, "mode: '640' is not a mode"),
        ({"mode": 0o640}, "mode: '416' is not a mode: write it in quotes"),
        ({"mode": "u+r"}, "mode: 'u+r' is not a mode"),
        ({"directory_mode": "0500"}, "directory_mode: 0500 keeps the owner out of the folder"),
    ],
)
def test_refused(pki, server, params, problem):
    result = pki.run(server, fails=True, **params)
    assert result["failure"] == "invalid_parameters"
    assert problem in result["msg"]
    assert not pki.path.exists()


@needs_root
def test_owner_of_the_folder_gets_nothing_through_a_link(pki, server, tmp_path):
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "host.key").write_text("not of this PKI")
    pki.run(server, **DECLARED)
    pki.file(".lock").unlink()
    pki.file(".lock").symlink_to(victim / "host.key")
    assert pki.run(server, fails=True, **DECLARED)["failure"] == "folder_unusable"
    pki.file(".lock").unlink()
    pki.file("former").symlink_to(victim)
    result = pki.run(server, fails=True, **DECLARED)
    assert result["failure"] == "folder_unusable"
    assert "it is a link, but must be a folder" in result["msg"]
    assert (victim / "host.key").owner() == "root"


@needs_root
def test_who_is_not_root_is_told_at_once(pki, server, tmp_path):
    tmp_path.chmod(0o777)
    os.seteuid(65534)
    try:
        results = [pki.run(server, check=check, fails=True, owner="daemon", group="daemon") for check in (True, False)]
        assert list(ownership_problems(Ownership())) == []  # who gives nothing away may do it
    finally:
        os.seteuid(0)
    for result in results:
        assert result["failure"] == "invalid_parameters"
        assert "owner: only root can give files to daemon" in result["msg"]
        assert "group: the user who runs this is not a member of daemon" in result["msg"]
    assert not pki.path.exists()
