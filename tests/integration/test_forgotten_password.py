# SPDX-License-Identifier: GPL-3.0-or-later
"""A forgotten password: links with which somebody chooses a new one, from an admin or by mail."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest
import requests
from playwright.sync_api import expect

from support.admission import Admission
from support.audit import awaited, now
from support.authority import Authority
from support.browser import Visits
from support.hospital import ACCOUNTS
from support.login import SCRIPT, anonymous, log_in, soon, status
from support.mail_server import PASSWORD, REFUSED, MailServer
from support.password_link import Form, link_to, psql
from support.process import run
from support.stack import Run, Stack, docker

ACCOUNT, LONG = "leo", "Leos zweites Paßwort: ü"
# LemonLDAP::NG's numbers of what it says.
DONE, TOO_SHORT, DIFFER, EMPTY, NO_LINK, ASKED = 35, 29, 34, 67, 44, 72
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


@pytest.mark.usefixtures("afterwards")
def test_a_link_of_an_admin_works_once(stack: Stack, admission: Admission) -> None:
    since, old = now(), stack.login_of(ACCOUNT)
    assert admission.ask((f"198.51.100.{n}", (ACCOUNT, f"guess {n}")) for n in range(10)) == ["401"] * 10
    said = stack.play("password_link", orthweb_account=ACCOUNT).ok().output
    [link] = re.findall(rf"{stack.portal}/auth/resetpwd\?mail_token=[0-9a-f]{{64}}(?!\S)", said)
    other, session = (
        link_to(stack, ACCOUNT),
        log_in(stack, old),
    )  # it is no longer locked, and the old password is valid
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


# --- by mail


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
