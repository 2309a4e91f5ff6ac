# SPDX-License-Identifier: GPL-3.0-or-later
"""Links to one study, for people without an account: what they open, and what an attacker makes of them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
import requests
from playwright.sync_api import expect
from pydicom.uid import generate_uid

from support.accessibility import assert_usable
from support.browser import Visits
from support.browser_images import Study, slices, study_of
from support.images import ct_image, encoded
from support.login import anonymous, log_in, soon
from support.places import Place, place
from support.rest import orthanc_path, remove, rest
from support.stack import Stack, docker


@pytest.fixture(scope="module")
def study(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Study]:
    with study_of(stack, "SHARED", partial(slices, count=3), tmp_path_factory.mktemp("shared")) as one:
        yield one


@pytest.fixture(scope="module")
def other(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Study]:
    with study_of(stack, "OTHER", partial(slices, count=1), tmp_path_factory.mktemp("other")) as one:
        yield one


def share(stack: Stack, study: str, account: str = "rosa", **wanted: Any) -> dict[str, Any]:
    made = log_in(stack, stack.login_of(account)).post(
        f"{stack.portal}/archive/shares", json={"study": study, **wanted}, timeout=30
    )
    assert made.status_code == 201, made.text
    return made.json()


def submit(session: requests.Session, stack: Stack, link: str, **more: str) -> requests.Response:
    body = {"token": link.partition("#")[2], **more}
    return session.post(f"{stack.portal}/share/open", json=body, timeout=30)


def opened(stack: Stack, link: str, **more: str) -> requests.Session:
    session = anonymous(stack)
    answer = submit(session, stack, link, **more)
    assert answer.status_code == 200, answer.text
    return session


def code(session: requests.Session, stack: Stack, path: str, method: str = "GET", **options: Any) -> int:
    address = path if path.startswith("https:") else f"{stack.portal}{path}"
    request = session.prepare_request(requests.Request(method, address, **options))
    request.url = address  # as it is
    return session.send(request, allow_redirects=False, timeout=30, verify=stack.ca).status_code


def instances(stack: Stack, study: str) -> list[tuple[str, str]]:
    """Series and SOP Instance UIDs."""
    found = rest(stack).get(f"{stack.portal}/dicom-web/studies/{study}/instances", timeout=30).json()
    return [(one["0020000E"]["Value"][0], one["00080018"]["Value"][0]) for one in found]


@pytest.fixture
def guesser() -> Iterator[Place]:
    with place("pins", "192.0.2.44/30") as one:
        yield one


def guess(stack: Stack, guesser: Place, link: str, pin: str) -> str:
    body = json.dumps({"token": link.partition("#")[2], "pin": pin})
    to = [
        "--connect-to",
        f"::{guesser.archive}:{stack.portal_port}",
        "--cacert",
        stack.ca,
        f"{stack.portal}/share/open",
    ]
    said = ["--silent", "--output", "/dev/null", "--write-out", "%{http_code}"]
    return guesser.run(["curl", *said, "--data", body, *to]).stdout


# --- what it opens


def test_a_link_opens_the_study_in_a_browser_without_a_login(stack: Stack, visit: Visits, study: Study) -> None:
    made = share(stack, study.uid, pin="4711")
    with visit(None) as guest:
        page = guest.page
        guest.go(made["link"].removeprefix(stack.portal))
        expect(page.locator("#said")).to_have_text("This link needs a PIN.")
        assert page.url == f"{stack.portal}/share/", "the token is out of the address"
        page.fill("#pin", "1234")
        page.get_by_role("button", name="Open").click()
        expect(page.locator("#said")).to_contain_text("The PIN is wrong")
        page.fill("#pin", "4711")
        page.get_by_role("button", name="Open").click()
        expect(page).to_have_url(f"{stack.portal}/viewer?StudyInstanceUIDs={study.uid}")
        guest.wait_for_image()
        guest.see("all three images", lambda: guest.position == (1, 3))
        expect(page.get_by_text("Something went wrong")).to_have_count(0)
        guest.photograph("shared")


def test_it_opens_that_study_and_nothing_else(stack: Stack, study: Study, other: Study) -> None:
    guest = opened(stack, share(stack, study.uid)["link"])
    [(series, instance), *_more], [(foreign_series, foreign_instance)] = (
        instances(stack, study.uid),
        instances(stack, other.uid),
    )
    own = f"/dicom-web/studies/{study.uid}"
    for path in (
        "/viewer?StudyInstanceUIDs=" + study.uid,
        "/app-config.js",
        f"/dicom-web/studies?StudyInstanceUID={study.uid}&limit=101&offset=0&includefield=00081030",
        f"{own}/series",
        f"{own}/series/{series}/metadata",
        f"{own}/series/{series}/instances/{instance}",
        f"{own}/series/{series}/instances/{instance}/frames/1",
    ):
        assert code(guest, stack, path) == 200, path

    theirs = f"/dicom-web/studies/{other.uid}"
    query = "/dicom-web/studies?"
    for path in (
        theirs,
        f"{theirs}/series",
        f"{theirs}/series/{foreign_series}/instances/{foreign_instance}/frames/1",
        "/dicom-web/studies",
        "/dicom-web/series",
        "/dicom-web/instances",
        f"/dicom-web/series?StudyInstanceUID={study.uid}",
        f"{query}PatientID={study.patient_id}",
        f"{query}StudyInstanceUID={other.uid}",
        f"{query}StudyInstanceUID={study.uid}&StudyInstanceUID={other.uid}",
        f"{query}StudyInstanceUID={other.uid}&StudyInstanceUID={study.uid}",
        f"{query}StudyInstanceUID={study.uid},{other.uid}",
        f"{query}StudyInstanceUID={study.uid}%5C{other.uid}",
        f"{query}StudyInstanceUID={study.uid}*",
        f"{query}StudyInstanceUID=*",
        f"{query}%53tudyInstanceUID={other.uid}",
        f"{query}0020000D={other.uid}",
        f"/dicom-web/studies/{study.uid}/../{other.uid}/series",
        f"/dicom-web/studies/{study.uid}%2f..%2f{other.uid}/series",
        f"/dicom-web//studies/{other.uid}/series",
        f"/orthanc/dicom-web/studies/{study.uid}/series",
        f"/wado?requestType=WADO&studyUID={study.uid}&seriesUID={series}&objectUID={foreign_instance}",
        f"/wado?requestType=WADO&studyUID={study.uid}&seriesUID={series}&objectUID={instance}",
        f"/orthanc{orthanc_path(stack, study.uid)}",
        "/orthanc/studies",
        "/orthanc/system",
        "/orthanc/app/explorer.html",
        "/archive/",
        "/archive/me",
        "/archive/shares",
        "/archive/sessions",
        f"{stack.orthanc}/dicom-web/studies/{study.uid}/series",
        f"{stack.orthanc}/studies",
    ):
        assert code(guest, stack, path) in (400, 403), path
    # Its own study in front of another's series.
    for path in (
        f"{own}/series/{foreign_series}",
        f"{own}/series/{foreign_series}/metadata",
        f"{own}/series/{foreign_series}/instances",
        f"{own}/series/{foreign_series}/instances/{foreign_instance}",
        f"{own}/series/{series}/instances/{foreign_instance}",
        f"{own}/series/{series}/instances/{foreign_instance}/metadata",
        f"{own}/series/{series}/instances/{foreign_instance}/frames/1",
        f"{own}/series/{series}/instances/{foreign_instance}/rendered",
        f"{own}/series/{series}/instances/{foreign_instance}/bulk/7fe00010",
        f"{own}/series?StudyInstanceUID={other.uid}",
        f"{own}/instances?SeriesInstanceUID={foreign_series}",
    ):
        answer = guest.get(f"{stack.portal}{path}", timeout=30)
        assert answer.status_code in (400, 403, 404) or answer.content.strip() in (b"[]", b""), (
            path,
            answer.content[:300],
        )
    for method, path in (
        ("POST", "/orthanc/tools/find"),
        ("POST", "/orthanc/instances"),
        ("POST", f"{own}"),
        ("POST", "/dicom-web/studies"),
        ("DELETE", f"/orthanc{orthanc_path(stack, study.uid)}"),
        ("POST", "/archive/shares"),
        ("DELETE", "/archive/sessions"),
    ):
        assert code(guest, stack, path, method, json={}) == 403, path
    assert code(guest, stack, f"/dicom-web/studies?StudyInstanceUID={study.uid}&_method=DELETE") == 400


def test_the_session_of_a_share_is_no_login_and_a_login_no_share(stack: Stack, study: Study) -> None:
    guest = opened(stack, share(stack, study.uid)["link"])
    [(name, value)] = guest.cookies.items()
    assert name.startswith(f"__Host-{stack.name}-share-")
    login = next(iter(log_in(stack, stack.login_of("rita")).cookies.items()))
    path = f"/dicom-web/studies/{study.uid}/series"
    for header in (
        {"Cookie": f"{login[0]}={value}"},
        {"Authorization": f"Bearer {value}"},
        {"Authorization": f"Bearer {login[1]}"},
        {"Cookie": f"{name}={login[1]}"},
    ):
        assert code(anonymous(stack), stack, path, headers=header) == 401


def test_two_shares_and_a_login_in_one_browser(stack: Stack, study: Study, other: Study) -> None:
    browser = log_in(stack, stack.login_of("rita"))
    assert submit(browser, stack, share(stack, study.uid)["link"]).status_code == 200
    assert browser.get(f"{stack.portal}/archive/me", timeout=30).json()["account"] == "rita"
    guest = opened(stack, share(stack, study.uid)["link"])
    assert submit(guest, stack, share(stack, other.uid)["link"]).status_code == 200
    for uid in (study.uid, other.uid):
        assert code(guest, stack, f"/dicom-web/studies/{uid}/series") == 200
    assert code(guest, stack, "/dicom-web/studies") == 403


SAID = {
    "en-GB": ("This link needs a PIN.", "This link does not open anything"),
    "de-AT": ("Für diesen Link ist eine PIN nötig.", "Dieser Link öffnet nichts"),
    "fr-CH": ("Ce lien demande un code PIN.", "Ce lien n'ouvre rien"),
}


@pytest.mark.parametrize("locale", SAID)
def test_everyone_can_open_it(stack: Stack, visit: Visits, study: Study, locale: str) -> None:
    """In their language, in the dark, on a telephone, with a screen reader."""
    needs_pin, has_ended = SAID[locale]
    made = share(stack, study.uid, pin="4711", uses=1)
    opened(stack, made["link"], pin="4711")
    links = {has_ended: made["link"], needs_pin: share(stack, study.uid, pin="4711")["link"]}
    with visit(None, locale=locale, reduced_motion="reduce") as guest:
        page = guest.page
        for said, link in links.items():
            guest.go("/archive/icon.svg")
            guest.go(link.removeprefix(stack.portal))
            expect(page.locator("#said")).to_contain_text(said)
            expect(page.get_by_role("button")).to_have_count(1 if said == needs_pin else 0)
        expect(page.locator("html")).to_have_attribute("lang", locale[:2])
        assert_usable(guest, f"share-{locale}")


# --- its end


def test_uses_are_counted_and_written_down(stack: Stack, study: Study) -> None:
    made = share(stack, study.uid, uses=2)
    opened(stack, made["link"])
    opened(stack, made["link"])
    assert submit(anonymous(stack), stack, made["link"]).status_code == 410
    rosa = log_in(stack, stack.login_of("rosa"))
    [mine] = [one for one in rosa.get(f"{stack.portal}/archive/shares", timeout=30).json() if one["id"] == made["id"]]
    assert (mine["uses"], mine["open"]) == (2, False)
    assert [use["outcome"] for use in mine["log"]] == ["ended", "opened", "opened"]
    audited = [line for line in docker("logs", stack.container("nginx")).splitlines() if f"share:{made['id']}" in line]
    assert any('"path":"/share/open"' in line for line in audited)


def test_a_link_is_revoked_by_who_made_it_or_an_admin(stack: Stack, study: Study) -> None:
    made, path = share(stack, study.uid), f"/dicom-web/studies/{study.uid}/series"
    guest = opened(stack, made["link"])
    address = f"/archive/shares/{made['id']}"
    assert code(log_in(stack, stack.login_of("rita")), stack, address, "DELETE") == 403
    admin = log_in(stack, stack.login)
    assert code(admin, stack, address, "DELETE", headers={"Sec-Fetch-Site": "cross-site"}) == 403
    assert code(guest, stack, path) == 200
    assert code(admin, stack, address, "DELETE") == 200
    assert submit(anonymous(stack), stack, made["link"]).status_code == 410
    soon(lambda: code(guest, stack, path) == 401, "the session of a revoked link")


def test_a_link_ends_with_the_role_of_who_made_it(stack: Stack, study: Study) -> None:
    def change(mail: str, role: str) -> None:
        psql = ["psql", "--username=postgres", "--quiet", "--command"]
        changed = f"UPDATE identity.accounts SET mail = '{mail}', role = '{role}' WHERE name = 'rosa'"
        docker("exec", stack.container("postgresql"), *psql, changed, "orthanc")

    made = share(stack, study.uid)
    change("rosa@clinic.example", "radiologist")
    opened(stack, made["link"])
    try:
        change("", "reader")
        assert submit(anonymous(stack), stack, made["link"]).status_code == 410
    finally:
        change("", "radiologist")


def test_a_deleted_study_ends_its_links(stack: Stack) -> None:
    image = ct_image(generate_uid())

    def store() -> None:
        answer = rest(stack).post(f"{stack.portal}/orthanc/instances", data=encoded(image), timeout=30)
        assert answer.status_code == 200

    def make() -> str:
        return share(stack, image.StudyInstanceUID)["link"]

    def status(link: str) -> int:
        return submit(anonymous(stack), stack, link).status_code

    store()
    tried, first, second = make(), make(), make()
    remove(stack, image.StudyInstanceUID)
    assert status(tried) == 410
    store()
    assert [status(link) for link in (tried, first)] == [410, 410], "nor when it is there again"
    later = make()
    assert [status(link) for link in (second, later)] == [410, 200], "nor when it is shared again"
    remove(stack, image.StudyInstanceUID)


def test_ten_wrong_pins_end_a_link(stack: Stack, study: Study, guesser: Place) -> None:
    made = share(stack, study.uid, pin="0815")
    guessed = [guess(stack, guesser, made["link"], str(pin)) for pin in range(1000, 1010)]
    assert guessed == ["401"] * 10
    assert guess(stack, guesser, made["link"], "0815") == "429", "the address is locked"
    assert submit(anonymous(stack), stack, made["link"], pin="0815").status_code == 410


@pytest.mark.parametrize(
    "wanted",
    [
        {"hours": 0},
        {"hours": 10**9},
        {"uses": -1},
        {"uses": "5"},
        {"pin": "1"},
        {"pin": 4711},
        {"study": "1.2*"},
        {"study": ["1.2"]},
        {"more": 1},
    ],
)
def test_odd_wishes_are_refused(stack: Stack, study: Study, wanted: dict[str, Any]) -> None:
    asked = {"study": study.uid, **wanted}
    answer = log_in(stack, stack.login_of("rosa")).post(f"{stack.portal}/archive/shares", json=asked, timeout=30)
    assert answer.status_code == 400 and answer.json()["error"]


@pytest.mark.parametrize("account", ["rita", "ulf"])
def test_others_make_no_links(stack: Stack, study: Study, account: str) -> None:
    somebody = log_in(stack, stack.login_of(account))
    assert code(somebody, stack, "/archive/shares", "POST", json={"study": study.uid}) == 403


def test_tokens_and_pins_are_nowhere(stack: Stack, study: Study) -> None:
    made = share(stack, study.uid, pin="a-pin-of-mine")
    guest = opened(stack, made["link"], pin="a-pin-of-mine")
    token = made["link"].partition("#")[2]
    assert len(token) >= 128 / 6
    secrets = [token, "a-pin-of-mine", *guest.cookies.values()]
    said = [
        subprocess.run(
            ["docker", "logs", stack.container(name)],
            check=True,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        ).stdout
        for name in ("nginx", "identity", "orthanc", "postgresql")
    ]
    kept = docker(
        "exec", stack.container("postgresql"), "pg_dump", "--username=postgres", "--schema=identity", "orthanc"
    )
    for secret in secrets:
        assert not [text for text in (*said, kept) if secret in text]
