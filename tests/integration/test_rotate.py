# SPDX-License-Identifier: GPL-3.0-or-later
"""New passwords for the database's users, while a modality sends and somebody is logged in."""

from __future__ import annotations

import json

import pytest
from pydicom.uid import generate_uid

from support.images import fetch
from support.ledger import Modality
from support.process import run
from support.rest import remove
from support.stack import Stack

USERS = {"orthanc": "database_password", "identity": "identity_database_password"}


def kept(stack: Stack) -> dict[str, str]:
    """Password by user."""
    secrets = json.loads((stack.folder / "secrets.json").read_text())
    return {user: secrets[key] for user, key in USERS.items()}


def logs_in(stack: Stack, user: str, password: str) -> bool:
    address = f"host=127.0.0.1 user={user} dbname=orthanc sslmode=require"
    psql = ["psql", "--no-psqlrc", "--command=SELECT 1", address]
    return run("docker", "exec", "-i", stack.container("postgresql"), *psql, stdin=password).returncode == 0


@pytest.mark.long
def test_new_passwords_cost_no_image(stack: Stack) -> None:
    before, machines = kept(stack), stack.secrets
    modality = Modality(stack, generate_uid())
    modality.start()
    try:
        rotation = stack.play("rotate")
    finally:
        modality.end.set()
        modality.join()
    rotation.ok()
    print(f"{len(modality.acknowledged)} images, {modality.longest_gap:.1f} s at most between two of them")

    after = kept(stack)
    for user in USERS:
        assert before[user] != after[user]
        assert not logs_in(stack, user, before[user])
        assert logs_in(stack, user, after[user])
    assert len(set(machines) - set(stack.secrets)) == len(USERS), "another secret changed, too"
    assert not [secret for secret in {*machines, *stack.secrets} if secret in rotation.output]

    assert len(modality.acknowledged) > 20, "Too few were acknowledged: this run proves nothing"
    for uid, pixels in modality.acknowledged.items():
        assert fetch(stack, uid).PixelData == pixels
    remove(stack, modality.study)
    assert stack.deploy().ok().changes == []


@pytest.mark.long
def test_new_passwords_are_planned(stack: Stack) -> None:
    before = kept(stack)
    plan = stack.play("rotate", "--check").ok()
    assert "cellcs.orthweb.credentials : Keep the secrets on the controller" in plan.changes
    assert kept(stack) == before


@pytest.mark.parametrize("mode", [[], ["--check"]])
def test_given_passwords_are_not_ours_to_change(stack: Stack, mode: list[str]) -> None:
    before = kept(stack)
    refused = stack.play("rotate", *mode, orthweb_database={"host": "db.invalid", "password": "given"})
    assert refused.code != 0
    assert "orthweb_database.password was given by you" in " ".join(refused.output.split())
    assert "TASK [cellcs.orthweb.preflight" not in refused.output
    assert kept(stack) == before
