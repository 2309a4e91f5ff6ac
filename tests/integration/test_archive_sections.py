# SPDX-License-Identifier: GPL-3.0-or-later
"""What admins and radiologists do on the archive's own page: share links, accounts, sessions, the audit trail."""

from __future__ import annotations

import gzip
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from playwright.sync_api import Page, Route, expect
from pydicom.uid import generate_uid

from support.browser import Visit, Visits
from support.images import ct_image, encoded
from support.login import anonymous, log_in, soon, status
from support.rest import remove, rest
from support.stack import Stack, docker

FAMILY, GIVEN = "Zürcher", "Änne"


@pytest.fixture(scope="module")
def study(stack: Stack) -> Iterator[str]:
    image = ct_image(str(generate_uid()))
    image.SpecificCharacterSet, image.PatientName = "ISO_IR 192", f"{FAMILY}^{GIVEN}"
    image.PatientID, image.StudyDate, image.StudyDescription = "ZZ-4711", "20261103", "<b>Thorax</b>"
    stored = rest(stack).post(f"{stack.portal}/orthanc/instances", data=encoded(image), timeout=30)
    assert stored.status_code == 200
    yield image.StudyInstanceUID
    remove(stack, image.StudyInstanceUID)


def opened(somebody: Visit, title: str) -> Page:
    """The page, with one of its sections on the screen."""
    somebody.go("/archive/")
    expect(somebody.page.locator(f"#{title}_title")).to_be_visible()
    return somebody.page


def status_of_link(stack: Stack, link: str) -> int:
    token = link.partition("#")[2]
    return anonymous(stack).post(f"{stack.portal}/share/open", json={"token": token}, timeout=30).status_code


def test_a_link_is_made_without_knowing_a_uid_and_revoked(stack: Stack, visit: Visits, study: str) -> None:
    """By the keyboard."""
    with visit(stack.login_of("rosa"), locale="en-GB", permissions=["clipboard-read", "clipboard-write"]) as rosa:
        page = opened(rosa, "shares")
        page.focus("#studies_name")
        page.keyboard.type(f"{FAMILY.lower()}, {GIVEN[:2]}")
        page.fill("#studies_date", "2026-11-03")
        page.keyboard.press("Enter")
        found = page.locator("#studies tr")
        expect(found).to_have_count(1)
        expect(found).to_contain_text(f"{FAMILY}, {GIVEN}")
        expect(found).to_contain_text("<b>Thorax</b>")
        found.get_by_role("button", name=f"Choose {FAMILY}, {GIVEN} 3 November 2026").press("Enter")
        expect(page.locator("#share_study")).to_have_value(study)
        expect(page.locator("#share_hours")).to_be_focused()
        page.select_option("#share_hours", "24")
        page.fill("#share_uses", "3")
        page.locator("#share_uses").press("Enter")

        expect(page.locator("#share_said")).to_contain_text("cannot be looked up again")
        link = page.locator("#share_link").input_value()
        page.get_by_role("button", name="Copy").press("Enter")
        expect(page.locator("#share_said")).to_contain_text("The link is copied.")
        assert page.evaluate("navigator.clipboard.readText()") == link
        assert status_of_link(stack, link) == 200

        page = opened(rosa, "shares")
        assert link not in page.content(), "It is shown once"
        row = page.locator("#shares tr").filter(has_text=study).first
        expect(row).to_contain_text("1 of 3")
        row.get_by_text("1 of 3").click()
        expect(row.get_by_role("listitem")).to_contain_text("opened")
        revoke = row.get_by_role("button", name=f"Revoke {study} rosa")
        revoke.press("Enter")
        page.keyboard.press("Escape")
        expect(page.locator("#confirm")).to_be_hidden()
        expect(revoke).to_be_focused()
        assert status_of_link(stack, link) == 200, "It was not confirmed"
        revoke.press("Enter")
        page.locator("#confirm").get_by_role("button", name="Revoke").press("Enter")
        expect(page.locator("#shares_said")).to_have_text("The link is revoked.")
        expect(page.locator("#shares_said")).to_be_focused()
        assert status_of_link(stack, link) == 410
        expect(page.locator("#shares tr").filter(has_text=study)).to_have_count(0)
        page.get_by_label("Show ended ones, too").check()
        expect(page.locator("#shares tr").filter(has_text=study).first).to_contain_text("Revoked")


def test_an_admin_sees_the_links_of_all(stack: Stack, visit: Visits, study: str) -> None:
    with visit(stack.login_of("rosa"), locale="en-GB") as rosa:
        page = opened(rosa, "shares")
        page.fill("#share_study", study)
        page.get_by_role("button", name="Make a link").click()
        expect(page.locator("#shares tr").filter(has_text=study)).to_have_count(1)
    with visit(stack.login, locale="en-GB") as admin:
        page = opened(admin, "shares")
        row = page.locator("#shares tr").filter(has_text=study)
        expect(row).to_contain_text("rosa")
        row.get_by_role("link", name=study).click()
        expect(page).to_have_url(f"{stack.portal}/viewer?StudyInstanceUIDs={study}")


def test_what_is_wrong_with_a_wish_is_said(stack: Stack, visit: Visits, study: str) -> None:
    with visit(stack.login_of("rosa"), locale="en-GB") as rosa:
        page = opened(rosa, "shares")
        page.fill("#share_study", "1.2.3.4.5")
        make = page.get_by_role("button", name="Make a link")
        make.click()
        expect(page.locator("#share_said")).to_have_text("The archive has no such study.")
        rosa.context.clear_cookies()
        make.click()
        expect(page.locator("#share_said")).to_contain_text("Your session has ended.")
        expect(page.locator("#share_made")).to_be_hidden()


# --- accounts and sessions


def test_accounts_and_who_is_logged_in(stack: Stack, visit: Visits) -> None:
    with visit(stack.login, locale="en-GB") as admin:
        page = opened(admin, "accounts")
        accounts = page.locator("#accounts tr")
        expect(accounts.filter(has_text="rosa").locator("td")).to_have_text(["radiologist", "person", "no", "no"])
        log_in(stack, stack.login_of("lena")), log_in(stack, stack.login_of("lena"))
        page.get_by_role("button", name="Refresh").click()
        sessions = page.locator("#sessions tr").filter(has_text="lena")
        expect(sessions.first).to_contain_text(time.strftime("%Y"))
        expect(sessions.first).to_contain_text("login")


def test_an_admin_ends_one_session_and_all_of_an_account(stack: Stack, visit: Visits) -> None:
    """By the keyboard, and only if that is confirmed."""
    with visit(stack.login, locale="en-GB") as admin:
        page = opened(admin, "accounts")
        sessions = page.locator("#sessions tr").filter(has=page.get_by_role("rowheader", name="lars", exact=True))
        expect(page.locator("#sessions tr").first).to_be_visible()
        before = sessions.count()
        somebody = [log_in(stack, stack.login_of("lars")) for _session in range(3)]
        page.get_by_role("button", name="Refresh").press("Enter")
        expect(sessions).to_have_count(before + 3)
        sessions.first.get_by_role("button", name="End lars").press("Enter")
        page.locator("#confirm").get_by_role("button", name="Cancel").press("Enter")
        expect(sessions).to_have_count(before + 3)
        sessions.first.get_by_role("button", name="End lars").press("Enter")
        expect(page.locator("#confirm")).to_contain_text("End 1 session of lars?")
        page.locator("#confirm").get_by_role("button", name="End").press("Enter")
        expect(page.locator("#sessions_said")).to_have_text("1 session has ended.")
        expect(page.locator("#sessions_said")).to_be_focused()
        expect(sessions).to_have_count(before + 2)
        sessions.first.get_by_role("button", name=f"End all {before + 2} lars").press("Enter")
        page.locator("#confirm").get_by_role("button", name="End").press("Enter")
        expect(page.locator("#sessions_said")).to_have_text(f"{before + 2} sessions have ended.")
        expect(sessions).to_have_count(0)
        for one in somebody:
            soon(lambda: status(one, stack) == 401, "an ended session")  # noqa: B023


def test_no_hash_of_a_password_leaves_the_database(stack: Stack) -> None:
    accounts = log_in(stack, stack.login).get(f"{stack.portal}/archive/accounts", timeout=30)
    assert {account["name"] for account in accounts.json()} >= {"admin", "rita", "rosa"}
    assert "$6$" not in accounts.text
    assert {frozenset(account) for account in accounts.json()} == {
        frozenset({"name", "role", "kind", "second_factor", "locked_until"})
    }
    for account in ("rita", "rosa"):
        assert status(log_in(stack, stack.login_of(account)), stack, "/archive/accounts") == 403


LOCKED = """
BEGIN;
DELETE FROM identity.psessions WHERE a_session ->> '_session_uid' = 'leo';
INSERT INTO identity.psessions VALUES ('leo', jsonb_build_object(
    '_session_uid', 'leo', '_2fDevices', '[{"type": "TOTP"}]',
    '_loginHistory', jsonb_build_object('failedLogin', (
        SELECT jsonb_agg(jsonb_build_object('_utime', extract(epoch FROM now())::bigint - %s - failure))
        FROM generate_series(0, 9) failure))));
SELECT account ->> 'second_factor', round(extract(epoch FROM (account ->> 'locked_until')::timestamptz - now()))
    FROM jsonb_array_elements(identity.list_accounts('{}') -> 'accounts') account WHERE account ->> 'name' = 'leo';
ROLLBACK;
"""


@pytest.mark.parametrize(("ago", "seconds"), [(0, "900"), (880, "20"), (895, ""), (900, "")])
def test_locks_and_second_factors(stack: Stack, ago: int, seconds: str) -> None:
    """By what LemonLDAP::NG keeps: ten wrong passwords in 15 minutes lock it for 15 minutes from the latest."""
    psql = ["psql", "--username=postgres", "--quiet", "--no-align", "--tuples-only", "--command"]
    assert docker("exec", stack.container("postgresql"), *psql, LOCKED % ago, "orthanc") == f"true|{seconds}"


# --- the audit trail


def asked_for(stack: Stack, wanted: dict[str, str]) -> requests.Response:
    return log_in(stack, stack.login).post(f"{stack.portal}/archive/audit", json=wanted, timeout=60)


def test_an_admin_asks_who_saw_a_study(stack: Stack, visit: Visits, study: str) -> None:
    looked = log_in(stack, stack.login_of("lena")).get(f"{stack.portal}/dicom-web/studies/{study}/metadata", timeout=30)
    assert looked.status_code == 200
    with visit(stack.login, locale="en-GB") as admin:
        page = opened(admin, "audit")
        expect(page.get_by_text("make audit asks all of them")).to_be_visible()
        page.fill("#audit_study", study)
        page.fill("#audit_account", "lena")
        seen = page.locator("#audit tr").filter(has_text="lena (Reader)").filter(has_text="accessed")
        for _second in range(20):  # events come into the trail once a second
            page.locator("#audit_account").press("Enter")
            expect(page.locator("#audit_said")).to_contain_text("event")
            if seen.count():
                break
            page.wait_for_timeout(500)
        expect(seen.first).to_contain_text(study)
        expect(seen.first).to_contain_text("DICOMweb")
        expect(seen.first).to_contain_text("success")
        with page.expect_download() as begun:
            page.get_by_role("button", name="Download as CSV").press("Enter")
        table = Path(begun.value.path()).read_text()
        assert begun.value.suggested_filename == "audit.csv"
        assert table.startswith("time,who,role,") and "lena,reader," in table and study in table
        assert FAMILY not in page.content() + table and "ZZ-4711" not in page.content() + table

        page.fill("#audit_account", "admin")
        question = page.locator("#audit tr").filter(has_text="audit trail read")
        for _second in range(20):
            page.locator("#audit_form button").click()
            expect(page.locator("#audit_said")).to_contain_text("event")
            if question.count():
                break
            page.wait_for_timeout(500)
        expect(question.last).to_contain_text(f"study {study}, account lena")


def test_there_are_more(stack: Stack, visit: Visits) -> None:
    asked: list[dict[str, str]] = []
    columns = {"who": "", "role": "", "address": "", "door": "login", "study": "", "outcome": "failure", "detail": ""}

    def answer(route: Route) -> None:
        asked.append(route.request.post_data_json)
        events = [{"time": f"2026-11-0{day}T12:00:00+00:00", "action": "<i>odd</i>", **columns} for day in (1, 2)]
        route.fulfill(json={"events": events, "more": len(asked) == 1})

    with visit(stack.login, locale="en-GB", timezone_id="Europe/Zurich") as admin:
        page = opened(admin, "audit")
        page.route("**/archive/audit", answer)
        page.fill("#audit_since", "2026-10-01")
        page.fill("#audit_until", "2026-11-30")
        page.get_by_role("button", name="Ask").click()
        expect(page.locator("#audit_said")).to_have_text("There are more: these are the latest 2.")
        expect(page.locator("#audit tr").first).to_contain_text("02/11/2026, 13:00:00")
        expect(page.locator("#audit tr").first).to_contain_text("<i>odd</i>")
        page.get_by_role("button", name="Earlier ones").click()
        expect(page.locator("#audit_said")).to_have_text("2 events, the latest first.")
        expect(page.locator("#audit_earlier")).to_be_hidden()
        times = [(one["since"], one["until"]) for one in asked]
        since = "2026-09-30T22:00:00"
        assert times == [(since, "2026-11-30T22:59:59"), (since, "2026-11-01T12:00:00")]
        page.unroute("**/archive/audit")
        page.route("**/archive/audit", lambda route: route.fulfill(status=422, json={}))
        page.get_by_role("button", name="Ask").click()
        expect(page.locator("#audit_said")).to_contain_text("That is too much for one question.")
        expect(page.locator("#audit_list")).to_be_hidden()


def test_only_admins_ask_and_an_odd_question_is_refused(stack: Stack) -> None:
    for account in ("rosa", "rita", "ulf"):
        refused = log_in(stack, stack.login_of(account)).post(f"{stack.portal}/archive/audit", json={}, timeout=30)
        assert refused.status_code == 403
    for odd in ({"study": "1*"}, {"since": "yesterday"}, {"more": "x"}, {"account": 5}):
        assert asked_for(stack, odd).status_code == 400
    nothing = asked_for(stack, {"study": str(generate_uid()), "since": "2000-01-01"})
    assert nothing.json() == {"events": [], "more": False}


@pytest.fixture
def busy_day(stack: Stack) -> Iterator[str]:
    """A day of last year with more than fits into the buffers on the way."""
    folder = Path(docker("volume", "inspect", "--format", "{{.Mountpoint}}", f"{stack.name}-audit"))
    day = f"{time.gmtime().tm_year - 1}-07-01"
    line = {
        "action": "accessed",
        "account": "rita",
        "path": "/dicom-web/studies/" + 64 * "1",
        "address": "192.0.2.1",
    }
    lines = ({"time": f"{day}T{n // 3600:02}:{n // 60 % 60:02}:{n % 60:02}+00:00", **line} for n in range(15000))
    file = folder / "nginx" / f"{day}.jsonl.gz"
    file.write_bytes(gzip.compress("".join(f"{json.dumps(one)}\n" for one in lines).encode()))
    os.chown(file, (folder / "nginx").stat().st_uid, -1)
    yield day
    file.unlink()


def test_a_large_answer_is_whole(stack: Stack, busy_day: str) -> None:
    answer = asked_for(stack, {"since": busy_day, "until": busy_day, "format": "csv"}).json()
    rows = answer["csv"].splitlines()
    assert (len(rows), len(answer["csv"]) > 1 << 20, answer["more"]) == (10001, True, True)
    assert rows[-1].startswith(f"{busy_day}T04:09:59") and rows[1].startswith(f"{busy_day}T01:23:20")


def test_it_answers_again_after_it_was_killed(stack: Stack) -> None:
    docker("kill", stack.container("audit"))
    assert asked_for(stack, {}).status_code == 503
    docker("start", stack.container("audit"))
    soon(lambda: asked_for(stack, {}).status_code == 200, "an answer of the audit trail")


def test_nobody_else_can_change_the_trail(stack: Stack) -> None:
    """nginx has the socket, in a volume that it cannot write to, and neither the trail nor the spools of others."""
    mounts = json.loads(docker("inspect", "--format", "{{json .Mounts}}", stack.container("nginx")))
    writable = {mount["Destination"]: mount["RW"] for mount in mounts if "audit" in mount.get("Name", "")}
    assert writable == {"/var/spool/audit": True, "/run/answers": False}
