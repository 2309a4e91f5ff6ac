# SPDX-License-Identifier: GPL-3.0-or-later
"""Accounts of a simulated AWS API without hosts behind it, and one stack's whole life in the first of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from support.aws.account import Account, OpenAccount
from support.aws.life import Lifecycle


@pytest.fixture(scope="session")
def open_account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenAccount]:
    """``open_account("name", *options of rehearsal.serve)`` starts a server of its own with an empty account."""
    with ExitStack() as servers:

        def opened(name: str, *options: str) -> Account:
            return servers.enter_context(Account(tmp_path_factory.mktemp(name), options))

        yield opened


@pytest.fixture(scope="session")
def lifecycle(open_account: OpenAccount) -> Lifecycle:
    """Each step of it runs when a test first asks for it, after those that come before."""
    return Lifecycle(open_account("lifecycle"))


@pytest.fixture(scope="module")
def account(open_account: OpenAccount, request: pytest.FixtureRequest) -> Iterator[Account]:
    """An account for one file of tests; ``account.reset()`` empties it. Its deployer has no more than our policy."""
    opened = open_account(request.module.__name__.rpartition(".")[2])
    yield opened
    assert opened.refused == set(), "files/iam_policy.yml does not allow what was called"
