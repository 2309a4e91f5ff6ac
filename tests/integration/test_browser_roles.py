# SPDX-License-Identifier: GPL-3.0-or-later
"""What a role may not do is not shown to it: the portal in Chromium."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest
from playwright.sync_api import expect

from support.browser import Visit, Visits
from support.browser_images import Study, slices, study_of
from support.rest import orthanc_path, rest
from support.stack import Stack

EXPLORER = "/orthanc/app/explorer.html"


@pytest.fixture(scope="module")
def study(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Study]:
    with study_of(stack, "ROLES", partial(slices, count=3), tmp_path_factory.mktemp("roles")) as one:
        yield one


def measure(somebody: Visit, study: Study) -> None:
    """Draw a line on the image, and have it tracked."""
    page = somebody.page
    somebody.go(f"/viewer?StudyInstanceUIDs={study.uid}")
    somebody.wait_for_image()
    page.locator("[data-cy=MeasurementTools-split-button-primary]").click()
    somebody.drag_over_canvas(60, 40)
    page.get_by_role("button", name="Yes", exact=True).click()
    page.locator("[data-cy='trackedMeasurements-btn']").click()
    expect(page.get_by_role("button", name="CSV", exact=True)).to_be_visible()


@pytest.mark.parametrize("account", ["admin", "rita"])
def test_orthanc_explorer_shows_admins_only_what_they_may_do(
    stack: Stack, visit: Visits, study: Study, account: str
) -> None:
    with visit(stack.login if account == "admin" else stack.login_of(account)) as somebody:
        page, shown = somebody.page, account == "admin"
        page_of_study = orthanc_path(stack, study.uid).removeprefix("/studies/")
        somebody.go(f"{EXPLORER}#study?uuid={page_of_study}")
        expect(page.locator("#study-ohif")).to_be_visible()
        expect(page.locator("#study-archive")).to_be_visible()
        for name in ("study-delete", "study-anonymize", "study-store"):
            expect(page.locator(f"#{name}")).to_be_visible(visible=shown)
        for name in ("upload", "query-retrieve"):
            expect(page.locator(f"#study a[href='#{name}']")).to_be_visible(visible=shown)
        somebody.photograph(f"explorer-{account}")


def test_a_reader_measures_and_is_offered_no_way_to_save(stack: Stack, visit: Visits, study: Study) -> None:
    with visit(stack.login_of("rita")) as reader:
        measure(reader, study)
        expect(reader.page.get_by_role("button", name="Create SR")).to_be_hidden()
        reader.photograph("measured-reader")


def test_a_radiologist_saves_measurements(stack: Stack, visit: Visits, study: Study) -> None:
    with visit(stack.login_of("rosa")) as radiologist:
        page = radiologist.page
        measure(radiologist, study)
        page.get_by_role("button", name="Create SR").click()
        page.get_by_role("button", name="Save", exact=True).click()
        expect(page.get_by_text("Measurements saved successfully")).to_be_visible()
        radiologist.photograph("measured-radiologist")
    series = rest(stack).get(f"{stack.portal}/dicom-web/studies/{study.uid}/series?Modality=SR", timeout=30)
    assert len(series.json()) == 1
