# SPDX-License-Identifier: GPL-3.0-or-later
"""The portal in Chromium: what a person sees and clicks.

``ORTHWEB_SCREENSHOTS`` names a folder to keep the pictures in.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image, ImageChops
from playwright.sync_api import Browser, Playwright, expect
from playwright.sync_api import Error as BrowserError
from pydicom import dcmread
from pydicom.filebase import DicomBytesIO
from pydicom.uid import generate_uid

from support.browser import Visit, Visits, chromium, home
from support.browser_images import (
    Study,
    grey_of,
    one_of_each,
    slices,
    study_of,
    value_of,
)
from support.browser_kinds import KINDS, NAMES, odd_studies, store, study_of_kind
from support.browser_kinds import SLICES as PHANTOM_SLICES
from support.places import Place
from support.rest import orthanc_path, remove
from support.stack import Stack

SLICES = 500
MULTI_FRAMES = 30
EXPLORER = "/orthanc/app/explorer.html"
PAGES = {"studies": "study", "series": "series", "instances": "instance"}


@pytest.fixture(scope="module")
def kinds(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Study]:
    with study_of(stack, "KINDS", one_of_each, tmp_path_factory.mktemp("kinds")) as study:
        yield study


@pytest.fixture(scope="module")
def series(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Study]:
    with study_of(stack, "SLICES", partial(slices, count=SLICES), tmp_path_factory.mktemp("slices")) as study:
        yield study


# --- coming in


def test_the_certificate_is_trusted_once_the_ca_is(
    stack: Stack, playwright: Playwright, workplace: Place, browser: Browser, tmp_path: Path
) -> None:
    with chromium(playwright, workplace, home(tmp_path / "stranger")) as stranger:
        page = stranger.new_page()
        with pytest.raises(BrowserError, match="ERR_CERT_AUTHORITY_INVALID"):
            page.goto(stack.portal)
    page = browser.new_page()
    page.goto(stack.portal)
    assert page.url.startswith(f"{stack.portal}/auth/?url=")
    page.close()


def test_who_is_let_in(stack: Stack, visit: Visits) -> None:
    name, password = stack.login
    with visit(None) as somebody:
        page = somebody.page
        somebody.go("/archive/")
        somebody.log_in((name, f"{password}x"))
        expect(page.get_by_text("Wrong credentials")).to_be_visible()
        somebody.photograph("wrong-password")
        somebody.log_in((name, password))
        expect(page).to_have_url(f"{stack.portal}/archive/")
        expect(page.locator("#account")).to_have_text(name)
        page.get_by_role("link", name="Log out").click()
        expect(page).to_have_url(re.compile(r"/auth/\?logout=1"))
        expect(page.get_by_text("You have been disconnected")).to_be_visible()
        somebody.photograph("logged-out")
        somebody.go("/archive/")
        expect(page.locator("input[name=password]:visible")).to_be_visible()


def test_a_violation_of_the_policy_is_seen(stack: Stack, visit: Visits) -> None:
    """What the others say about it is worth something."""
    with visit(stack.login) as admin:
        admin.go("/archive/")
        admin.page.evaluate("document.body.setAttribute('onclick', 'document.title = 1')")
        admin.page.click("body")
        assert any("script-src" in said for said in admin.violations)
        admin.heard.clear()


# --- finding a study


@pytest.fixture(scope="module")
def odd(stack: Stack) -> Iterator[str]:
    """Studies that are unusual: what the IDs of their patients begin with."""
    number = str(generate_uid())[-8:]
    images = odd_studies(number)
    try:
        for image in images.values():
            store(stack, image)
        yield f"ODD-{number}"
    finally:
        for image in images.values():
            remove(stack, image.StudyInstanceUID)


def odd_ones_listed(reader: Visit, odd: str) -> set[str]:
    rows = reader.page.get_by_role("row").all_inner_texts()
    return {found[1] for row in rows if (found := re.search(rf"{odd}-(\S+)", row))}


def test_the_study_list_has_every_study(visit: Visits, stack: Stack, odd: str) -> None:
    """One without Modality (0008,0060) once emptied the whole list, for all."""
    with visit(stack.login_of("rita")) as reader:
        reader.open_study_list()
        reader.search_for(patient_id=odd)
        reader.see("all of them", lambda: len(odd_ones_listed(reader, odd)) == len(NAMES) + 2)
        shown = reader.page.inner_text("body")
        for name in ("Müller, Anna Karin", "Żółć, Łukasz", "Yamada, Tarou", "Hong, Gildong", "王, 小东"):
            assert name in shown
        reader.photograph("study-list-odd")


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ({"patient": "Müller"}, {"umlaut"}),
        ({"patient": "müller"}, {"umlaut"}),
        ({"patient": "Müller, Anna Karin"}, {"umlaut"}),  # as the list shows it
        ({"patient": "Müller Anna"}, {"umlaut"}),
        ({"patient": "Müller^Anna Karin"}, {"umlaut"}),  # as DICOM writes it
        ({"patient": "Mül*Karin"}, {"umlaut"}),
        ({"patient": "Müller^Berta"}, set()),
        ({"patient": "Żółć"}, {"utf-8"}),
        ({"patient": "王"}, {"chinese"}),
        ({"patient": "山田"}, {"japanese"}),
        ({"patient_id": "*-umlaut", "patient": "Müller"}, {"umlaut"}),
        ({"description": "Odd no"}, {"no-modality", "no-date"}),
        ({"dates": ("2026-01-02", "2026-01-02")}, {*NAMES, "no-modality"}),
        ({"dates": ("2026-01-03", "2026-01-04")}, set()),
        ({"modality": "CT"}, {*NAMES, "no-date"}),
    ],
    ids=lambda value: str(sorted(value) if isinstance(value, set) else value),
)
def test_what_is_typed_into_the_study_list_is_found(
    visit: Visits, stack: Stack, odd: str, typed: dict, expected: set[str]
) -> None:
    with visit(stack.login_of("rita")) as reader:
        reader.open_study_list()
        reader.search_for(**{"patient_id": odd, **typed})
        reader.see(f"{expected} alone", lambda: odd_ones_listed(reader, odd) == expected)
        reader.photograph(f"search-{'-'.join(typed)}")


# --- looking at images


@pytest.fixture
def kind_of_study(stack: Stack, request: pytest.FixtureRequest) -> Iterator[str]:
    """A study of this kind: its UID."""
    uid = str(generate_uid())
    try:
        for instance in study_of_kind(request.param, uid, f"KIND-{uid[-8:]}", "Kind^Of Study"):
            store(stack, instance)
        yield uid
    finally:
        remove(stack, uid)


def open_derived(reader: Visit) -> None:
    """What was drawn over the images: the entry in the list of series that is without a picture."""
    reader.wait_for_image()
    reader.photograph("before-derived")
    reader.page.locator("[data-cy=study-browser-thumbnail-no-image]").dblclick()
    reader.page.get_by_role("button", name="Yes").click()


def check_images(reader: Visit, count: int) -> None:
    reader.see(f"one of {count}", lambda: reader.position[1] == count)
    first = reader.wait_for_image()
    if count > 1:
        reader.turn_wheel(100)
        reader.see("another one of them", lambda: reader.position[0] != 1 or reader.pixels[1] != first)


def check_cine(reader: Visit) -> None:
    check_images(reader, MULTI_FRAMES)
    reader.page.locator("[data-cy=cine-player-play-pause]").click()
    seen: set[int] = set()
    reader.see("frames that follow each other", lambda: seen.add(reader.position[0]) or len(seen) > 3)


def check_structures(reader: Visit) -> None:
    open_derived(reader)

    def outline_is_red() -> bool:
        red, green, _blue = Image.open(BytesIO(reader.canvas.screenshot())).convert("RGB").split()
        return sum(ImageChops.subtract(red, green).histogram()[80:]) > 200

    reader.see("the outline in its colour", outline_is_red)


def check_segmentation(reader: Visit) -> None:
    open_derived(reader)

    def is_coloured() -> bool:
        red, green, blue = reader.grey(0.5, 0.5)
        return red > green + 20 and red > blue + 20

    reader.see("the segment in its colour", is_coloured)


def check_document(reader: Visit) -> None:
    expect(reader.page.locator("object[type='application/pdf']")).to_have_attribute("data", re.compile("^blob:"))

    def page_is_shown() -> bool:
        picture = reader.page.locator("object").screenshot()
        colours = Image.open(BytesIO(picture)).convert("L").histogram()
        return colours[255] > 0.3 * sum(colours) and sum(colours[:32]) > 500

    reader.see("a white page with black letters", page_is_shown)


def check_report(reader: Visit) -> None:
    expect(reader.page.get_by_text("A mass of 3 cm was detected.")).to_be_visible()


def check_ecg(reader: Visit) -> None:
    reader.see("the leads", lambda: reader.pixels[0] > 50)


def check_video(reader: Visit) -> None:
    def bar_is_at(right: float) -> bool:
        red, green, blue = reader.grey(right, 0.5)
        return red > 200 and green > 200 and blue < 80

    reader.see("the first frame", lambda: bar_is_at(0.02) and not bar_is_at(0.5))
    reader.page.locator("[data-cy=cine-player-play-pause]").click()
    reader.see("the bar half way", lambda: bar_is_at(0.5))


def check_old_video(reader: Visit) -> None:
    expect(reader.page.get_by_text("It is MPEG-2, which browsers do not play.")).to_be_visible()


CHECKS: dict[str, Callable[[Visit], None]] = {
    "ct": partial(check_images, count=PHANTOM_SLICES),
    "mr": partial(check_images, count=1),
    "us-cine": check_cine,
    "multi-frame": partial(check_images, count=10),
    "rtstruct": check_structures,
    "seg": check_segmentation,
    "pdf": check_document,
    "sr": check_report,
    "ecg": check_ecg,
    "video": check_video,
    "video-mpeg2": check_old_video,
}


@pytest.mark.parametrize(
    ("kind_of_study", "kind"), [(kind, kind) for kind in KINDS], indirect=["kind_of_study"], ids=[*KINDS]
)
def test_each_kind_is_shown_within_the_policy(visit: Visits, stack: Stack, kind_of_study: str, kind: str) -> None:
    with visit(stack.login_of("rita")) as reader:
        reader.go(f"/viewer?StudyInstanceUIDs={kind_of_study}")
        CHECKS[kind](reader)
        reader.photograph(f"kind-{kind}")


def test_from_the_study_list_to_each_kind_of_image(stack: Stack, visit: Visits, kinds: Study) -> None:
    with visit(stack.login_of("rita")) as reader:
        page = reader.page
        reader.go("/")
        row = page.get_by_role("row").filter(has_text=kinds.patient_in_ohif)
        try:
            expect(row).to_be_visible(timeout=30_000)
        except (
            AssertionError
        ):  # twice of some hundred times OHIF has stayed black and asked for nothing, nobody knows why
            reader.photograph("black")
            page.reload()
        expect(row).to_contain_text("Acceptance test")
        expect(row).to_contain_text(re.compile(r"CT\\MR\\US"))
        reader.photograph("study-list")
        row.click()
        page.get_by_role("button", name="Basic Viewer").click()
        expect(reader.canvas).to_be_visible()
        assert page.url == f"{stack.portal}/viewer?StudyInstanceUIDs={kinds.uid}"

        shown: dict[str, int] = {}
        expect(page.locator("[data-cy=study-browser-thumbnail]")).to_have_count(len(kinds.series))
        for number, kind in enumerate(kinds.series):
            page.locator("[data-cy=study-browser-thumbnail]").nth(number).dblclick()
            count = MULTI_FRAMES if kind == "ultrasound" else 1
            reader.see(kind, lambda count=count: reader.position == (1, count))
            same = {"rle": shown.get("mr")}.get(kind)  # the same image, compressed
            others = [checksum for checksum in shown.values() if checksum != same]
            shown[kind] = reader.see(
                kind, lambda others=others: reader.wait_for_image() not in others and reader.pixels[1]
            )
            reader.photograph(f"ohif-{kind}")
            if kind == "ultrasound":
                reader.turn_wheel(100)
                reader.see("the second frame", lambda: reader.position == (2, MULTI_FRAMES))
                reader.wait_for_image(other_than=shown[kind])
        assert shown["rle"] == shown["mr"]
        assert len(set(shown.values())) == len(shown) - 1


def test_a_deep_link_asks_for_a_login_and_500_slices_follow(stack: Stack, visit: Visits, series: Study) -> None:
    link = f"/viewer?StudyInstanceUIDs={series.uid}"
    with visit(None) as reader:
        reader.go(link)
        reader.photograph("login")
        reader.log_in(stack.login_of("rita"))
        expect(reader.page).to_have_url(stack.portal + link)
        reader.wait_for_image()
        assert reader.window == (1000, 500)
        reader.photograph("slices-first")

        def wait_for_slice(number: int) -> None:
            reader.see(f"slice {number}", lambda: reader.position == (number, SLICES))
            expected = grey_of(value_of(number))
            reader.see(
                f"what slice {number} has, {expected}",
                lambda: all(abs(part - expected) <= 2 for part in reader.grey(0.6, 0.5)),
            )

        wait_for_slice(1)
        for number in range(2, 22):
            reader.turn_wheel(100)
            wait_for_slice(number)
        reader.canvas.hover()
        reader.page.keyboard.press("End")
        wait_for_slice(SLICES)
        reader.photograph("slices-last")

        before = reader.pixels[1]
        reader.drag_over_canvas(150, 60)
        reader.see("another window", lambda: reader.window not in ((1000, 500), (0, 0)))
        reader.wait_for_image(other_than=before)
        reader.photograph("slices-windowed")


def test_from_orthanc_explorer_to_ohif_by_one_click(stack: Stack, visit: Visits, kinds: Study) -> None:
    with visit(stack.login_of("rita")) as reader:
        page = reader.page
        reader.go(EXPLORER)
        page.fill("#lookup-patient-id", kinds.patient_id)
        page.click("#lookup-submit")
        page.locator("#lookup-result li a").filter(has_text="Acceptance test").click()
        expect(page.locator("#study-ohif")).to_be_visible()
        page.evaluate("Promise.allSettled(document.getAnimations().map((animation) => animation.finished))")
        reader.photograph("explorer-study")
        page.click("#study-ohif")
        expect(page).to_have_url(f"{stack.portal}/viewer?StudyInstanceUIDs={kinds.uid}")
        expect(reader.canvas).to_be_visible()
        reader.wait_for_image()
        reader.photograph("explorer-to-ohif")


# --- taking away what may be taken, and no more


def explorer_page(stack: Stack, uid: str) -> str:
    """Of a study, a series or an instance."""
    collection, found = orthanc_path(stack, uid).strip("/").split("/")
    return f"{EXPLORER}#{PAGES[collection]}?uuid={found}"


def test_a_study_is_downloaded_as_it_was_sent(stack: Stack, visit: Visits, kinds: Study, tmp_path: Path) -> None:
    with visit(stack.login_of("rita")) as reader:
        reader.go(explorer_page(stack, kinds.uid))
        with reader.page.expect_download() as download:
            reader.page.click("#study-archive")
        archive = tmp_path / "study.zip"
        download.value.save_as(archive)
    got = {}
    with zipfile.ZipFile(archive) as members:
        for name in members.namelist():
            image = dcmread(DicomBytesIO(members.read(name)))
            got[image.SOPInstanceUID] = (image.file_meta.TransferSyntaxUID, image.PixelData)
    assert got == {uid: (image.file_meta.TransferSyntaxUID, image.PixelData) for uid, image in kinds.sent.items()}


def test_an_instance_is_saved_as_a_dicom_file(stack: Stack, visit: Visits, kinds: Study, tmp_path: Path) -> None:
    uid, sent = next(iter(kinds.sent.items()))
    with visit(stack.login_of("rita")) as reader:
        reader.go(explorer_page(stack, uid))
        expect(reader.page.locator("#instance-download-dicom")).to_be_visible()
        reader.photograph("explorer-instance")
        with reader.page.expect_download() as download:
            reader.page.click("#instance-download-dicom")
        saved = tmp_path / "instance.dcm"
        download.value.save_as(saved)
    assert saved.read_bytes()[128:132] == b"DICM"  # PS3.10 §7.1
    assert dcmread(saved).PixelData == sent.PixelData


@pytest.mark.parametrize("account", ["rita", "admin"])
def test_who_may_delete_a_study(stack: Stack, visit: Visits, tmp_path: Path, account: str) -> None:
    one_slice = partial(slices, count=1)
    with study_of(stack, "DELETED", one_slice, tmp_path) as study, visit(stack.login_of(account)) as somebody:
        page = somebody.page
        somebody.go(explorer_page(stack, study.uid))
        page.locator("#study-delete").dispatch_event("click")  # which readers are not shown
        with page.expect_response(lambda answer: answer.request.method == "DELETE") as answer:
            page.locator(".ui-simpledialog-container a").filter(has_text="OK").click()
        assert answer.value.status == (200 if account == "admin" else 403)
        if account == "rita":
            page.reload()
            expect(page.locator("#study-info")).to_contain_text(study.patient_id)
            somebody.photograph("reader-may-not-delete")
        assert bool(orthanc_path(stack, study.uid)) is (account == "rita")


# --- Orthanc's other pages; the archive's own is in test_archive_page.py


@pytest.mark.parametrize("name", ["upload", "query-retrieve", "jobs", "plugins"])
def test_orthanc_explorer_works_within_its_policy(stack: Stack, visit: Visits, name: str) -> None:
    with visit(stack.login) as admin:
        admin.go(f"{EXPLORER}#{name}")
        expect(admin.page.locator(f"#{name}")).to_be_visible()
        if name == "upload":
            with admin.page.expect_file_chooser():
                admin.page.click("#fileupload-proxy")
        admin.photograph(f"explorer-{name}")


def test_orthancs_own_viewer_works_within_its_policy(stack: Stack, visit: Visits, kinds: Study) -> None:
    with visit(stack.login_of("rita")) as reader:
        reader.go(explorer_page(stack, kinds.series["ct"]))
        with reader.context.expect_page() as opened:
            reader.page.get_by_role("link", name="Orthanc Web Viewer").click()
        viewer = opened.value
        expect(viewer.locator("canvas").first).to_be_visible()
        viewer.wait_for_load_state("networkidle")
        viewer.screenshot(path=reader.screenshots / "orthancs-own-viewer.png")


def test_every_page_carries_the_archives_name_and_icon(stack: Stack, visit: Visits) -> None:
    with visit(stack.login_of("rita")) as reader:
        for path, status in {
            "/archive/nothing": 404,
            "/archive/modalities.json": 403,
            "/archive/": 200,
            "/": 200,
        }.items():
            assert reader.go(path) == status
            expect(reader.page).to_have_title(re.compile(f"^{stack.name}(: .*)?$"))
            expect(reader.page.locator("link[rel~=icon][href]")).to_have_attribute("href", "/archive/icon.svg")
            reader.photograph(f"page-{status}")
        reader.open_study_list()
        expect(reader.page.get_by_text(stack.name, exact=True)).to_be_visible()
        assert "OHIF" not in reader.page.inner_text("body")
