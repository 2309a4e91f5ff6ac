# SPDX-License-Identifier: GPL-3.0-or-later
"""Second factors in a browser: enrolled by the person, needed from then on, and reset by an admin."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import struct
import time
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect

from support.admission import Admission
from support.audit import awaited, now
from support.browser import Visit, Visits
from support.login import anonymous, status, submit
from support.stack import Stack, docker

ACCOUNT = "ulf"


def totp(secret: str, at: float) -> str:
    """RFC 6238, as an app on a telephone does it."""
    key = base64.b32decode(secret.replace(" ", "").upper())
    digest = hmac.new(key, struct.pack(">Q", int(at) // 30), hashlib.sha1).digest()
    begin = digest[-1] & 15
    return f"{(struct.unpack('>I', digest[begin : begin + 4])[0] & 0x7FFFFFFF) % 10**6:06}"


def test_the_app_of_this_test_is_one() -> None:
    """RFC 6238, appendix B."""
    assert totp(base64.b32encode(b"12345678901234567890").decode(), 1111111109) == "081804"


@pytest.fixture(scope="module", autouse=True)
def needed_by_uploaders(stack: Stack) -> Iterator[None]:
    stack.configure("--tags", "identity", orthweb_second_factor_roles=["uploader"]).ok()
    yield
    stack.configure("--tags", "identity").ok()
    stack.play("reset_account", orthweb_account=ACCOUNT).ok()


def begin(somebody: Visit, stack: Stack) -> Page:
    somebody.go("/archive/")
    somebody.log_in(stack.login_of(ACCOUNT))
    return somebody.page


def enrol_app(page: Page) -> str:
    """Scan what the page shows, and type what the app says."""
    page.locator("a[href='/auth/2fregisters/totp']").first.click()
    shown = page.get_by_text(re.compile(r"^([A-Z2-7]{4} ?){8}$"))
    expect(shown).to_be_visible()
    secret = shown.inner_text()
    page.locator("input[name=TOTPName], #TOTPName").fill("telephone")
    page.locator("#code").fill(totp(secret, time.time()))
    page.get_by_text("Register", exact=True).click()
    return secret


def type_code(page: Page, code: str) -> None:
    page.locator("input[name=code]").fill(code)
    page.locator("button[type=submit]:visible").click()


def is_let_in(page: Page, stack: Stack) -> None:
    expect(page).to_have_url(f"{stack.portal}/archive/")
    expect(page.locator("#account")).to_have_text(ACCOUNT)


def enrolled_without_the_factor(stack: Stack) -> bool:
    """Whether somebody who has the password alone can add an app of theirs.

    The page that asks for the code has a token. It is sent as that of somebody who must enrol a first factor.
    """
    thief = anonymous(stack)
    page = submit(thief, stack, stack.login_of(ACCOUNT)).text
    [token, *_others] = re.findall(r'token"(?: value=|:)"([0-9a-f]{64})"', page) or [f"none in {page}"]
    assert len(token) == 64, token
    thief.cookies.clear()
    thief.cookies.set(f"{stack.cookie}pdata", quote(json.dumps({"sfRegToken": token})))
    enrolment, asked = f"{stack.portal}/auth/2fregisters/totp", {"X-CSRF-Check": "1", "Accept": "application/json"}
    shown = thief.post(f"{enrolment}/getkey", headers=asked, timeout=30).json()
    if "secret" not in shown:
        return False
    filled = {"token": shown["token"], "code": totp(shown["secret"], time.time()), "TOTPName": "thief"}
    answer = thief.post(f"{enrolment}/verify", data=filled, headers=asked, timeout=30)
    return bool(answer.json().get("result"))


def failures(stack: Stack) -> int:
    """What is counted for the account."""
    asked = (
        "SELECT coalesce(jsonb_array_length(a_session #> '{_loginHistory,failedLogin}'), 0) FROM identity.psessions "
        f"WHERE a_session ->> '_session_uid' = '{ACCOUNT}'"
    )
    psql = ["psql", "--username=postgres", "--no-align", "--tuples-only", "--command", asked, "orthanc"]
    return int(docker("exec", stack.container("postgresql"), *psql))


def is_written(stack: Stack, action: str, since: str, outcome: str = "success") -> None:
    """In the audit trail, with the account and where the person was."""
    event = awaited(stack, lambda event: event["action"] == action, since=since, account=ACCOUNT)
    assert (event["outcome"], event["door"], bool(event["address"])) == (outcome, "login", True)


def test_an_app_is_enrolled_and_then_needed(stack: Stack, visit: Visits, admission: Admission) -> None:
    since = now()
    with visit(None) as somebody:
        page = begin(somebody, stack)
        expect(page.get_by_text("requires a double factor")).to_be_visible()
        secret = enrol_app(page)
        is_let_in(page, stack)
    is_written(stack, "second factor added", since)
    with visit(None) as somebody:
        page = begin(somebody, stack)
        type_code(page, "000000")
        expect(page.get_by_text("Wrong credentials").or_(page.get_by_text("code"))).to_be_visible()
        somebody.photograph("second-factor-wrong")
        assert failures(stack) == 1, "for the account, like a wrong password"
        is_written(stack, "second factor", since, "failure")
        assert status(anonymous(stack), stack) == 401
        assert not enrolled_without_the_factor(stack)
        page = begin(somebody, stack)
        type_code(page, totp(secret, time.time() + 30))  # not the one that was used
        is_let_in(page, stack)
    assert admission.one("198.51.100.40", stack.login_of(ACCOUNT)) == "401", "a program has no second factor"


def test_an_admin_resets_it_and_a_key_is_enrolled(stack: Stack, visit: Visits) -> None:
    stack.play("reset_account", orthweb_account=ACCOUNT).ok()
    with visit(None) as somebody:
        key = somebody.context.new_cdp_session(somebody.page)
        key.send("WebAuthn.enable")
        kind = {"protocol": "ctap2", "transport": "usb", "hasUserVerification": True, "isUserVerified": True}
        key.send("WebAuthn.addVirtualAuthenticator", {"options": {**kind, "automaticPresenceSimulation": True}})
        page = begin(somebody, stack)
        page.locator("a[href='/auth/2fregisters/webauthn']").first.click()
        somebody.photograph("second-factor-key")
        page.get_by_text("Retry").click()
        is_let_in(page, stack)
        somebody.go("/auth/?logout=1")
        page = begin(somebody, stack)
        is_let_in(page, stack)
        since = now()
        somebody.go("/auth/2fregisters")
        page.locator("[data-target='#remove2fModal']").click()
        page.locator("#remove2fModal .remove2f").click()
        is_written(stack, "second factor removed", since)


def test_an_account_that_does_not_exist_is_not_reset(stack: Stack) -> None:
    run = stack.play("reset_account", orthweb_account="nobody")
    assert run.code != 0 and 'There is no account "nobody"' in run.output
