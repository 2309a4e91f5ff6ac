# SPDX-License-Identifier: GPL-3.0-or-later
"""Links to choose a new password by mail: asked for in a browser, and sent by a real mail server."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest
import requests
from playwright.sync_api import expect

from support.audit import awaited, now
from support.authority import Authority
from support.browser import Visits
from support.hospital import ACCOUNTS
from support.login import anonymous, soon, status
from support.mail_server import PASSWORD, REFUSED, MailServer
from support.password_link import Form, psql
from support.process import run
from support.stack import Run, Stack, docker

pytestmark = pytest.mark.long

ACCOUNT, LONG = "leo", "Leos zweites Paßwort: ü"
ASKED = 72  # LemonLDAP::NG's number of what it says then
MAIL = {ACCOUNT: "leo@clinic.example", "lena": REFUSED, "export": "export@clinic.example"}
MAIL_PORT = 22639


@pytest.fixture(scope="module")
def mail(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MailServer]:
    gateway = docker(
        "network", "inspect", "--format", "{{(index .IPAM.Config 0).Gateway}}", stack.container("identity")
    )
    one = MailServer(gateway, MAIL_PORT, tmp_path_factory.mktemp("mail"))
    one.start()
    yield one
    one.stop()


@pytest.fixture(scope="module", autouse=True)
def deployed(stack: Stack, mail: MailServer) -> Iterator[Run]:
    users = [{"name": name, "role": role} for name, role in ACCOUNTS.items()]
    users.append({"name": "export", "role": "reader", "kind": "program"})
    users = [{**user, "mail": MAIL.get(str(user["name"]), "")} for user in users]
    more = {"orthweb_smtp": mail.given(), "orthweb_users": users}
    yield stack.configure("--tags", "identity,nginx", "-vvv", "--diff", **more).ok()
    stack.configure("--tags", "identity,nginx").ok()


@pytest.fixture
def afterwards(stack: Stack) -> Iterator[None]:
    """The password that the list has."""
    yield
    psql(stack, f"UPDATE accounts SET password = declared WHERE name = '{ACCOUNT}'")


def ask(stack: Stack, account: str, host: str = "") -> requests.Response:
    somebody, page = anonymous(stack), f"{stack.portal}/auth/resetpwd"
    [token] = re.findall(r'name="token" value="([0-9a-f]{64})"', somebody.get(page, timeout=30).text)
    headers = {"Host": host} if host else {}
    return somebody.post(page, data={"mail": account, "token": token}, headers=headers, timeout=30)


def mailed_link(mail: MailServer, number: int) -> str:
    """That of the message with this number, the first of which is 1."""
    soon(lambda: len(mail.received) >= number, "no mail comes", 20)
    return re.findall(r"https://\S+", mail.received[number - 1].get_content())[0]


@pytest.mark.usefixtures("afterwards")
def test_somebody_asks_and_chooses_in_their_language(stack: Stack, visit: Visits, mail: MailServer) -> None:
    since, before = now(), len(mail.received)
    with visit(None, locale="de-DE") as somebody:
        somebody.go("/archive/")
        somebody.page.get_by_text("Passwort vergessen?").click()
        somebody.page.get_by_placeholder("Konto").fill(ACCOUNT)
        somebody.page.get_by_text("Link anfordern").click()
        expect(somebody.page.get_by_text("ist eine Nachricht mit einem Link an sie unterwegs")).to_be_visible()
        somebody.photograph("forgotten-password-asked")
        link = mailed_link(mail, before + 1)
        said = mail.received[before]
        assert (said["To"], said["From"], said["Auto-Submitted"]) == (
            MAIL[ACCOUNT],
            "pacs@clinic.example",
            "auto-generated",
        )
        assert "Wählen Sie ein neues Passwort" in said["Subject"] and f"Konto {ACCOUNT} von" in said.get_content()
        somebody.go(link.removeprefix(stack.portal))
        somebody.page.get_by_placeholder("Neues Passwort").fill(LONG)
        somebody.page.get_by_placeholder("Passwort bestätigen").fill(LONG)
        somebody.photograph("forgotten-password-choose")
        somebody.page.get_by_text("Absenden").click()
        expect(somebody.page.get_by_text("Das Passwort wurde geändert")).to_be_visible()
        somebody.go("/archive/")
        somebody.log_in((ACCOUNT, LONG))
        expect(somebody.page.locator("#account")).to_have_text(ACCOUNT)
        somebody.go(link.removeprefix(stack.portal))
        expect(somebody.page.get_by_text("Dieser Link ist nicht mehr gültig")).to_be_visible()
    sent = awaited(stack, lambda event: event["action"] == "password link mailed", since=since, account=ACCOUNT)
    assert (sent["outcome"], bool(sent["address"])) == ("success", True)


def test_the_answer_is_the_same_for_all(stack: Stack, mail: MailServer) -> None:
    """Whether or not there is such an account, with or without an address, and whatever becomes of the mail."""
    since, before = now(), len(mail.received)
    accounts = ("rita", "nobody", "export", "lena", MAIL[ACCOUNT], ACCOUNT)
    answers = [re.sub("[0-9a-f]{64}", "", ask(stack, account).text) for account in accounts]
    # Sentences in another order in each process of the login service.
    first, *others = [[line for line in answer.splitlines() if "trOver" not in line] for answer in answers]
    assert f'trmsg="{ASKED}"' in "".join(first)
    for other in others:
        assert other == first
    mailed_link(mail, before + 1)
    time.sleep(3)
    assert [said["To"] for said in mail.received[before:]] == [MAIL[ACCOUNT]]
    refused = awaited(stack, lambda event: event["action"] == "password link mailed", since=since, account="lena")
    assert (refused["outcome"], refused["reason"]) == ("failure", "refused recipient")


def test_a_link_leads_to_this_archive_whatever_was_asked(stack: Stack, mail: MailServer) -> None:
    before = len(mail.received)
    assert ask(stack, ACCOUNT, host="elsewhere.example").ok
    assert mailed_link(mail, before + 1).startswith(f"{stack.portal}/auth/resetpwd?mail_token=")


def test_an_account_is_not_flooded(stack: Stack, mail: MailServer) -> None:
    psql(stack, f"SELECT end_sessions_of('{ACCOUNT}')")
    before = len(mail.received)
    psql(stack, f"SELECT ask_for_link('{ACCOUNT}', 'en', '192.0.2.1') FROM generate_series(1, 9)")
    soon(lambda: psql(stack, "SELECT count(*) FROM link_requests") == "0", "they are not looked at", 20)
    assert len(mail.received) - before == 3
    assert "newpassword" in Form(mailed_link(mail, before + 1), stack).page.text, "the first one is still valid"
    psql(stack, f"SELECT end_sessions_of('{ACCOUNT}')")


def test_a_server_that_is_away_or_another_one_gets_nothing(
    stack: Stack, mail: MailServer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    since, before = now(), len(mail.received)

    def says(words: str) -> None:
        logged = ["docker", "logs", "--since", f"{since}Z", stack.container("identity")]
        soon(lambda: words in run(*logged, merged=True).stdout, words, 30)

    where = f"Links to choose a new password cannot be mailed: {mail.address}:{MAIL_PORT}: "
    mail.stop()
    assert f'trmsg="{ASKED}"' in ask(stack, ACCOUNT).text
    says(f"{where}Connection refused")
    mail.start(Authority(tmp_path_factory.mktemp("other"), "Another CA"))
    says(f"{where}STARTTLS: SSL connect attempt failed error:0A000086:SSL routines::certificate verify failed")
    assert len(mail.received) == before
    mail.stop()
    mail.start()
    says("Links are mailed again.")
    assert len(mail.received) == before + 1


def test_the_servers_password_is_nowhere(stack: Stack, deployed: Run) -> None:
    assert PASSWORD not in deployed.output
    assert PASSWORD not in docker("inspect", stack.container("identity"))
    assert PASSWORD not in docker("top", stack.container("identity"), "-eo", "pid,args")


def test_an_address_that_asks_too_often_is_refused(stack: Stack) -> None:
    """The last one here: it takes a while until this address may ask again."""
    page, somebody = f"{stack.portal}/auth/resetpwd", anonymous(stack)
    codes = [somebody.post(page, data={"mail": ACCOUNT}, timeout=30).status_code for _try in range(12)]
    assert codes[0] == 200 and 429 in codes, codes
    assert status(somebody, stack, "/auth/resetpwd") == 200
