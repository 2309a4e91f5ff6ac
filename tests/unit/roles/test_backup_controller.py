# SPDX-License-Identifier: GPL-3.0-or-later
"""The copies of the controller's folder beside the backups."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from support.image_programs import loaded

repository, controller = loaded("backup", "repository", "controller")

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
ONE, OTHER = b"b25l", b"b3RoZXI="


class InMemory:
    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    def __call__(self, *arguments: str, given: Any = None, **_more: Any) -> str:
        match arguments[2:]:
            case ["repo-ls", "controller/clinic"]:
                return "\n".join(self.files)
            case ["repo-put", path]:
                self.files[path.rpartition("/")[2]] = given.read()
            case ["repo-rm", path]:
                del self.files[path.rpartition("/")[2]]
        return ""


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch) -> InMemory:
    there = InMemory()
    monkeypatch.setattr(controller, "decrypted", lambda _repository, name: there.files[name.rpartition("/")[2]])
    return there


def ours(there: InMemory, name: str = "nas") -> Any:
    return repository.Repository(1, name, "clinic", f"/repositories/{name}", there)


def test_the_same_is_kept_once(there: InMemory) -> None:
    assert [controller.keep(ours(there), each, NOW, 28) for each in (ONE, ONE, OTHER, OTHER)] == [
        True,
        False,
        True,
        False,
    ]
    assert sorted(there.files.values()) == [ONE, OTHER]


def test_old_ones_go_and_the_newest_stays(there: InMemory) -> None:
    for days, each in ((100, ONE), (50, OTHER), (0, ONE)):
        controller.keep(ours(there), each, NOW - timedelta(days=days), 28)
    assert list(there.files.values()) == [ONE]
    controller.keep(ours(there), OTHER, NOW + timedelta(days=27), 28)
    assert list(there.files.values()) == [ONE, OTHER]


def test_the_newest_comes_back_from_whichever_has_one(there: InMemory) -> None:
    controller.keep(ours(there), ONE, NOW - timedelta(days=1), 28)
    controller.keep(ours(there), OTHER, NOW, 28)
    assert controller.newest([ours(InMemory(), "new"), ours(there)]) == OTHER


def test_none_is_said_with_each_reason(there: InMemory, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: Any) -> bytes:
        raise repository.FailedError("could not be decrypted")

    controller.keep(ours(there), ONE, NOW, 28)
    monkeypatch.setattr(controller, "decrypted", refuse)
    with pytest.raises(repository.FailedError) as told:
        controller.newest([ours(InMemory(), "new"), ours(there)])
    assert "repository new: there is none of clinic; repository nas: could not be decrypted" in str(told.value)
