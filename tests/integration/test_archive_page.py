# SPDX-License-Identifier: GPL-3.0-or-later
"""The archive's own page, in a real browser: what each role sees, uploads, and whether everyone can use it."""

from __future__ import annotations

import re
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect
from pydicom import dcmread
from pydicom.uid import generate_uid

from support.accessibility import assert_usable, findings
from support.browser import Login, Visit, Visits
from support.images import associate, ct_image, fetch, is_stored
from support.rest import remove
from support.stack import Stack, docker, wait_until_healthy

# Of the page, its sections by role.
SECTIONS = {
    "admin": {"status", "upload", "content", "modalities", "shares", "accounts", "audit", "connect"},
    "rosa": {"status", "content", "shares", "connect"},
    "rita": {"status", "content", "connect"},
    "ulf": {"status", "upload", "connect"},
}
LOCALES = {
    "en-GB": ("How to connect", "There is nothing at this address."),
    "de-CH": ("Anbindung", "Unter dieser Adresse gibt es nichts."),
    "fr-FR": ("Comment se connecter", "Il n'y a rien à cette adresse."),
}


@pytest.fixture(scope="module")
def an_image(stack: Stack) -> Iterator[str]:
    """At least one is in the archive: the UID of its study."""
    image = ct_image(str(generate_uid()))
    association = associate(stack)
    assert is_stored(association, image)
    association.release()
    yield image.StudyInstanceUID
    remove(stack, image.StudyInstanceUID)


def is_ready(page: Page) -> None:
    expect(page.locator("[data-part=dicom]")).to_be_visible()


def fill(page: Page, study: str) -> None:
    """Have something in each of an admin's sections."""
    page.locator("#studies_form button").click()
    expect(page.locator("#studies tr").first).to_be_visible()
    page.fill("#share_study", study)
    page.locator("#share_form button").click()
    expect(page.locator("#share_link")).to_be_visible()
    page.locator("#audit_form button").click()
    for table in ("shares", "accounts", "sessions", "audit"):
        expect(page.locator(f"#{table} tr").first).to_be_visible()


@pytest.mark.parametrize("locale", LOCALES)
def test_everyone_can_use_it(stack: Stack, visit: Visits, an_image: str, locale: str) -> None:
    """In their language, in the dark, on a telephone, with a screen reader."""
    with visit(stack.login, locale=locale, reduced_motion="reduce") as admin:
        page = admin.page
        heading, missing = LOCALES[locale]
        for path, text in (("/archive/", heading), ("/archive/nothing", missing)):
            admin.go(path)
            expect(page.get_by_text(text, exact=True)).to_be_visible()
            expect(page.locator("html")).to_have_attribute("lang", locale if path == "/archive/" else locale[:2])
            if path == "/archive/":
                is_ready(page)
                fill(page, an_image)
            assert_usable(admin, f"archive-{locale}{path.replace('/', '-')}")


def test_axe_finds_what_is_wrong(stack: Stack, visit: Visits) -> None:
    with visit(stack.login_of("rita")) as reader:
        reader.go("/archive/")
        is_ready(reader.page)
        reader.page.evaluate("document.getElementById('language').removeAttribute('aria-label')")
        assert any(found.startswith("select-name") for found in findings(reader.page))


def test_language_and_colours_are_remembered(stack: Stack, visit: Visits) -> None:
    with visit(stack.login_of("rita"), locale="it-IT", color_scheme="light") as reader:
        page = reader.page
        reader.go("/archive/")
        expect(page.locator("#status_title")).to_have_text("Status")
        page.select_option("#language", "fr")
        expect(page.locator("#status_title")).to_have_text("État")
        page.select_option("#theme", "dark")
        expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")
        page.reload()
        expect(page.locator("#status_title")).to_have_text("État")
        expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")
        page.select_option("#theme", "")
        expect(page.locator("html")).to_have_attribute("data-bs-theme", "light")


@pytest.mark.parametrize("account", SECTIONS)
def test_a_role_sees_what_it_may_do(stack: Stack, visit: Visits, an_image: str, account: str) -> None:
    with visit(stack.login_of(account), locale="en-GB") as somebody:
        page = somebody.page
        somebody.go("/archive/")
        is_ready(page)
        expect(page.locator("#account")).to_have_text(account)
        expect(page.locator("#aet")).to_have_text("ORTHANC")
        expect(page.locator("#listeners")).to_contain_text(f"{stack.dicom_port}: TLS, with a client certificate.")
        expect(page.locator("#login")).to_have_text("Answers.")
        expect(page.locator("#certificate")).to_contain_text("more days")
        expect(page.locator("#dicom")).to_have_text("Takes associations.")
        expect(page.get_by_text(re.compile(r"^([0-9A-F]{2}:){31}[0-9A-F]{2}$"))).to_be_visible()
        if account != "ulf":
            expect(page.locator("#storage")).to_have_text("An image could be read.")
            assert page.locator("#counts dd").nth(3).inner_text() != "0"
            expect(page.locator("#counts dd")).to_have_count(5)
        shown = page.locator("section:visible").evaluate_all(
            "all => all.map((one) => one.getAttribute('aria-labelledby'))"
        )
        assert {title.removesuffix("_title") for title in shown} == SECTIONS[account]
        links = page.get_by_role("link").all_inner_texts()
        assert ("Studies in the viewer" in links) is (account != "ulf")
        assert not [said for said in somebody.heard if "403" in said], "it asked for what it may not have"


def test_it_says_that_orthanc_is_down(stack: Stack, visit: Visits) -> None:
    """Without the database, nobody is let in: test_login.py."""
    container = stack.container("orthanc")
    signs = {"login": "good", "orthanc": "bad", "dicom": "bad", "database": "unknown", "storage": "unknown"}
    with visit(stack.login, locale="en-GB") as admin:
        docker("stop", container)
        try:
            admin.go("/archive/")
            for part, sign in signs.items():
                expect(admin.page.locator(f"[data-part={part}]")).to_have_attribute("data-sign", sign)
            admin.photograph("archive-without-orthanc")
        finally:
            docker("start", container)
            wait_until_healthy(container)
        admin.page.get_by_role("button", name="Check again").click()
        for part in signs:
            expect(admin.page.locator(f"[data-part={part}]")).to_have_attribute("data-sign", "good")


def test_it_shows_who_has_called_lately(stack: Stack, visit: Visits) -> None:
    associate(stack).release()
    with visit(stack.login, locale="en-GB") as admin:
        admin.go("/archive/")
        row = admin.page.locator("#associations tr").first
        expect(row).to_contain_text("WORKSTATION")
        expect(row).to_contain_text(f"{stack.dicom_port}")
        expect(row).to_contain_text("accepted")
        workstation = admin.page.locator("#modalities tr").filter(has_text="WORKSTATION")
        expect(workstation.locator("td").last).to_contain_text(time.strftime("%Y"))


def test_the_sheet_of_a_modality_fits_on_a_page(stack: Stack, visit: Visits) -> None:
    with visit(stack.login, locale="de-DE", color_scheme="dark") as admin:
        page = admin.page
        admin.go("/archive/")
        is_ready(page)
        page.select_option("#for", "workstation")
        expect(page.locator("#sheet")).to_contain_text("client-workstation.p12")
        assert len(re.findall(rb"/Type\s*/Page\b(?!s)", page.pdf(prefer_css_page_size=True))) == 1
        page.emulate_media(media="print")
        expect(page.locator("html")).to_have_attribute("data-bs-theme", "light")
        expect(page.locator("#sheet")).to_be_visible()
        for element in ("header", "#parts", "#drop", "#modalities", "#print"):
            expect(page.locator(element)).to_be_hidden()


# --- uploading


@pytest.fixture
def images(stack: Stack, tmp_path: Path) -> Iterator[Callable[[int], list[Path]]]:
    """DICOM files of one study; it is removed at the end."""
    study = str(generate_uid())

    def make(count: int) -> list[Path]:
        files = []
        for number in range(count):
            image = ct_image(study)
            files.append(tmp_path / f"image-{number}.dcm")
            image.save_as(files[-1], enforce_file_format=True)
        return files

    yield make
    remove(stack, study)


def upload(somebody: Visit, files: list[Path], by: str = "#files") -> Page:
    somebody.go("/archive/")
    is_ready(somebody.page)
    somebody.page.set_input_files(by, files if by == "#files" else files[0])
    return somebody.page


@pytest.fixture
def ulf(stack: Stack) -> Login:
    return stack.login_of("ulf")


def test_what_is_uploaded_is_stored_and_what_is_not_is_said(
    stack: Stack, visit: Visits, ulf: Login, images: Callable[[int], list[Path]], tmp_path: Path
) -> None:
    files = images(2)
    (tmp_path / "letter.txt").write_text("No image at all.")
    (tmp_path / "nothing.dcm").touch()
    with zipfile.ZipFile(tmp_path / "both.zip", "w") as archive:
        for file in files:
            archive.write(file, file.name)
    with visit(ulf, locale="en-GB") as uploader:
        page = upload(uploader, [files[0], tmp_path / "letter.txt", tmp_path / "nothing.dcm"])
        expect(page.locator("#result")).to_have_text("1 image is in the archive.")
        failures = page.locator("#failures > li")
        expect(failures).to_contain_text(["1 file is not a DICOM file.", "1 file is empty."])
        failures.first.get_by_text("Which file").click()
        expect(page.get_by_text("letter.txt")).to_be_visible()
        uploader.photograph("archive-upload")
        assert findings(page) == []

        sent = dcmread(files[0])
        assert fetch(stack, sent.SOPInstanceUID).PixelData == sent.PixelData

        page.get_by_role("button", name="Clear the list").click()
        expect(failures).to_have_count(0)
        page.set_input_files("#files", [tmp_path / "both.zip"])
        expect(page.locator("#result")).to_have_text("2 images are in the archive.")
        page.get_by_role("button", name="Clear the list").click()
        page.set_input_files("#files", files)
        expect(page.locator("#result")).to_have_text("2 images are in the archive. 2 files were already there.")


def test_a_folder_is_uploaded_without_what_is_no_image(
    visit: Visits, ulf: Login, images: Callable[[int], list[Path]], tmp_path: Path
) -> None:
    folder = tmp_path / "CD" / "IMAGES"
    folder.mkdir(parents=True)
    for file in images(2):
        file.rename(folder / file.name)
    (tmp_path / "CD" / "DICOMDIR").write_bytes(b"a list of them")
    (folder / ".DS_Store").write_bytes(b"of a Mac")
    with visit(ulf, locale="en-GB") as uploader:
        page = upload(uploader, [tmp_path / "CD"], by="#folder")
        expect(page.locator("#result")).to_have_text("2 images are in the archive.")
        expect(page.locator("#failures > li")).to_have_count(0)


DROP = """([id, name, text]) => {
    const transfer = new DataTransfer()
    transfer.items.add(new File([text], name))
    const drop = { dataTransfer: transfer, bubbles: true, cancelable: true }
    document.getElementById(id).dispatchEvent(new DragEvent('drop', drop))
}"""


def test_what_is_dropped_is_uploaded(visit: Visits, ulf: Login) -> None:
    with visit(ulf, locale="en-GB") as uploader:
        uploader.go("/archive/")
        is_ready(uploader.page)
        uploader.page.evaluate(DROP, ["drop", "dropped.txt", "No image."])
        expect(uploader.page.locator("#failures > li")).to_contain_text("1 file is not a DICOM file.")


ANSWERS = {
    "away": lambda route: route.abort(),
    "large": lambda route: route.fulfill(status=413),
    "full": lambda route: route.fulfill(status=507, json={"OrthancStatus": 24}),
    "locked": lambda route: route.fulfill(status=429),
    "role": lambda route: route.fulfill(status=403),
    "refused": lambda route: route.fulfill(status=500, json={"OrthancStatus": 1}),
}


def test_what_has_failed_is_tried_again(visit: Visits, ulf: Login, images: Callable[[int], list[Path]]) -> None:
    """In every way that a request can fail, and after the session has ended."""
    with visit(ulf, locale="en-GB") as uploader:
        page = uploader.page
        page.route("**/orthanc/instances", ANSWERS["away"])
        upload(uploader, images(5))
        failure = page.locator("#failures > li")
        for problem, answer in ANSWERS.items():
            page.route("**/orthanc/instances", answer)  # the newest counts
            page.locator("#retry").click()
            expect(failure).to_have_attribute("data-problem", problem)
            expect(failure).to_contain_text("5 files")

        # Requests that the page gave up may still be on their way: without the session, Orthanc stores none of them.
        session = uploader.context.cookies()
        uploader.context.clear_cookies()
        page.unroute("**/orthanc/instances")
        page.locator("#retry").click()
        expect(failure).to_contain_text("Your session has ended")
        with uploader.context.expect_page() as login:
            page.get_by_role("link", name="Log in again in a new tab").click()
        expect(login.value.locator("input[name=password]:visible")).to_be_visible()
        uploader.context.add_cookies(session)
        page.locator("#retry").click()
        expect(page.locator("#result")).to_have_text("5 images are in the archive.")
        expect(failure).to_have_count(0)


def test_an_upload_can_be_cancelled(visit: Visits, ulf: Login, images: Callable[[int], list[Path]]) -> None:
    held: list[Route] = []
    with visit(ulf, locale="en-GB") as uploader:
        page = uploader.page

        def hold(route: Route) -> None:  # a built-in one cannot be called back
            held.append(route)

        page.route("**/orthanc/instances", hold)
        upload(uploader, images(5))
        expect(page.locator("#overall_text")).to_contain_text("0 of 5 files")
        expect(page.locator("#sending li")).to_have_count(3)
        uploader.photograph("archive-uploading")
        assert findings(page) == []
        page.get_by_role("button", name="Cancel").click()
        expect(page.locator("#result")).to_contain_text("5 files were not sent, as you cancelled.")
        page.unroute("**/orthanc/instances")
        page.locator("#retry").click()
        expect(page.locator("#result")).to_have_text("5 images are in the archive.")
