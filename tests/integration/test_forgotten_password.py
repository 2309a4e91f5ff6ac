# SPDX-License-Identifier: GPL-3.0-or-later
"""A forgotten password: links with which somebody chooses a new one that an admin has made."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from support.admission import Admission
from support.audit import awaited, now
from support.login import SCRIPT, anonymous, log_in, soon, status
from support.password_link import Form, link_to, psql
from support.process import run
from support.stack import Stack

ACCOUNT, LONG = "leo", "Leos zweites Paßwort: ü"
# LemonLDAP::NG's numbers of what it says.
DONE, TOO_SHORT, DIFFER, EMPTY, NO_LINK = 35, 29, 34, 67, 44


@pytest.fixture
def afterwards(stack: Stack) -> Iterator[None]:
    """The password that the list has."""
    yield
    psql(stack, f"UPDATE accounts SET password = declared WHERE name = '{ACCOUNT}'")


@pytest.mark.usefixtures("afterwards")
def test_a_link_of_an_admin_works_once(stack: Stack, admission: Admission) -> None:
    since, old = now(), stack.login_of(ACCOUNT)
    assert admission.ask((f"198.51.100.{n}", (ACCOUNT, f"guess {n}")) for n in range(10)) == ["401"] * 10
    said = stack.play("password_link", orthweb_account=ACCOUNT).ok().output
    [link] = re.findall(rf"{stack.portal}/auth/resetpwd\?mail_token=[0-9a-f]{{64}}(?!\S)", said)
    other = link_to(stack, ACCOUNT)
    session = log_in(stack, old)  # it is no longer locked, and the old password is valid
    first, second = Form(link, stack), Form(link, stack)
    assert (first.send("short"), first.send(LONG, "something else"), first.send("")) == (TOO_SHORT, DIFFER, EMPTY)
    first = Form(link, stack)
    assert first.send(LONG) == DONE
    soon(lambda: status(session, stack) == 401, "a session with the old password")
    assert [Form(link, stack).said, Form(other, stack).said, second.send("An other pass word")] == [NO_LINK] * 3
    assert admission.one("198.51.100.50", old) == "401"
    assert admission.one("198.51.100.50", (ACCOUNT, LONG)) == "204"
    assert awaited(stack, lambda event: event["action"] == "password link made", since=since)["changes"] == ACCOUNT
    changed = awaited(stack, lambda event: event["action"] == "password changed", since=since, account=ACCOUNT)
    assert (changed["outcome"], bool(changed["address"])) == ("success", True)
    for container in ("nginx", "identity"):
        logged = run("docker", "logs", "--since", f"{since}Z", stack.container(container), merged=True).stdout
        assert logged and link.partition("=")[2] not in logged and LONG not in logged


def test_a_link_is_for_its_page_alone(stack: Stack) -> None:
    link = link_to(stack, ACCOUNT)
    token = link.partition("=")[2]
    thief = anonymous(stack)
    thief.cookies.set(stack.cookie, token)
    assert status(thief, stack) == 401
    assert status(anonymous(stack), stack, headers={"Authorization": f"Bearer {token}"}) == 401
    assert Form(f"{link.partition('=')[0]}={'0' * 64}", stack).said == NO_LINK
    kept = psql(stack, "SELECT id FROM sessions WHERE a_session ->> '_type' = 'mail'").split()
    assert token not in kept and [Form(f"{link.partition('=')[0]}={one}", stack).said for one in kept] == [
        NO_LINK
    ] * len(kept)
    other = anonymous(stack).get(f"{stack.portal}/auth/", headers=SCRIPT, timeout=30).json()["token"]
    assert Form(f"{link.partition('=')[0]}={other}", stack).said == NO_LINK, "the token of another form"
    form = Form(link, stack, log_in(stack, stack.login_of("rita")))
    assert form.page.ok and "newpassword" in form.page.text, "also where somebody else is logged in"
    form.session.post(link, data={"reset": "1", "token": "x"}, timeout=30)
    elsewhere = {"Origin": "https://elsewhere.example"}
    assert form.session.post(link, data={"newpassword": LONG}, headers=elsewhere, timeout=30).status_code == 403
    assert "newpassword" in Form(link, stack).page.text, "it is as it was"


def test_a_link_ends_by_time_and_with_the_sessions(stack: Stack) -> None:
    def earlier(seconds: int) -> None:
        begin = f"jsonb_build_object('_utime', (a_session ->> '_utime')::bigint - {seconds})"
        psql(stack, f"UPDATE sessions SET a_session = a_session || {begin} WHERE a_session ->> '_type' = 'mail'")

    link = link_to(stack, ACCOUNT)
    earlier(3590)
    assert "newpassword" in Form(link, stack).page.text
    earlier(11)
    assert Form(link, stack).said == NO_LINK
    link = link_to(stack, ACCOUNT)
    psql(stack, f"SELECT end_sessions_of('{ACCOUNT}')")
    assert Form(link, stack).said == NO_LINK


def test_a_program_gets_no_link_from_an_admin(stack: Stack) -> None:
    done = stack.play("password_link", orthweb_account="export")
    assert done.code != 0 and 'No person has an account "export"' in done.output
