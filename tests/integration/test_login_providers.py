# SPDX-License-Identifier: GPL-3.0-or-later
"""People whose accounts come from elsewhere, and what faults and attackers make of that.

The directory is Debian's slapd, the OpenID provider npm's oidc-provider.
"""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
from playwright.sync_api import Browser, expect
from pydicom.uid import generate_uid

from support.authority import Authority
from support.browser import Visit
from support.directory import BIND_PASSWORD, PASSWORD, Directory
from support.images import ct_image, encoded
from support.login import anonymous, status, submit
from support.openid_provider import SECRET, OpenidProvider
from support.password_link import Form, link_to, psql
from support.process import run
from support.rest import remove, rest
from support.saml_provider import SamlProvider
from support.stack import Run, Stack, docker, wait_until_healthy

CLINIC, SSO, PARTNER, LOCAL = "01_Clinic", "02_Single_sign-on", "03_Partner", "99_Local_account"
LDAP_PORT, OPENID_PORT, SAML_PORT = 22636, 22637, 22638
FAILURES_ALLOWED = 3
NO_ROLE, AWAY, DISAGREE, WRONG, MALFORMED, LOCKED = 41, 6, 106, 5, 40, 86
# The container looks at what a provider says every 15 seconds, and LemonLDAP::NG at its configuration every 5.
UNTIL_IT_IS_READ = 40


@pytest.fixture(scope="module")
def gateway(stack: Stack) -> str:
    """This machine, as the login service reaches it."""
    return docker("network", "inspect", "--format", "{{(index .IPAM.Config 0).Gateway}}", stack.container("identity"))


@pytest.fixture(scope="module")
def directory(gateway: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Directory]:
    one = Directory(gateway, LDAP_PORT, tmp_path_factory.mktemp("directory"))
    one.start()
    yield one
    one.stop()


@pytest.fixture(scope="module")
def openid(stack: Stack, gateway: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenidProvider]:
    redirect = f"{stack.portal}/auth?openidconnectcallback=1"
    one = OpenidProvider(gateway, OPENID_PORT, tmp_path_factory.mktemp("openid"), redirect)
    one.start()
    yield one
    one.stop()


@pytest.fixture(scope="module")
def saml(gateway: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SamlProvider]:
    one = SamlProvider(gateway, SAML_PORT, tmp_path_factory.mktemp("saml"))
    one.start()
    yield one
    one.stop()


@pytest.fixture(scope="module")
def study(stack: Stack) -> Iterator[str]:
    image = ct_image(generate_uid())
    stored = rest(stack).post(f"{stack.portal}/orthanc/instances", data=encoded(image), timeout=30)
    assert stored.status_code == 200
    yield image.StudyInstanceUID
    remove(stack, image.StudyInstanceUID)


@pytest.fixture(scope="module", autouse=True)
def deployed(
    stack: Stack, study: str, directory: Directory, openid: OpenidProvider, saml: SamlProvider
) -> Iterator[Run]:
    given = [directory.given(), openid.given(), saml.given()]
    more = {"identity_failures_allowed": FAILURES_ALLOWED, "orthweb_login_providers": given}
    run = stack.configure("--tags", "identity,nginx", "-vvv", "--diff", **more).ok()
    metadata = anonymous(stack).get(f"{stack.portal}/auth/saml/metadata", timeout=30)
    assert metadata.status_code == 200
    saml.learn(metadata.text)
    yield run
    left = anonymous(stack)
    assert log_in(left, stack, CLINIC, "greta") == 0
    link = shared_by(stack, "raul", study)
    stack.configure("--tags", "identity,nginx").ok()
    assert opened(stack, link) == 410, "a link that somebody of this provider made"
    end = time.monotonic() + 10
    while status(left, stack) != 401:
        assert time.monotonic() < end, "a session of a provider that is no longer there"
        time.sleep(0.3)


def log_in(session: requests.Session, stack: Stack, choice: str, name: str, password: str = PASSWORD) -> int:
    """By the form of this choice: 0, or the number of what the page says."""
    answer = submit(session, stack, (name, password), lmAuth=choice)
    return int(answer.json()["error"])


def shared_by(stack: Stack, name: str, study: str) -> str:
    """A link to the study that somebody of the directory has made."""
    maker = anonymous(stack)
    assert log_in(maker, stack, CLINIC, name) == 0
    made = maker.post(f"{stack.portal}/archive/shares", json={"study": study}, timeout=30)
    assert made.status_code == 201, made.text
    return made.json()["link"]


def opened(stack: Stack, link: str) -> int:
    body = {"token": link.partition("#")[2]}
    return anonymous(stack).post(f"{stack.portal}/share/open", json=body, timeout=30).status_code


def account(session: requests.Session, stack: Stack) -> tuple[str, str]:
    answer = session.get(f"{stack.portal}/archive/me", timeout=30).json()
    return answer["account"], answer["role"]


def log(stack: Stack, since: float) -> str:
    """What the login service has said since then."""
    return run("docker", "logs", "--since", str(int(since)), stack.container("identity"), merged=True).stdout


# --- a directory


@pytest.mark.parametrize(
    ("name", "known_as"), [("lars", "lars@clinic"), ("LARS", "lars@clinic"), ("greta", "greta@clinic")]
)
def test_a_group_gives_a_role(stack: Stack, name: str, known_as: str) -> None:
    """Also a group in a group."""
    session = anonymous(stack)
    assert log_in(session, stack, CLINIC, name) == 0
    assert account(session, stack) == (known_as, "reader")


def test_who_has_no_role_is_told_and_gets_no_session(stack: Stack) -> None:
    session = anonymous(stack)
    assert log_in(session, stack, CLINIC, "nora") == NO_ROLE
    assert stack.cookie not in session.cookies and status(session, stack) == 401
    page = submit(anonymous(stack), stack, ("nora", PASSWORD), {}, lmAuth=CLINIC).text
    assert "You are known, but have no role in this archive. Ask its administrator." in page


def test_one_name_at_two_places_is_two_people(stack: Stack) -> None:
    elsewhere, here = anonymous(stack), anonymous(stack)
    assert log_in(elsewhere, stack, CLINIC, "leo") == 0
    assert account(elsewhere, stack)[0] == "leo@clinic"
    assert log_in(here, stack, LOCAL, "leo") == WRONG, "with the directory's password"
    assert log_in(here, stack, LOCAL, *stack.login_of("leo")) == 0
    assert account(here, stack)[0] == "leo"


def test_a_program_has_a_local_account(stack: Stack) -> None:
    assert status(anonymous(stack), stack, auth=stack.login_of("rita")) == 200
    assert status(anonymous(stack), stack, auth=("lars", PASSWORD.encode())) == 401
    assert status(anonymous(stack), stack, auth=("lars@clinic", PASSWORD.encode())) == 401


@pytest.mark.parametrize("name", ["l*", "lars)(uid=*", "*)(|(uid=*", "lars\n", "lars\0", " lars", "lars\\2a"])
def test_a_name_is_no_filter(stack: Stack, name: str) -> None:
    assert log_in(anonymous(stack), stack, CLINIC, name) in (MALFORMED, WRONG)


def test_wrong_passwords_are_counted_however_the_name_is_written(stack: Stack) -> None:
    docker("restart", "--time=1", stack.container("nginx"))  # forgets those of this machine's address
    wait_until_healthy(stack.container("nginx"))
    for name in ("greta", "GRETA", "Greta")[:FAILURES_ALLOWED]:
        assert log_in(anonymous(stack), stack, CLINIC, name, "guess") == WRONG
        time.sleep(1.1)  # two in the same second count as one
    assert log_in(anonymous(stack), stack, CLINIC, "greta") == LOCKED
    assert log_in(anonymous(stack), stack, CLINIC, "lars") == 0
    stack.play("reset_account", orthweb_account="greta@clinic").ok()
    assert log_in(anonymous(stack), stack, CLINIC, "greta") == 0


@contextmanager
def restarted(directory: Directory) -> Iterator[None]:
    directory.stop()
    try:
        yield
    finally:
        directory.show(directory.authority, directory.address)
        directory.start()


def test_without_the_directory_local_accounts_go_on(stack: Stack, directory: Directory) -> None:
    since = time.time()
    with restarted(directory):
        assert log_in(anonymous(stack), stack, CLINIC, "lars") == AWAY
        page = submit(anonymous(stack), stack, ("lars", PASSWORD), {}, lmAuth=CLINIC).text
        assert "The directory does not answer, or cannot prove who it is." in page
        assert log_in(anonymous(stack), stack, LOCAL, *stack.login_of("rita")) == 0
    assert "LDAP initialization error: " in log(stack, since)
    assert log_in(anonymous(stack), stack, CLINIC, "lars") == 0, "as soon as it is back"


def test_who_has_lost_the_role_keeps_no_share_link(stack: Stack, study: str, directory: Directory) -> None:
    link, other = (shared_by(stack, name, study) for name in ("rahel", "raul"))
    assert log_in(anonymous(stack), stack, CLINIC, "rahel") == 0
    assert opened(stack, link) == 200
    with restarted(directory):
        directory.take_out("pacs-radiologists", "rahel")
    assert opened(stack, link) == 200, "as nobody has asked the directory"
    assert log_in(anonymous(stack), stack, CLINIC, "rahel") == NO_ROLE
    assert opened(stack, link) == 410
    assert opened(stack, other) == 200, "a colleague's"


@pytest.mark.parametrize("wrong", ["the CA", "the name"])
def test_a_directory_with_a_wrong_certificate_gets_no_password(
    stack: Stack, directory: Directory, tmp_path: Path, wrong: str
) -> None:
    since = time.time()
    with restarted(directory):
        other = Authority(tmp_path / "pki", "Another CA") if wrong == "the CA" else directory.authority
        directory.show(other, directory.address if wrong == "the CA" else "ldap.elsewhere.example")
        directory.start()
        assert log_in(anonymous(stack), stack, CLINIC, "lars") == AWAY
        directory.stop()
    assert "LDAP initialization error: " in log(stack, since)
    assert log_in(anonymous(stack), stack, CLINIC, "lars") == 0


def test_a_link_to_choose_a_password_is_for_a_local_account(stack: Stack) -> None:
    """The directory knows a leo, too."""
    link, chosen = link_to(stack, "leo"), "Leos anderes Wort"
    assert Form(link, stack).send(chosen) == 35
    try:
        assert log_in(anonymous(stack), stack, LOCAL, "leo", chosen) == 0
        assert log_in(anonymous(stack), stack, CLINIC, "leo") == 0
        assert psql(stack, "SELECT make_password_link('lars@clinic', 60)") == ""
    finally:
        psql(stack, "UPDATE accounts SET password = declared WHERE name = 'leo'")


# --- an OpenID provider


def go_through(session: requests.Session, stack: Stack, openid: OpenidProvider, name: str) -> str:
    """Log in at the provider, as a browser would: the address on which it sends one back."""
    page = submit(session, stack, None, {}, lmAuth=SSO)
    assert page.status_code == 302, page.text
    return openid.log_in(page.headers["Location"], name)


def back(session: requests.Session, address: str) -> int:
    """What the archive says of it: 0, or a number."""
    answer = session.get(address, headers={"Accept": "application/json"}, allow_redirects=False, timeout=30)
    return int(answer.json()["error"])


def test_a_deep_link_leads_there_by_the_provider(stack: Stack, browser: Browser, screenshots: Path) -> None:
    """And a log-out ends the session at the provider, too."""
    context = browser.new_context(viewport={"width": 1280, "height": 800}, ignore_https_errors=True)
    context.route("**/fonts.googleapis.com/**", lambda route: route.abort())  # the provider's pages wait for it
    somebody = Visit(context, stack, screenshots)
    page, link = somebody.page, "/viewer?StudyInstanceUIDs=1.2.3"
    somebody.go(link)
    page.get_by_role("link", name="Single sign-on").click()
    page.locator("form.OpenIDConnect button").click()
    page.locator("input[name=login]").fill("olga")
    page.locator("input[name=password]").fill("any")
    page.locator("button[type=submit]").click()
    page.get_by_role("button", name="Continue").click()
    expect(page).to_have_url(stack.portal + link)
    page.goto(f"{stack.portal}/archive/")
    expect(page.locator("#account")).to_have_text("olga@sso")
    page.get_by_text("Log out").click()
    page.get_by_role("button", name="Yes, sign me out").click()
    expect(page).to_have_url(re.compile(f"^{stack.portal}/auth/?\\?logout=1"))
    page.goto(f"{stack.portal}/archive/")
    expect(page).to_have_url(re.compile(f"^{stack.portal}/auth/\\?url="))
    assert somebody.violations == []
    context.close()


@pytest.mark.parametrize(("name", "role"), [("olga", "admin"), ("otto", "reader"), ("rita", "reader"), ("nobody", "")])
def test_a_claim_gives_a_role(stack: Stack, openid: OpenidProvider, name: str, role: str) -> None:
    """As a whole. The provider asks for second factors itself, so that this archive asks an admin for none."""
    session = anonymous(stack)
    address = go_through(session, stack, openid, name)
    if role:
        assert back(session, address) == 0
        assert account(session, stack) == (f"{name}@sso", role)
    else:
        assert back(session, address) == NO_ROLE
        assert status(session, stack) == 401


def test_a_login_is_finished_only_where_it_was_begun(stack: Stack, openid: OpenidProvider) -> None:
    """Else a person would go on in the name of the attacker, who has sent them the link."""
    attacker, victim = anonymous(stack), anonymous(stack)
    address = go_through(attacker, stack, openid, "otto")
    go_through(victim, stack, openid, "olga")
    for stranger, link in [
        (anonymous(stack), address),
        (victim, address),
        (victim, f"{address}&lmAuth={SSO}"),
        (victim, re.sub("callback=", "%63allback=", address)),
        (victim, f"{address}&state={re.findall('state=([^&]+)', address)[0]}"),
    ]:
        answer = stranger.get(link, allow_redirects=False, timeout=30)
        assert stack.cookie not in stranger.cookies, link
        assert answer.status_code == 403 or "openidconnectcallback" not in link
    fields = dict(pair.split("=", 1) for pair in address.partition("?")[2].split("&"))
    foreign = {"Origin": "https://elsewhere.example"}
    answer = victim.post(f"{stack.portal}/auth/", data={**fields, "lmAuth": SSO}, headers=foreign, timeout=30)
    assert answer.status_code == 403 and stack.cookie not in victim.cookies
    assert back(attacker, address) == 0, "and it still works where it was begun"
    assert back(attacker, address) != 0 or account(attacker, stack) == ("otto@sso", "reader")


def test_a_login_leads_back_to_this_archive_only(stack: Stack, openid: OpenidProvider) -> None:
    session = anonymous(stack)
    elsewhere = "aHR0cHM6Ly9lbHNld2hlcmUuZXhhbXBsZS8="  # https://elsewhere.example/
    page = submit(session, stack, None, {}, lmAuth=SSO, url=elsewhere)
    assert "elsewhere" not in page.text
    if page.status_code == 302:
        answer = session.get(openid.log_in(page.headers["Location"], "otto"), allow_redirects=False, timeout=30)
        assert "elsewhere" not in answer.headers.get("Location", "")


def test_a_wrong_secret_and_a_wrong_clock_are_told(stack: Stack, openid: OpenidProvider) -> None:
    for said, changes in [
        ("Bad token response from sso", {"secret": "another-secret-0123456789-0123456789"}),
        ("ID token too old", {"minutes": "-10"}),
    ]:
        since = time.time()
        openid.stop()
        openid.start(**changes)
        try:
            session = anonymous(stack)
            assert back(session, go_through(session, stack, openid, "otto")) == DISAGREE
            assert status(session, stack) == 401
        finally:
            openid.stop()
            openid.start()
        assert said in log(stack, since)
    session = anonymous(stack)
    assert back(session, go_through(session, stack, openid, "otto")) == 0, "as soon as they are right"


def test_a_provider_that_is_away_or_has_moved_is_found_again(stack: Stack, openid: OpenidProvider) -> None:
    """It is away while the login service starts, and back with other addresses."""
    container = stack.container("identity")
    openid.stop()
    since = time.time()
    docker("restart", "--time=1", container)
    end = time.monotonic() + 30
    while status(anonymous(stack), stack, "/auth/") != 200:
        assert time.monotonic() < end
        time.sleep(0.5)
    try:
        session = anonymous(stack)
        to = submit(session, stack, None, {}, lmAuth=SSO).headers["Location"]
        page = session.get(requests.compat.urljoin(stack.portal, to), timeout=30)
        assert page.status_code == 503 and "The login provider does not answer this archive." in page.text
        assert log_in(session, stack, LOCAL, *stack.login_of("rita")) == 0, "in the same browser, too"
    finally:
        openid.path = "/moved"
        openid.start()
    assert "The metadata of the login provider sso cannot be read: https://" in log(stack, since)
    end = time.monotonic() + UNTIL_IT_IS_READ
    known = 0
    while known < 5:  # each process of the login service reads it by itself
        to = submit(anonymous(stack), stack, None, {}, lmAuth=SSO).headers["Location"]
        known = known + 1 if "/moved" in to else 0
        assert time.monotonic() < end, to
        time.sleep(0.5)
    session = anonymous(stack)
    assert back(session, go_through(session, stack, openid, "otto")) == 0


# --- SAML


def set_out(session: requests.Session, stack: Stack, saml: SamlProvider, person: str) -> dict[str, str]:
    """Begin a login, and have the provider answer it: the form that the browser sends then."""
    saml.person = person
    page = submit(session, stack, None, {}, lmAuth=PARTNER)
    assert page.status_code == 302, page.text
    to, response, state = saml.answer(page.headers["Location"].partition("?")[2])
    assert to == f"{stack.portal}/auth/saml/proxySingleSignOnPost"
    return {"SAMLResponse": response, "RelayState": state}


def answer_with(session: requests.Session, stack: Stack, form: dict[str, str]) -> requests.Response:
    there = f"{stack.portal}/auth/saml/proxySingleSignOnPost"
    headers = {"Origin": "https://elsewhere.example", "Sec-Fetch-Site": "cross-site"}
    return session.post(there, data=form, headers=headers, allow_redirects=False, timeout=30)


@pytest.mark.parametrize(("person", "role"), [("sara", "admin"), ("sven", "reader"), ("nobody", "")])
def test_an_attribute_gives_a_role(stack: Stack, saml: SamlProvider, person: str, role: str) -> None:
    session = anonymous(stack)
    answer = answer_with(session, stack, set_out(session, stack, saml, person))
    if role:
        assert account(session, stack) == (f"{person}@saml", role)
    else:
        assert f'trmsg="{NO_ROLE}"' in answer.text
        assert status(session, stack) == 401


def test_a_deep_link_leads_there_by_saml(stack: Stack, saml: SamlProvider, browser: Browser, screenshots: Path) -> None:
    saml.person = "sven"
    context = browser.new_context(viewport={"width": 1280, "height": 800}, ignore_https_errors=True)
    somebody = Visit(context, stack, screenshots)
    page, link = somebody.page, "/viewer?StudyInstanceUIDs=1.2.3"
    somebody.go(link)
    page.get_by_role("link", name="Partner").click()
    page.locator("form.SAML button").click()
    page.get_by_role("button", name="Continue").click()
    expect(page).to_have_url(stack.portal + link)
    assert somebody.violations == []
    context.close()


def test_only_a_signed_answer_counts_and_only_once_and_where_it_was_asked_for(stack: Stack, saml: SamlProvider) -> None:
    def refused(session: requests.Session, form: dict[str, str]) -> bool:
        answer_with(session, stack, form)
        return status(session, stack) == 401

    somebody, victim, late = anonymous(stack), anonymous(stack), anonymous(stack)
    saml.signed = False
    try:
        assert refused(somebody, set_out(somebody, stack, saml, "sara"))
    finally:
        saml.signed = True
    form = set_out(somebody, stack, saml, "sven")
    given = base64.b64decode(form["SAMLResponse"]).decode()
    changed = {**form, "SAMLResponse": base64.b64encode(given.replace(">sven<", ">sara<").encode()).decode()}
    assert ">sven<" in given and refused(somebody, changed)
    assert refused(victim, form), "the browser of somebody else"
    set_out(victim, stack, saml, "sara")
    assert refused(victim, form), "who has begun a login, too"
    form = set_out(somebody, stack, saml, "sven")
    assert not refused(somebody, form)
    mark = next(cookie for cookie in somebody.cookies if cookie.name == f"{stack.cookie}login")
    late.cookies.set_cookie(mark)
    assert refused(late, form), "a second time"


# --- all of them


def test_secrets_are_in_one_file_only(stack: Stack, deployed: Run) -> None:
    key = (stack.folder / "saml.key").read_text().splitlines()[5]
    for secret in (BIND_PASSWORD, SECRET, key):
        assert secret not in deployed.output
        assert secret not in docker("inspect", stack.container("identity"))
        folder = Path("/etc/orthweb") / stack.name / "identity"
        written = json.dumps(secret)[1:-1].replace(";", "u003b")[:12]
        found = [file for file in folder.iterdir() if written in file.read_text().replace("\\", "")]
        assert [file.name for file in found] == ["lmConf-1.json"]
        assert found[0].stat().st_mode & 0o777 == 0o400
        assert secret not in docker("top", stack.container("identity"), "-eo", "pid,args")
