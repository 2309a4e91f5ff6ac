# SPDX-License-Identifier: GPL-3.0-or-later
"""What admins and radiologists do on the archive's own page, in a real browser: share links."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect
from pydicom.uid import generate_uid

from support.browser import Visit, Visits
from support.images import ct_image, encoded
from support.login import anonymous
from support.rest import remove, rest
from support.stack import Stack

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
