# SPDX-License-Identifier: GPL-3.0-or-later
"""People who log in on the portal's own page, as opposed to programs with HTTP Basic."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import requests

from .stack import Stack

# nginx keeps an answer for 3 seconds, LemonLDAP::NG a session for 4.
UNTIL_ALL_KNOW = 10


def soon(holds: Callable[[], bool], what: str, seconds: float = UNTIL_ALL_KNOW) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, what
        time.sleep(0.3)


def anonymous(stack: Stack) -> requests.Session:
    """A client that is nobody yet, and keeps cookies."""
    session = requests.Session()
    session.verify, session.trust_env = stack.ca, False
    return session


SCRIPT = {"Accept": "application/json"}


def submit(
    session: requests.Session,
    stack: Stack,
    login: tuple[str, str] | None,
    headers: dict[str, str] | None = None,
    **more: str,
) -> requests.Response:
    """Send the form with this name and password, as the page's scripts do; without a login, that of a provider."""
    page = f"{stack.portal}/auth/"
    token = session.get(page, headers=SCRIPT, timeout=30).json()["token"]
    filled = {"user": login[0], "password": login[1]} if login else {}
    sent = {**filled, "token": token, **more}
    return session.post(
        page, data=sent, headers=SCRIPT if headers is None else headers, allow_redirects=bool(login), timeout=30
    )


def log_in(stack: Stack, login: tuple[str, str]) -> requests.Session:
    session = anonymous(stack)
    answer = submit(session, stack, login)
    assert answer.status_code == 200 and answer.json()["result"] == 1, answer.text
    return session


def cookies_of(session: requests.Session, stack: Stack) -> list[dict[str, str]]:
    """For a browser that goes on with this session."""
    return [{"name": cookie.name, "value": str(cookie.value), "url": stack.portal} for cookie in session.cookies]


def status(session: requests.Session, stack: Stack, path: str = "/archive/me", **options: Any) -> int:
    return session.get(f"{stack.portal}{path}", allow_redirects=False, timeout=30, **options).status_code
