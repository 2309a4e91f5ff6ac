# SPDX-License-Identifier: GPL-3.0-or-later
"""A link with which somebody chooses a new password, and the page that it leads to."""

from __future__ import annotations

import re

import requests

from .login import anonymous
from .stack import Stack, docker


def psql(stack: Stack, asked: str) -> str:
    command = [
        "psql",
        "--no-psqlrc",
        "--quiet",
        "--no-align",
        "--tuples-only",
        f"--command={asked}",
        "service=identity",
    ]
    return docker("exec", stack.container("identity"), *command).strip()


def link_to(stack: Stack, account: str) -> str:
    """As the playbook makes it."""
    token = psql(stack, f"SELECT make_password_link('{account}', 3600)")
    return f"{stack.portal}/auth/resetpwd?mail_token={token}"


class Form:
    """The page of a link, in a browser of its own."""

    def __init__(self, link: str, stack: Stack, session: requests.Session | None = None) -> None:
        self.link, self.session = link, session or anonymous(stack)
        self.page = self.session.get(link, timeout=30)

    @property
    def said(self) -> int:
        return int(re.findall(r'trmsg="(\d+)"', self.page.text)[0])

    def send(self, new: str, again: str | None = None) -> int:
        """What the page says then."""
        [token] = re.findall(r'name="token" value="([0-9a-f]{64})"', self.page.text) or [""]
        filled = {"token": token, "newpassword": new, "confirmpassword": new if again is None else again}
        self.page = self.session.post(self.link, data=filled, timeout=30)
        return self.said
