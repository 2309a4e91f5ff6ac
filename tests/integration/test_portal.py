# SPDX-License-Identifier: GPL-3.0-or-later
"""The portal on 443, as web clients meet it: who may do what, who is shown out, what is written down, what passes."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
from pydicom.uid import generate_uid

from support.images import associate, ct_image, encoded, is_stored
from support.places import Place, place
from support.stack import Stack, docker

HASH = (  # of "hashed", by `openssl passwd -6`
    "$6$frontdoor$/DeSa2yQS3ePKrlDLO3hYk6KXk.HsgEpKk99drY6ewy9ld6/sbOJG2/SQ/1Ko4rz2twsg9bagH8lyCVnV7hFm1"
)
ROLES = {"admin": "admin", "rosa": "radiologist", "rita": "reader", "ulf": "uploader"}


@pytest.fixture(scope="module")
def ask(stack: Stack) -> Callable[..., requests.Response]:
    """A request of one of the accounts, or of nobody."""
    session = requests.Session()
    session.verify, session.trust_env = stack.ca, False

    def request(account: str, method: str, path: str, **options: object) -> requests.Response:
        login = stack.login_of(account) if account else None
        return session.request(
            method, f"{stack.portal}{path}", auth=login, allow_redirects=False, timeout=60, **options
        )

    return request


@pytest.fixture(scope="module")
def study(stack: Stack, ask: Callable[..., requests.Response]) -> Iterator[tuple[str, str]]:
    """One study in the archive: its UID, and its path in Orthanc's REST API."""
    image = ct_image(generate_uid())
    association = associate(stack)
    assert is_stored(association, image)
    association.release()
    [found] = ask("admin", "POST", "/orthanc/tools/lookup", data=image.StudyInstanceUID).json()
    yield image.StudyInstanceUID, f"/orthanc{found['Path']}"
    ask("admin", "DELETE", f"/orthanc{found['Path']}")


@pytest.fixture(params=["portal", "orthanc"])
def door(request: pytest.FixtureRequest, stack: Stack) -> Callable[[str], str]:
    """The URL of a path of the portal, there and on Orthanc's own port."""
    if request.param == "portal":
        return lambda path: stack.portal + path
    return lambda path: stack.orthanc + path.removeprefix("/orthanc")


def answer_to(stack: Stack, account: str, url: str, *arguments: str) -> tuple[int, str]:
    """Status and text, by curl: it sends what it is told, byte for byte."""
    options = ["--silent", "--globoff", "--path-as-is", "--config", "-", "--write-out", "\\n%{http_code}"]
    done = subprocess.run(
        ["curl", *options, "--cacert", stack.ca, *arguments, url],
        input='user = "{}:{}"'.format(*stack.login_of(account)),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    said, _line, code = done.stdout.rpartition("\n")
    return int(code), said


READING = [
    ("GET", "/"),
    ("GET", "/viewer?StudyInstanceUIDs=1.2.3&hangingprotocolId=none"),
    ("GET", "/orthanc/app/explorer.html"),
    ("GET", "/archive/explorer.js"),
    ("GET", "/orthanc/system"),
    ("GET", "/orthanc/studies"),
    ("GET", "{study}/archive"),
    ("GET", "/dicom-web/studies"),
    ("GET", "/dicom-web/studies/{uid}/metadata"),
    ("POST", "/orthanc/tools/find"),
    ("POST", "/orthanc/tools/lookup"),
]
FOR_ALL = [
    ("GET", "/archive/"),
    ("GET", "/archive/me"),
    ("GET", "/archive/archive.json"),
    ("GET", "/archive/ca.crt"),
    ("GET", "/archive/page/main.js"),
    ("GET", "/archive/page/fr.json"),
]
FOR_ADMINS = [
    ("GET", "/archive/modalities.json"),
    ("GET", "/archive/associations.json"),
    ("GET", "/archive/sessions"),
    ("PUT", "{study}/metadata/1024"),
    ("POST", "{study}/anonymize"),
    ("POST", "/orthanc/tools/execute-script"),
    ("POST", "/orthanc/tools/reset"),
    ("POST", "/orthanc/tools/shutdown"),
    ("POST", "/orthanc/modalities/workstation/store"),
    ("DELETE", "{study}"),
]


@pytest.mark.parametrize(("method", "path"), [*READING, *FOR_ALL, *FOR_ADMINS])
@pytest.mark.parametrize("account", ["", "rosa", "rita", "ulf"])
def test_who_may_do_what(
    ask: Callable[..., requests.Response], study: tuple[str, str], account: str, method: str, path: str
) -> None:
    reading = [*READING, *FOR_ALL]
    allowed = {"": [], "rosa": reading, "rita": reading, "ulf": FOR_ALL}[account]
    uid, resource = study
    body = {"data": json.dumps({"Level": "Study", "Query": {}})} if method == "POST" else {}
    answer = ask(account, method, path.format(uid=uid, study=resource), **body)
    assert answer.status_code == (200 if (method, path) in allowed else 403 if account else 401), answer.text
    if answer.status_code == 403:
        assert f"The account {account} has the role {ROLES[account]}, which may not do this." in answer.text
    if answer.status_code == 401:
        assert answer.headers["WWW-Authenticate"].startswith("Basic ")
    assert ask("admin", "GET", resource).status_code == 200, "the study is gone"


def test_an_admin_may_do_all(ask: Callable[..., requests.Response], study: tuple[str, str]) -> None:
    for path in ("/archive/modalities.json", "/archive/associations.json", "/orthanc/modalities", study[1]):
        assert ask("admin", "GET", path).status_code == 200
    assert ask("admin", "PUT", f"{study[1]}/metadata/1024", data="looked at").status_code == 200
    # Past admission: it is Orthanc, whose configuration has no scripts, that refuses.
    script = ask("admin", "POST", "/orthanc/tools/execute-script", data="print(1)")
    assert script.status_code == 403 and "may not do this" not in script.text


def test_dicomweb_leads_back_to_the_portal(
    stack: Stack, ask: Callable[..., requests.Response], study: tuple[str, str]
) -> None:
    """By the name that the client has used: viewers follow these URLs."""
    said = (
        ask("rita", "GET", "/dicom-web/studies").text + ask("rita", "GET", f"/dicom-web/studies/{study[0]}/series").text
    )
    assert set(re.findall(r'https?://[^"]*?(?=/dicom-web)', said.replace("\\/", "/"))) == {stack.portal}


@pytest.mark.parametrize("path", ["/orthanc/instances", "/dicom-web/studies"])
def test_an_uploader_brings_images(ask: Callable[..., requests.Response], path: str) -> None:
    image = ct_image(generate_uid())
    body, headers = encoded(image), {"Content-Type": "application/dicom"}
    if path == "/dicom-web/studies":
        headers["Content-Type"] = 'multipart/related; type="application/dicom"; boundary=part'
        body = b"--part\r\nContent-Type: application/dicom\r\n\r\n" + body + b"\r\n--part--"
    assert ask("rita", "POST", path, data=body, headers=headers).status_code == 403
    assert ask("ulf", "POST", path, data=body, headers=headers).status_code == 200
    [found] = ask("admin", "POST", "/orthanc/tools/lookup", data=image.StudyInstanceUID).json()
    assert ask("ulf", "GET", f"/orthanc{found['Path']}").status_code == 403
    assert ask("admin", "DELETE", f"/orthanc{found['Path']}").status_code == 200


HIDDEN = {
    "plain": "_method=DELETE",
    "second": "expand=false&_method=DELETE",
    "encoded": "%5Fmethod=DELETE",
    "half encoded": "_%6dethod=DELETE",
    "upper case": "_METHOD=DELETE",
    "behind a thousand": "a&" * 1001 + "_method=DELETE",
    "behind a thousand that are allowed": "full&" * 1001 + "_method=DELETE",
    "behind a thousand for caches": "_=1&" * 1001 + "_method=DELETE",
    "behind nothing a thousand times": "&" * 1001 + "_method=DELETE",
    "behind an encoded ampersand": "full=1%26_method=DELETE",  # Orthanc 1.13 decodes first and splits then
    "in one name": "full%26_method%3DDELETE",
    "behind a semicolon": "full;_method=DELETE",
    "behind a null": "full%00&_method=DELETE",
    "behind a question mark": "?_method=DELETE",
    "with a space": "full&+_method=DELETE",
    "twice encoded": "%255Fmethod=DELETE",
    "of another form": "_method%5B%5D=DELETE",
}
LED_FROM_ELSEWHERE = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Referer": "https://other.example/"}


@pytest.mark.parametrize("hidden", HIDDEN.values(), ids=HIDDEN)
@pytest.mark.parametrize("account", ["rita", "admin"])
def test_get_stays_get(
    stack: Stack, study: tuple[str, str], door: Callable[[str], str], account: str, hidden: str
) -> None:
    """Orthanc takes it for DELETE: a reader could delete, and another site could lead an admin's browser to it."""
    headers = [option for name, value in LED_FROM_ELSEWHERE.items() for option in ("--header", f"{name}: {value}")]
    code, said = answer_to(stack, account, door(f"{study[1]}?{hidden}"), *headers)
    assert code == 400, said
    assert "nothing was done" in said
    assert answer_to(stack, account, door(study[1]))[0] == 200, "the study is gone"


@pytest.mark.parametrize("name", ["X-HTTP-Method-Override", "x-http-method-override", "X_HTTP_METHOD_OVERRIDE"])
@pytest.mark.parametrize("account", ["rita", "admin"])
def test_no_header_makes_another_method_of_it(
    stack: Stack, study: tuple[str, str], door: Callable[[str], str], account: str, name: str
) -> None:
    override = ["--header", f"{name}: DELETE"]
    assert answer_to(stack, account, door(study[1]), *override)[0] == 200
    find = ["--data", '{"Level": "Study", "Query": {}}', "--header", "Content-Type: application/json", *override]
    assert answer_to(stack, account, door("/orthanc/tools/find"), *find)[0] == 200
    assert answer_to(stack, account, door(study[1]))[0] == 200, "the study is gone"


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("unheard=of", 'takes no argument "unheard"'),
        ("full&Expand", 'takes no argument "Expand"'),
        ("=1", 'takes no argument ""'),
        ("full%20", 'takes no argument "full%20"'),
        ("f%C3%BCll", 'takes no argument "f%C3%BCll"'),
        ("full=%zz", 'The argument "full" has'),
        ("full=%", 'The argument "full" has'),
        ("full=%0a", 'The argument "full" has'),
        ("full=a%26b", 'The argument "full" has'),
    ],
)
@pytest.mark.parametrize("account", ["rita", "admin"])
def test_what_is_not_listed_is_refused_by_name(
    stack: Stack, study: tuple[str, str], door: Callable[[str], str], account: str, query: str, said: str
) -> None:
    code, body = answer_to(stack, account, door(f"{study[1]}?{query}"))
    assert code == 400 and said in body, body


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/dicom-web/studies", "PatientName=DOE*&00100020=*&limit=10&offset=0&fuzzymatching=false"),
        ("/dicom-web/studies", "includefield=00081030%2C00080060,StudyDescription&includefield=all&limit=%31"),
        ("/dicom-web/studies", "PatientName=M%C3%BCller%5EJ%c3%b6rg&StudyDate=20200101-&_=1700000000"),
        ("/dicom-web/studies/{uid}/series", "includefield=00080021"),
        ("/dicom-web/series", "ModalitiesInStudy=CT"),
        ("/dicom-web/instances", "RequestAttributesSequence.ScheduledProcedureStepID=1"),
        ("/dicom-web/studies/{uid}/metadata", "_=1"),
        ("/orthanc/studies", "expand&since=0&limit=101&full&_=1700000000"),
        ("/orthanc/studies", "expand=true&since=0&limit=1&requestedTags=ModalitiesInStudy;PatientAge"),
        ("/orthanc/app/explorer.html", "_=1"),
        ("{study}/series", "expand&short"),
        ("{study}/instances-tags", "simplify"),
        ("{study}/attachments", "full"),
        ("{study}/metadata", "expand&numeric"),
        ("{study}/archive", "filename=a%20name.zip&transcode=1.2.840.10008.1.2.1"),
        ("/orthanc/changes", "since=0&limit=2&last"),
        ("/orthanc/jobs", "expand"),
        ("/orthanc/modalities", "expand"),
        ("/orthanc/tools/generate-uid", "level=study"),
    ],
)
def test_what_clients_ask_with_passes(
    stack: Stack, study: tuple[str, str], door: Callable[[str], str], path: str, query: str
) -> None:
    asked = f"{path}?{query}".replace("{uid}", study[0]).replace("{study}", study[1])
    code, said = answer_to(stack, "rita", door(asked), "--output", "/dev/null")
    assert code == 200, said


def test_every_argument_that_orthanc_describes_is_listed(stack: Stack) -> None:
    """By its own OpenAPI description, in which what it needs the Internet for is missing."""
    describe = "Orthanc --openapi=/tmp/openapi.json >/dev/null 2>&1; cat /tmp/openapi.json"
    image = docker("inspect", "--format", "{{.Config.Image}}", stack.container("orthanc"))
    apart = ["run", "--rm", "--network=none", "--entrypoint=bash", image]  # it asks a server elsewhere for examples
    described = json.loads(docker(*apart, "-c", describe))["paths"]
    table = docker("exec", stack.container("nginx"), "cat", "/etc/nginx/orthweb/routes.js")
    reading = [row for row in json.loads(table.removeprefix("export default ")) if "GET" in row.get("methods", ["GET"])]
    missing, seen = [], 0
    for template, methods in described.items():
        path = "/orthanc" + re.sub(r"\{\w+\}", "0", template)
        [row, *_others] = [row for row in reading if "reader" in row["roles"] and re.fullmatch(row["path"], path)]
        for parameter in methods.get("get", {}).get("parameters", []):
            if parameter["in"] == "query":
                seen += 1
                listed = [*row.get("arguments", []), *row.get("attributes", [])]
                if not any(re.fullmatch(pattern, parameter["name"]) for pattern in listed):
                    missing.append(f"{template}: {parameter['name']}")
    assert seen > 40 and missing == []


def test_arguments_mean_to_orthanc_what_the_client_wrote(
    stack: Stack, study: tuple[str, str], door: Callable[[str], str]
) -> None:
    found = {
        query: answer_to(stack, "rita", door(f"/dicom-web/studies?StudyInstanceUID={study[0]}&{query}"))[1].count(
            study[0]
        )
        for query in (
            "PatientName=CompressedSamples%2A",
            "PatientName=%43ompressed*",
            "PatientName=NOBODY*",
            "limit=%31&_=1",
        )
    }
    assert [count > 0 for count in found.values()] == [True, True, False, True], found
    instance = json.loads(answer_to(stack, "rita", door(f"{study[1]}/instances"))[1])[0]["ID"]
    sizes = "width=16&height=16&window-center=40&quality=50&returnUnsupportedImage"
    picture = door(f"/orthanc/instances/{instance}/rendered?{sizes}")
    assert answer_to(stack, "rita", picture, "--output", "/dev/null")[0] == 200
    series, sop = (
        json.loads(answer_to(stack, "rita", door(f"/orthanc/instances/{instance}/simplified-tags"))[1])[tag]
        for tag in ("SeriesInstanceUID", "SOPInstanceUID")
    )
    frame = f"/dicom-web/studies/{study[0]}/series/{series}/instances/{sop}/rendered"
    rendered = door(f"{frame}?viewport=64,64&window=40,400,linear&quality=80")
    assert answer_to(stack, "rita", rendered, "--output", "/dev/null")[0] == 200
    image = f"studyUID={study[0]}&seriesUID={series}&objectUID={sop}"
    wado = door(f"/orthanc/wado?requestType=WADO&{image}&contentType=application%2Fdicom")
    assert answer_to(stack, "rita", wado, "--output", "/dev/null")[0] == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://other.example"},
        {"Origin": "null"},
        {"Origin": "https://localhost:444"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_another_sites_page_does_nothing_in_my_name(
    ask: Callable[..., requests.Response], study: tuple[str, str], headers: dict[str, str]
) -> None:
    assert ask("admin", "DELETE", study[1], headers=headers).status_code == 403
    assert ask("admin", "GET", study[1], headers=headers).status_code == 200


def test_the_archives_own_page_does_however_it_writes_its_name(
    stack: Stack, ask: Callable[..., requests.Response]
) -> None:
    """Case does not matter, nor does the port that HTTPS has anyway (RFC 6454 section 4)."""
    for host, own in (("LocalHost:443", "https://localhost"), ("localhost", "https://LOCALHOST:443")):
        headers = {"Host": host, "Origin": own}
        assert ask("admin", "POST", "/orthanc/tools/lookup", headers=headers, data="1.2.3").status_code == 200


@pytest.mark.parametrize("method", ["DELETE", "PUT", "POST"])
def test_another_sites_page_does_nothing_on_orthancs_own_port_either(
    stack: Stack, study: tuple[str, str], door: Callable[[str], str], method: str
) -> None:
    """The portal is another site to it, too."""
    path = door(study[1] + {"DELETE": "", "PUT": "/metadata/1025", "POST": "/anonymize"}[method])
    for sent in (
        f"Origin: {stack.portal}:1",
        "Origin: null",
        "Sec-Fetch-Site: cross-site",
        "Sec-Fetch-Site: same-site",
    ):
        code, said = answer_to(stack, "admin", path, "--request", method, "--data", "{}", "--header", sent)
        assert code == 403 and "Another site's page" in said
    assert answer_to(stack, "admin", door(study[1]))[0] == 200, "the study is gone"


@pytest.mark.parametrize(
    ("account", "method", "path", "code"),
    [
        ("rita", "GET", "/app/explorer.html", 200),
        ("rita", "GET", "/studies", 200),
        ("rita", "GET", "/dicom-web/studies", 200),
        ("rita", "POST", "/tools/find", 200),
        ("rita", "POST", "/tools/reset", 403),
        ("rita", "DELETE", "{study}", 403),
        ("rita", "PUT", "{study}/metadata/1026", 403),
        ("rita", "GET", "/archive/modalities.json", 404),
        ("ulf", "GET", "/studies", 403),
        ("ulf", "GET", "/", 403),
        ("admin", "PUT", "{study}/metadata/1026", 200),
        ("admin", "GET", "/", 307),
        ("admin", "GET", "/.git/config", 404),
        ("admin", "GET", "/_admission", 404),
        ("admin", "GET", "/orthanc/system", 404),
    ],
)
def test_orthancs_own_port_has_orthancs_pages_and_the_same_roles(
    stack: Stack, study: tuple[str, str], account: str, method: str, path: str, code: int
) -> None:
    url = stack.orthanc + path.replace("{study}", study[1].removeprefix("/orthanc"))
    body = ["--data", '{"Level": "Study", "Query": {}}'] if method in ("POST", "PUT") else []
    answered, said = answer_to(stack, account, url, "--request", method, *body)
    assert answered == code, said
    assert requests.get(url, verify=stack.ca, timeout=30).status_code in (401, 404)
    if path == "/app/explorer.html":
        assert "<title>Orthanc Explorer</title>" in said and "explorer.js" in said and "/archive/" not in said


def test_orthancs_own_port_leads_back_to_itself_and_is_written_down(stack: Stack, study: tuple[str, str]) -> None:
    since = time.time()
    _code, said = answer_to(stack, "rita", f"{stack.orthanc}/dicom-web/studies/{study[0]}/series")
    assert set(re.findall(r'https?://[^"]*?(?=/dicom-web)', said.replace("\\/", "/"))) == {stack.orthanc}
    resource = study[1].removeprefix("/orthanc/")
    answer_to(stack, "rita", f"{stack.orthanc}/{resource}", "--request", "DELETE")
    expected = [("rita", 200, study[0], ""), ("rita", 403, "", resource)]
    end = time.monotonic() + 10
    while len(lines := [line for line in audit(stack, since) if line["account"]]) < 2 and time.monotonic() < end:
        time.sleep(0.2)
    assert [tuple(line[key] for key in ("account", "status", "study", "resource")) for line in lines] == expected


def test_orthanc_knows_no_account_but_nginxs(stack: Stack) -> None:
    """No password of a person is on the host."""
    folder = Path("/etc/orthweb") / stack.name
    kept = json.loads((folder / "orthanc" / "secrets.json").read_text())
    assert set(kept["RegisteredUsers"]) == {"nginx"}
    rested = b"".join(file.read_bytes() for file in folder.rglob("*") if file.is_file())
    assert not [name for name, password in stack.credentials["generated"].items() if password.encode() in rested]


def curl(stack: Stack, path: str, *arguments: str) -> str:
    """What curl, logged in, says of a path of the portal."""
    return subprocess.run(
        ["curl", "--silent", "--cacert", stack.ca, "--config", "-", *arguments, stack.portal + path],
        input='user = "{}:{}"'.format(*stack.login),
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    ).stdout


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/.git/config", 404),
        ("/orthanc/.htpasswd", 404),
        ("/archive/admission.js", 404),
        ("/archive/orthanc-login.conf", 404),
        ("/archive/%2e%2e/users", 200),  # the viewer's own page, as for any path that it does not know
        ("/_admission", 404),
        ("/orthanc/system%0d%0aX-Method:%20DELETE", 400),
        ("/orthanc/%2e%2e/%2e%2e/etc/passwd", 400),
    ],
)
def test_what_no_path_leads_to(stack: Stack, path: str, code: int) -> None:
    """With curl, which sends the path as it is."""
    shown = curl(stack, path, "--path-as-is", "--write-out", "\n%{http_code}")
    body, said = shown.rsplit("\n", 1)
    assert int(said) == code
    assert code != 200 or "/app-config.js" in body


def curl_from(where: Place, stack: Stack, login: tuple[str, str], port: int = 0) -> tuple[int, float]:
    """Status and seconds of a request from there."""
    url = f"{stack.orthanc}/system" if port == stack.orthanc_port else f"{stack.portal}/archive/me"
    limits = ["--silent", "--output", "/dev/null", "--write-out", "%{http_code} %{time_total}", "--max-time", "60"]
    to = ["--connect-to", f"::{where.archive}:{port or stack.portal_port}", "--cacert", stack.ca, url]
    code, seconds = where.run(["curl", *limits, "--user", ":".join(login), *to]).stdout.split()
    return int(code), float(seconds)


@pytest.fixture
def places() -> Iterator[tuple[Place, Place]]:
    """For one test only: a deployment meanwhile would put these addresses into the certificates."""
    with place("guesser", "192.0.2.20/30") as guesser, place("reader", "192.0.2.24/30") as reader:
        yield guesser, reader


def test_who_guesses_waits_and_is_shut_out(stack: Stack, places: tuple[Place, Place]) -> None:
    guesser, reader = places
    waited = []
    for number in range(10):
        code, seconds = curl_from(guesser, stack, (f"nobody{number}", "guess"))
        assert code == 401
        waited.append(seconds)
    assert waited[9] > min(waited[:3]) + 1.5
    assert curl_from(guesser, stack, ("nobody", "guess"))[0] == 429
    assert curl_from(guesser, stack, stack.login_of("lena"))[0] == 429, "with the right password from that address"
    assert curl_from(guesser, stack, stack.login_of("lena"), port=stack.orthanc_port)[0] == 429, "on Orthanc's own port"
    assert curl_from(reader, stack, stack.login_of("lena"))[0] == 200, "from another one"


def audit(stack: Stack, since: float) -> list[dict]:
    said = docker("logs", "--since", f"{since:.3f}", stack.container("nginx"))
    return [json.loads(line) for line in said.splitlines() if line.startswith("{") and '"account"' in line]


def test_who_has_looked_at_what_is_written_down(
    stack: Stack, ask: Callable[..., requests.Response], study: tuple[str, str]
) -> None:
    uid, resource = study
    since = time.time()
    ask("rita", "GET", f"/dicom-web/studies/{uid}/metadata")
    ask("rita", "GET", f"/viewer?StudyInstanceUIDs={uid}")
    ask("admin", "GET", f"{resource}/archive")
    ask("rita", "DELETE", resource)
    ask("rita", "GET", "/dicom-web/studies?PatientName=DOE%5EJANE")
    ask("rita", "GET", "/assets/favicon.ico")
    assert requests.get(stack.portal, auth=("Secret1!", "x"), verify=stack.ca, timeout=30).status_code == 401
    expected = [
        ("rita", "GET", 200, uid, ""),
        ("rita", "GET", 200, uid, ""),
        ("admin", "GET", 200, "", resource.removeprefix("/orthanc/")),
        ("rita", "DELETE", 403, "", resource.removeprefix("/orthanc/")),
        ("rita", "GET", 200, "", ""),
        ("", "GET", 401, "", ""),
    ]
    end = time.monotonic() + 10
    while len(lines := audit(stack, since)) < len(expected) and time.monotonic() < end:
        time.sleep(0.2)
    assert [
        tuple(line[key] for key in ("account", "method", "status", "study", "resource")) for line in lines
    ] == expected
    for line in lines:
        assert re.fullmatch(r"\d+\.\d+\.\d+\.\d+", line["address"]) and line["time"] and line["bytes_sent"] > 0
    assert not re.search("DOE|JANE|Secret1", json.dumps(lines))


def peak_memory_mb(container: str) -> float:
    """Of the process of nginx that has used most, since it was started (VmHWM)."""
    seen = docker("exec", container, "bash", "-c", "cat /proc/[0-9]*/status")
    return max(int(kib) for kib in re.findall(r"^VmHWM:\s+(\d+) kB$", seen, re.MULTILINE)) / 1024


def test_large_images_pass_in_both_directions_without_being_kept(
    stack: Stack, ask: Callable[..., requests.Response]
) -> None:
    """300 MB up, and down again by a client that is slow to begin: nginx has none of it in memory."""
    image = ct_image(generate_uid())
    image.NumberOfFrames, image.Rows, image.Columns = 600, 500, 500
    image.PixelData = bytes(600 * 500 * 500 * 2)
    sent = encoded(image)
    answer = ask("ulf", "POST", "/orthanc/instances", data=sent)
    assert answer.status_code == 200, answer.text
    path = f"/orthanc{answer.json()['Path']}"
    try:
        with ask("admin", "GET", f"{path}/file", stream=True) as download:
            time.sleep(2)
            received = sum(len(piece) for piece in download.iter_content(1 << 20))
        assert abs(received - len(sent)) < 1000  # Orthanc writes the padding at the end anew
        assert peak_memory_mb(stack.container("nginx")) < 100
    finally:
        ask("admin", "DELETE", path)


def headers_of(stack: Stack, path: str, *arguments: str) -> tuple[str, dict[str, str]]:
    """Protocol and headers of an answer, with curl."""
    said = curl(stack, path, "--compressed", "--dump-header", "-", "--output", "/dev/null", *arguments)
    protocol, *lines = said.strip().splitlines()
    return protocol, {name.lower(): value for name, value in (line.split(": ", 1) for line in lines if ": " in line)}


def test_it_speaks_http_2_and_compresses_where_that_pays(stack: Stack, study: tuple[str, str]) -> None:
    protocol, page = headers_of(stack, "/")
    assert protocol.startswith("HTTP/2 200")
    assert page["content-encoding"] == "gzip"
    assert headers_of(stack, f"/dicom-web/studies/{study[0]}/metadata")[1].get("content-encoding") == "gzip"
    image = headers_of(stack, f"/dicom-web/studies/{study[0]}")[1]
    assert "content-encoding" not in image
    assert image["cache-control"] == "private, no-store"
    assert headers_of(stack, "/", "--http1.1")[0].startswith("HTTP/1.1 200")


@pytest.mark.parametrize(
    "path", ["/", "/orthanc/app/explorer.html", "/orthanc/system", "/archive/", "/dicom-web/studies"]
)
def test_browsers_are_told_to_be_careful(stack: Stack, path: str) -> None:
    _protocol, told = headers_of(stack, path)
    assert told["x-content-type-options"].startswith("nosniff")
    assert told["content-security-policy"].startswith("default-src 'none'; script-src 'self'")
    assert "frame-ancestors" in told["content-security-policy"]
    assert told["referrer-policy"] == "same-origin"
    assert "strict-transport-security" not in told, "localhost has other servers beside this one"


def test_plain_http_is_shown_the_way(stack: Stack) -> None:
    answer = requests.get(f"http://localhost:{stack.portal_port}/viewer?a=b", allow_redirects=False, timeout=30)
    assert (answer.status_code, answer.headers["Location"]) == (301, f"{stack.portal}/viewer?a=b")


@pytest.mark.parametrize(("version", "spoken"), [("-tls1_1", False), ("-tls1_2", True), ("-tls1_3", True)])
def test_tls(stack: Stack, version: str, spoken: bool) -> None:
    weak = ["-cipher", "ALL:@SECLEVEL=0"] if version == "-tls1_1" else []
    command = ["openssl", "s_client", "-connect", f"localhost:{stack.portal_port}", "-CAfile", stack.ca]
    done = subprocess.run(
        [*command, "-verify_return_error", "-verify_hostname", "localhost", version, *weak],
        input="",
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode == 0) is spoken, done.stdout + done.stderr


def test_an_orthanc_that_our_ca_does_not_know_gets_no_request(
    stack: Stack, ask: Callable[..., requests.Response], tmp_path: Path
) -> None:
    """Who got into the Docker network could stand there in its place. What we do by hand is fixed by the next run."""
    trusted = Path("/etc/orthweb") / stack.name / "nginx" / "orthanc-ca.crt"
    stranger = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "2",
    ]
    files = ["-keyout", tmp_path / "key", "-out", tmp_path / "crt", "-subj", "/CN=OrthWeb other CA"]
    subprocess.run([*stranger, *files], check=True, capture_output=True)
    trusted.write_bytes((tmp_path / "crt").read_bytes())
    docker("kill", "--signal", "HUP", stack.container("nginx"))
    end = time.monotonic() + 30
    while (code := ask("admin", "GET", "/orthanc/system").status_code) != 502:
        assert time.monotonic() < end, code
        time.sleep(0.5)
    stack.configure("--tags", "nginx").ok()
    assert ask("admin", "GET", "/orthanc/system").status_code == 200


def test_another_list_of_people_and_of_arguments_is_in_force_at_once(
    stack: Stack, ask: Callable[..., requests.Response], study: tuple[str, str]
) -> None:
    """Who is off the list is out; a plugin of one's own has its arguments, but not _method, whatever is listed."""
    gone = stack.login_of("rita")
    assert ask("rita", "GET", "/").status_code == 200
    others = [user for user in stack.variables["orthweb_users"] if user["name"] != "rita"]
    listed = [*others, {"name": "hash", "role": "reader", "password_hash": HASH}]
    of_mine = [{"path": "/orthanc/(my-plugin/.*|studies/[0-9a-f-]+)", "arguments": ["size", "m.*", "_.*"]}]
    url = f"{stack.portal}/orthanc/my-plugin/page"
    try:
        stack.configure("--tags", "identity,nginx", orthweb_users=listed, nginx_more_arguments=of_mine).ok()
        assert requests.get(stack.portal, auth=gone, verify=stack.ca, timeout=30).status_code == 401
        assert requests.get(stack.portal, auth=("hash", "hashed"), verify=stack.ca, timeout=30).status_code == 200
        assert ask("ulf", "GET", "/archive/me").json() == {"account": "ulf", "role": "uploader"}

        assert answer_to(stack, "lena", f"{url}?size=1&more=2")[0] == 404, "Orthanc says it, which has no such plugin"
        assert answer_to(stack, "lena", f"{url}?other=1")[0] == 400
        assert answer_to(stack, "lena", f"{stack.portal}{study[1]}?_method=DELETE")[0] == 400
    finally:
        stack.configure("--tags", "identity,nginx").ok()
    assert ask("rita", "GET", "/").status_code == 200
    assert answer_to(stack, "rita", f"{url}?size=1")[0] == 400
