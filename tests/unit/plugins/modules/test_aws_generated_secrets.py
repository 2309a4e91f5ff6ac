# SPDX-License-Identifier: GPL-3.0-or-later
"""A name that a deleted secret still holds. The rest is shown by the target of ansible-test."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.cellcs.orthweb.plugins.modules import aws_generated_secrets as module


class RefusedError(Exception):
    pass


HELD = "You can't create this secret because a secret with this name is already scheduled for deletion."


class Client:
    exceptions = SimpleNamespace(InvalidRequestException=RefusedError)

    def __init__(self, *refusals: str) -> None:
        self.refusals = list(refusals)

    def create_secret(self, **secret: Any) -> dict[str, Any]:
        if self.refusals:
            raise RefusedError(self.refusals.pop(0))
        return {"ARN": secret["Name"]}


@pytest.fixture
def waited(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The clock stands still but for what is slept."""
    slept: list[float] = []
    clock = SimpleNamespace(monotonic=lambda: sum(slept), sleep=slept.append)
    monkeypatch.setattr(module, "time", clock)
    return slept


def create(client: Client) -> dict[str, Any]:
    secrets = object.__new__(module.Secrets)
    secrets.client = client
    return secrets.created(Name="orthweb/database-master")


def test_a_name_is_waited_for(waited: list[float]) -> None:
    assert create(Client(HELD, HELD)) == {"ARN": "orthweb/database-master"}
    assert len(waited) == 2


def test_not_for_ever(waited: list[float]) -> None:
    with pytest.raises(RefusedError, match="scheduled for deletion"):
        create(Client(*[HELD] * 1000))
    assert sum(waited) == pytest.approx(module.NAME_FREE_WITHIN_SECONDS, abs=module.PAUSE_SECONDS)


def test_another_refusal_is_one(waited: list[float]) -> None:
    with pytest.raises(RefusedError, match="managed"):
        create(Client("A managed secret"))
    assert waited == []
