# SPDX-License-Identifier: GPL-3.0-or-later
"""The login: sessions, second factors, wrong passwords, and what happens when a part of it is away."""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Iterator

import pytest
import requests

from support.admission import Admission
from support.audit import awaited, now
from support.hospital import ACCOUNTS
from support.login import UNTIL_ALL_KNOW, anonymous, log_in, soon, status, submit
from support.places import Place, place
from support.stack import Stack, docker, wait_until_healthy

ME = "/archive/me"
LONGEST_WAIT = 60


def cookie(session: requests.Session, stack: Stack) -> str:
    value = session.cookies.get(stack.cookie)
    assert value
    return value


# --- sessions


def test_the_cookie_is_for_this_host_only_and_not_for_scripts(stack: Stack) -> None:
    said = submit(anonymous(stack), stack, stack.login_of("rita")).headers["Set-Cookie"]
    assert re.search(rf"(^|, ){stack.cookie}=[0-9a-f]{{64}};", said)
    for attribute in ("path=/", "HttpOnly", "SameSite=Lax", "secure"):
        assert attribute in said
    assert "domain" not in said.lower()


def test_a_page_is_led_to_the_login_and_a_script_is_told(stack: Stack) -> None:
    nobody = anonymous(stack)
    link = f"{stack.portal}/viewer?StudyInstanceUIDs=1.2.3&a=b%20c"
    page = nobody.get(link, headers={"Sec-Fetch-Mode": "navigate"}, allow_redirects=False, timeout=30)
    assert page.status_code == 302
    to, _path, wanted = page.headers["Location"].partition("/auth/?url=")
    assert (to, base64.b64decode(requests.utils.unquote(wanted)).decode()) == ("", link), "on the same host and port"
    script = nobody.get(f"{stack.portal}/dicom-web/studies", headers={"Sec-Fetch-Mode": "cors"}, timeout=30)
    assert (script.status_code, script.headers.get("WWW-Authenticate")) == (401, None)
    program = nobody.get(f"{stack.portal}/dicom-web/studies", timeout=30)
    assert (program.status_code, program.headers["WWW-Authenticate"][:6]) == (401, "Basic ")


@pytest.mark.parametrize("door", ["portal", "orthanc"])
def test_a_session_opens_both_doors_until_it_is_ended(stack: Stack, door: str) -> None:
    rita = log_in(stack, stack.login_of("rita"))
    address = f"{stack.portal}/orthanc/system" if door == "portal" else f"{stack.orthanc}/system"
    assert rita.get(address, timeout=30).status_code == 200
    stolen = anonymous(stack)
    stolen.cookies.set(stack.cookie, cookie(rita, stack))
    assert status(stolen, stack) == 200
    rita.get(f"{stack.portal}/auth/?logout=1", timeout=30)
    soon(lambda: status(stolen, stack) == 401, "the cookie is still worth something")


@pytest.mark.parametrize(("what", "minutes"), [("_utime", 720), ("_lastSeen", 60)], ids=["absolute", "idle"])
def test_a_session_ends_by_time(stack: Stack, what: str, minutes: int) -> None:
    """The database is told that it began, or was used, so many minutes ago."""

    def back(seconds: int) -> None:
        earlier = f"""UPDATE sessions SET a_session = jsonb_set(a_session, '{{{what}}}',
            to_jsonb((extract(epoch FROM now())::bigint - {seconds})::text)) WHERE a_session ->> 'uid' = 'lena'"""
        psql = ["psql", "--no-psqlrc", "--quiet", f"--command={earlier}", "service=identity"]
        docker("exec", stack.container("identity"), *psql)

    lena = log_in(stack, stack.login_of("lena"))
    back(minutes * 60 - 30)
    time.sleep(UNTIL_ALL_KNOW)
    assert status(lena, stack) == 200, "It ended too early"
    back(minutes * 60 + 1)
    soon(lambda: status(lena, stack) == 401, "It goes on")


def test_a_form_of_another_site_is_worth_nothing(stack: Stack) -> None:
    """Without the token of the page, and with the one of somebody else who has used it."""
    login = dict(zip(("user", "password"), stack.login_of("rita"), strict=True))
    asked = {"Accept": "application/json"}
    for token in ({}, {"token": "0" * 64}):
        session = anonymous(stack)
        answer = session.post(f"{stack.portal}/auth/", data={**login, **token}, headers=asked, timeout=30)
        assert answer.status_code == 401 and stack.cookie not in session.cookies
    rita = log_in(stack, stack.login_of("rita"))
    foreign = {"Origin": "https://elsewhere.example", "Sec-Fetch-Site": "cross-site"}
    answer = rita.post(f"{stack.portal}/orthanc/tools/find", json={}, headers=foreign, timeout=30)
    assert answer.status_code == 403


def test_the_login_leads_back_to_this_archive_only(stack: Stack) -> None:
    rita = log_in(stack, stack.login_of("rita"))
    for wanted in ("https://elsewhere.example/", "//elsewhere.example/", f"{stack.portal}@elsewhere.example/"):
        back = base64.b64encode(wanted.encode()).decode()
        answer = rita.get(f"{stack.portal}/auth/", params={"url": back}, allow_redirects=False, timeout=30)
        assert "elsewhere" not in answer.headers.get("Location", "")
        assert "elsewhere.example" not in answer.text


@pytest.mark.parametrize(
    "odd",
    [
        "x={name}={id}",
        "{name}={id}x",
        "x{name}={id}",
        '{name}="{id}"',
        "{name}=0; {name}={id}; x={id}",
        "{name}=; lemonldap={id}",
    ],
)
def test_an_odd_cookie_lets_nobody_in_as_somebody_else(stack: Stack, odd: str) -> None:
    """nginx and LemonLDAP::NG may read such a header in different ways."""
    rita = log_in(stack, stack.login_of("rita"))
    header = odd.format(name=stack.cookie, id=cookie(rita, stack))
    first = status(anonymous(stack), stack, headers={"Cookie": header})
    assert status(anonymous(stack), stack) == 401, "nobody, after that header"
    lena = log_in(stack, stack.login_of("lena"))
    answer = lena.get(f"{stack.portal}{ME}", timeout=30)
    assert answer.json()["account"] == "lena"
    assert first in (200, 401)
    if first == 200:  # then as her whose session it is, and nobody else
        answer = anonymous(stack).get(f"{stack.portal}{ME}", headers={"Cookie": header}, timeout=30)
        assert answer.json()["account"] == "rita"


def test_the_login_page_takes_no_login_from_a_header(stack: Stack) -> None:
    """The name by which it is called would make it one that does, without any count of what is tried."""
    for login in (stack.login, stack.login_of("rita")):
        assert status(anonymous(stack), stack, auth=login) == 200
        answer = anonymous(stack).get(f"{stack.portal}/auth/ping", auth=login, headers={"Host": "basic"}, timeout=30)
        assert answer.json()["status"] == 0


@pytest.mark.parametrize(
    "path",
    [
        "sessions/global/{id}",
        "adminSessions/{id}",
        "./sessions/global/{id}",
        "%2e/sessions/global/{id}",
        "//sessions/global/{id}",
        "2fregisters/../sessions/global/{id}",
        "2fregisters%2f..%2fsessions/global/{id}",
        "checkstate?secret=orthweb",
        "config/latest",
        "mysession/?whoami",
        "static/../lmConf-1.json",
        "register",
        "resetpwd",
    ],
)
def test_its_inner_routes_are_not_reached(stack: Stack, path: str) -> None:
    rita = log_in(stack, stack.login_of("rita"))
    request = requests.Request("GET", f"{stack.portal}/auth/", headers={"Accept": "application/json"})
    prepared = rita.prepare_request(request)
    prepared.url = f"{stack.portal}/auth/{path.format(id=cookie(rita, stack))}"  # as it is
    answer = rita.send(prepared, allow_redirects=False, timeout=30, verify=stack.ca)
    assert answer.status_code in (400, 403, 404)
    assert cookie(rita, stack) not in answer.text


# --- wrong passwords


def test_an_account_that_is_guessed_at_is_locked_for_form_and_programs_alike(
    stack: Stack, admission: Admission
) -> None:
    """One in the form, the others by programs elsewhere, all at once. The right password does not help then."""
    assert submit(anonymous(stack), stack, ("lars", "guess")).status_code == 401
    assert admission.ask((f"198.51.100.{n}", ("lars", f"guess {n}")) for n in range(9)) == ["401"] * 9
    assert admission.one("198.51.100.20", stack.login_of("lars")) == "401"
    locked = submit(anonymous(stack), stack, stack.login_of("lars"))
    assert locked.status_code == 401 and stack.cookie not in locked.cookies
    assert admission.one("198.51.100.20", stack.login_of("lena")) == "204", "others are not"


def test_a_form_is_counted_for_its_address(stack: Stack, guesser: Place) -> None:
    page, said = f"{stack.portal}/auth/", ["--silent", "--header", "Accept: application/json"]
    to = ["--connect-to", f"::{guesser.archive}:{stack.portal_port}", "--cacert", stack.ca, page]

    def guess() -> str:
        token = json.loads(guesser.run(["curl", *said, *to]).stdout)["token"]
        filled = ["--data", f"user=nobody&password=guess&token={token}"]
        return guesser.run(["curl", *said, *filled, "--output", "/dev/null", "--write-out", "%{http_code}", *to]).stdout

    assert [guess() for _number in range(10)] == ["401"] * 10
    with pytest.raises(json.JSONDecodeError):
        guess()
    refused = guesser.run(["curl", "--silent", *to]).stdout
    assert "Too many wrong passwords" in refused


@pytest.fixture
def guesser() -> Iterator[Place]:
    with place("guesser", "192.0.2.40/30") as one:
        yield one


# --- accounts


def test_who_is_removed_is_out_and_who_is_changed_logs_in_again(stack: Stack, admission: Admission) -> None:
    rita, lena = log_in(stack, stack.login_of("rita")), log_in(stack, stack.login_of("lena"))
    login = stack.login_of("rita")
    others = [
        {"name": name, "role": "uploader" if name == "lena" else role}
        for name, role in ACCOUNTS.items()
        if name != "rita"
    ]
    try:
        stack.configure("--tags", "identity", orthweb_users=others).ok()
        soon(lambda: status(rita, stack) == 401, "a removed account has a session")
        assert admission.one("198.51.100.30", login) == "401"
        soon(lambda: status(lena, stack) == 401, "a session with a role that has changed")
        assert log_in(stack, stack.login_of("lena")).get(f"{stack.portal}{ME}", timeout=30).json()["role"] == "uploader"
    finally:
        stack.configure("--tags", "identity").ok()
    assert status(log_in(stack, stack.login_of("lena")), stack, "/dicom-web/studies") == 200


def change_password(session: requests.Session, stack: Stack, old: str, new: str) -> requests.Response:
    filled = {"oldpassword": old, "newpassword": new, "confirmpassword": new}
    return session.post(f"{stack.portal}/auth/", data=filled, headers={"Accept": "application/json"}, timeout=30)


def test_a_password_of_ones_own_outlasts_a_deployment(stack: Stack, admission: Admission) -> None:
    name, old = stack.login_of("leo")
    new = "Leos neues Paßwort: ä"
    since, leo = now(), log_in(stack, (name, old))
    elsewhere = log_in(stack, (name, old))
    assert not change_password(leo, stack, "wrong", new).ok
    assert not change_password(leo, stack, old, "short").ok
    assert change_password(leo, stack, old, new).ok
    try:
        soon(lambda: status(elsewhere, stack) == 401, "a session with the old password")
        event = awaited(stack, lambda event: event["action"] == "password changed", since=since, account=name)
        assert (event["outcome"], bool(event["address"])) == ("success", True)
        assert admission.one("198.51.100.31", (name, old)) == "401"
        changes = stack.configure("--tags", "identity").ok().changes
        assert [change for change in changes if "identity" in change or "accounts" in change] == []
        assert admission.one("198.51.100.31", (name, new)) == "204"
        assert status(log_in(stack, (name, new)), stack) == 200
    finally:
        stack.play("reset_account", orthweb_account=name).ok()
    soon(lambda: admission.one("198.51.100.31", (name, new)) == "401", "the password that was reset")
    assert status(anonymous(stack), stack, auth=(name, old)) == 200


# --- what is away


def test_without_the_login_service_nobody_is_let_in_and_all_are_told(stack: Stack) -> None:
    rita, container = log_in(stack, stack.login_of("rita")), stack.container("identity")
    docker("stop", container)
    try:
        soon(lambda: status(rita, stack) == 503, "nobody says that it is away")
        answer = rita.get(f"{stack.portal}/auth/", timeout=30)
        assert answer.status_code == 503 and "login service" in answer.text
    finally:
        docker("start", container)
        wait_until_healthy(container)
    assert status(rita, stack) == 200, "the session outlasts it"


def test_without_the_database_nobody_is_let_in_and_nobody_is_locked(stack: Stack) -> None:
    login, container = stack.login_of("lena"), stack.container("postgresql")
    rita = log_in(stack, stack.login_of("rita"))
    docker("stop", container)
    try:
        soon(lambda: status(rita, stack) == 503, "nobody says that it is away")
        codes = {status(anonymous(stack), stack, auth=login) for _try in range(12)}
        assert codes == {503}, "not counted as wrong passwords"
    finally:
        docker("start", container)
        wait_until_healthy(container)
        wait_until_healthy(stack.container("orthanc"))
    soon(lambda: status(anonymous(stack), stack, auth=login) == 200, "it does not come back", LONGEST_WAIT)
