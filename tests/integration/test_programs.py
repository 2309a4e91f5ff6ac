# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that come with a token (RFC 6749 section 4.4), and sessions that an admin looks at and ends."""

from __future__ import annotations

import base64
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from dicomweb_client.api import DICOMwebClient

from support.admission import Admission
from support.login import UNTIL_ALL_KNOW, anonymous, log_in, soon, status
from support.stack import Stack, docker


def ask(stack: Stack, login: tuple[str, str], how: str = "header", **more: str) -> requests.Response:
    form = {"grant_type": "client_credentials", **more}
    if how == "form":
        form |= {"client_id": login[0], "client_secret": login[1]}
    basic = login if how == "header" else None
    return anonymous(stack).post(f"{stack.portal}/auth/oauth2/token", data=form, auth=basic, timeout=30)


def bearer(stack: Stack, token: str) -> requests.Session:
    session = anonymous(stack)
    session.headers["Authorization"] = f"Bearer {token}"
    return session


@pytest.fixture
def program(stack: Stack) -> tuple[str, str]:
    return stack.login_of("export")


def test_a_program_that_begins_with_many_requests_is_refused_none(stack: Stack, program: tuple[str, str]) -> None:
    """LemonLDAP::NG makes the session of a program at its first request, and names it after what was sent."""
    sent = base64.b64encode(":".join(program).encode()).decode()
    with ThreadPoolExecutor(12) as beside:
        for padding in ("=" * number for number in range(1, 9)):  # each is a program that comes for the first time
            headers = {"Authorization": f"Basic {sent}{padding}"}
            asked = [beside.submit(status, anonymous(stack), stack, headers=headers) for _number in range(12)]
            assert [each.result() for each in asked] == [200] * 12


@pytest.mark.parametrize("how", ["header", "form"])
def test_a_program_gets_a_token_and_uses_it(stack: Stack, program: tuple[str, str], how: str) -> None:
    answer = ask(stack, program, how)
    assert answer.status_code == 200 and answer.headers["Cache-Control"] == "no-store", answer.text
    got = answer.json()
    assert (got["token_type"], got["expires_in"]) == ("Bearer", 600)
    session = bearer(stack, got["access_token"])
    assert session.get(f"{stack.portal}/archive/me", timeout=30).json() == {"account": "export", "role": "reader"}
    assert status(session, stack, "/orthanc/studies") == 200
    client = DICOMwebClient(f"{stack.portal}/dicom-web", session=session)
    assert isinstance(client.search_for_studies(limit=1), list)
    assert session.post(f"{stack.portal}/orthanc/instances", data=b"x", timeout=30).status_code == 403, "its role"
    cookie = anonymous(stack)
    cookie.cookies.set(stack.cookie, got["access_token"])
    assert status(cookie, stack) == 401, "a token is no session of a browser"
    said = docker("logs", stack.container("nginx")) + docker("logs", stack.container("identity"))
    assert got["access_token"] not in said


def test_a_token_ends(stack: Stack, program: tuple[str, str]) -> None:
    """After ten minutes, of which the database is told here that they are over."""
    session = bearer(stack, ask(stack, program).json()["access_token"])
    assert status(session, stack) == 200
    over = (
        "UPDATE identity.sessions SET a_session = jsonb_set(a_session, '{_utime}', "
        "to_jsonb((a_session ->> '_utime')::bigint - 600)) WHERE a_session ->> 'access' = 'token'"
    )
    docker("exec", stack.container("postgresql"), "psql", "--username=postgres", "--command", over, "orthanc")
    soon(lambda: status(session, stack) == 401, "the token outlasts its time")
    begun = time.monotonic()
    for _again in range(12):
        assert status(session, stack) == 401
    assert time.monotonic() - begun < 5, "it counts as a wrong password, which is answered later each time"


@pytest.mark.parametrize(
    ("form", "code", "error"),
    [
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"grant_type": ""}, 400, "unsupported_grant_type"),
        ({}, 400, "unauthorized_client"),
    ],
)
def test_nobody_else_gets_one(stack: Stack, form: dict[str, str], code: int, error: str) -> None:
    answer = ask(stack, stack.login_of("rita"), **form)
    assert (answer.status_code, answer.json()["error"]) == (code, error)


def test_wrong_secrets_are_wrong_passwords(stack: Stack, admission: Admission, program: tuple[str, str]) -> None:
    """Which is not looked at while the account has a session: it is ended first."""
    name, secret = program
    log_in(stack, stack.login).delete(f"{stack.portal}/archive/sessions", json={"account": name}, timeout=30)
    time.sleep(UNTIL_ALL_KNOW)
    assert ask(stack, (name, "guess")).json() == {"error": "invalid_client"}
    assert ask(stack, (name, "guess"), "form").status_code == 401
    assert admission.ask((f"198.51.100.{n}", (name, f"guess {n}")) for n in range(60, 69)) == ["401"] * 9
    assert ask(stack, (name, secret)).status_code == 401, "the account is locked"
    stack.play("reset_account", orthweb_account=name).ok()
    soon(lambda: ask(stack, (name, secret)).status_code == 200, "it stays locked")


# --- sessions


def test_an_admin_lists_and_ends_sessions(stack: Stack, program: tuple[str, str]) -> None:
    admin, rita = log_in(stack, stack.login), log_in(stack, stack.login_of("rita"))
    lena, lena_elsewhere = log_in(stack, stack.login_of("lena")), log_in(stack, stack.login_of("lena"))
    token = bearer(stack, ask(stack, program).json()["access_token"])
    address = f"{stack.portal}/archive/sessions"
    for path in ("sessions", "shares"):
        assert status(rita, stack, f"/archive/{path}") == 403
        assert rita.get(f"{stack.orthanc}/archive/{path}", timeout=30).status_code == 404, "Orthanc's own port"
    assert rita.delete(address, json={"account": "lena"}, timeout=30).status_code == 403
    listed = admin.get(address, timeout=30).json()
    kinds = {(one["account"], one["role"], one["kind"]) for one in listed}
    assert {("rita", "reader", "login"), ("lena", "reader", "login"), ("export", "reader", "token")} <= kinds
    assert all(set(one) == {"id", "account", "role", "kind", "address", "began", "seen"} for one in listed)
    for one in listed:  # what is shown is no key
        assert status(anonymous(stack), stack, headers={"Cookie": f"{stack.cookie}={one['id']}"}) == 401
    foreign = {"Origin": "https://elsewhere.example", "Sec-Fetch-Site": "cross-site"}
    assert admin.delete(address, json={"account": "lena"}, headers=foreign, timeout=30).status_code == 403
    assert admin.delete(address, json={}, timeout=30).status_code == 400
    assert status(lena, stack) == 200
    assert admin.delete(address, json={"account": "lena"}, timeout=30).json()["ended"] >= 2
    soon(lambda: status(lena, stack) == status(lena_elsewhere, stack) == 401, "a session of lena")
    assert status(rita, stack) == 200
    [one] = [one["id"] for one in listed if one["kind"] == "token" and one["account"] == "export"][:1]
    assert admin.delete(address, json={"id": one}, timeout=30).json() == {"ended": 1}
    ended = stack.play("sessions", orthweb_end_sessions="rita").ok()
    assert ended.changed == 1
    assert "account: admin" in ended.output and "account: rita" not in ended.output
    soon(lambda: status(rita, stack) == 401, "a session of rita")
    assert status(token, stack) in (200, 401)
