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
from images import associate, ct_image, is_stored
from places import Place, place
from pydicom import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.uid import generate_uid
from stack import Stack, docker

HASH = (  # of "hashed", by `openssl passwd -6`
    "$6$frontdoor$/DeSa2yQS3ePKrlDLO3hYk6KXk.HsgEpKk99drY6ewy9ld6/sbOJG2/SQ/1Ko4rz2twsg9bagH8lyCVnV7hFm1"
)
ROLES = {"admin": "admin", "rita": "reader", "ulf": "uploader"}


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


def encoded(image: Dataset) -> bytes:
    buffer = DicomBytesIO()
    image.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


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


READING = [
    ("GET", "/"),
    ("GET", "/viewer?StudyInstanceUIDs=1.2.3"),
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
    ("GET", "/archive/archive.js"),
]
FOR_ADMINS = [
    ("GET", "/archive/modalities.json"),
    ("PUT", "{study}/metadata/1024"),
    ("POST", "{study}/anonymize"),
    ("POST", "/orthanc/tools/execute-script"),
    ("POST", "/orthanc/tools/reset"),
    ("POST", "/orthanc/tools/shutdown"),
    ("POST", "/orthanc/modalities/workstation/store"),
    ("DELETE", "{study}"),
]


@pytest.mark.parametrize(("method", "path"), [*READING, *FOR_ALL, *FOR_ADMINS])
@pytest.mark.parametrize("account", ["", "rita", "ulf"])
def test_who_may_do_what(
    ask: Callable[..., requests.Response], study: tuple[str, str], account: str, method: str, path: str
) -> None:
    allowed = {"": [], "rita": [*READING, *FOR_ALL], "ulf": FOR_ALL}[account]
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
    for path in ("/archive/modalities.json", "/orthanc/modalities", study[1]):
        assert ask("admin", "GET", path).status_code == 200
    assert ask("admin", "PUT", f"{study[1]}/metadata/1024", data="looked at").status_code == 200
    # Past the gate: it is Orthanc, whose configuration has no scripts, that refuses.
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


@pytest.mark.parametrize("argument", ["_method=DELETE", "a=1&_method=DELETE", "%5Fmethod=DELETE", "_%6dethod=DELETE"])
def test_get_stays_get(ask: Callable[..., requests.Response], study: tuple[str, str], argument: str) -> None:
    """Orthanc takes this for DELETE: a link in a mail would do it, and a reader could."""
    for account in ("rita", "admin"):
        assert ask(account, "GET", f"{study[1]}?{argument}").status_code == 403
    header = {"X-HTTP-Method-Override": "DELETE"}
    ask("rita", "GET", study[1], headers=header)
    ask("rita", "POST", "/orthanc/tools/find", headers=header, json={"Level": "Study", "Query": {}})
    assert ask("rita", "GET", study[1]).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://other.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_another_sites_page_does_nothing_in_my_name(
    ask: Callable[..., requests.Response], study: tuple[str, str], headers: dict[str, str]
) -> None:
    assert ask("admin", "DELETE", study[1], headers=headers).status_code == 403
    assert ask("admin", "GET", study[1], headers=headers).status_code == 200


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
        ("/archive/gate.js", 404),
        ("/archive/orthanc-login.conf", 404),
        ("/archive/%2e%2e/users", 200),  # the viewer's own page, as for any path that it does not know
        ("/_gate", 404),
        ("/orthanc/system%0d%0aX-Method:%20DELETE", 400),
        ("/orthanc/%2e%2e/%2e%2e/etc/passwd", 400),
    ],
)
def test_what_no_path_leads_to(stack: Stack, path: str, code: int) -> None:
    """With curl, which sends the path as it is."""
    shown = curl(stack, path, "--path-as-is", "--write-out", "\n%{http_code}")
    body, said = shown.rsplit("\n", 1)
    assert int(said) == code
    assert code != 200 or "<title>OHIF Viewer</title>" in body


def curl_from(where: Place, stack: Stack, login: tuple[str, str], path: str = "/archive/me") -> tuple[int, float]:
    """Status and seconds of a request from there."""
    limits = ["--silent", "--output", "/dev/null", "--write-out", "%{http_code} %{time_total}", "--max-time", "60"]
    to = ["--connect-to", f"::{where.archive}:{stack.https_port}", "--cacert", stack.ca, f"{stack.portal}{path}"]
    code, seconds = where.run(["curl", *limits, "--user", ":".join(login), *to]).stdout.split()
    return int(code), float(seconds)


@pytest.fixture
def places() -> Iterator[tuple[Place, Place]]:
    """For one test only: a deployment meanwhile would put these addresses into the certificates."""
    with place("ow-guesser", "192.0.2.20/30") as guesser, place("ow-reader", "192.0.2.24/30") as reader:
        yield guesser, reader


def test_who_guesses_waits_and_is_shut_out(stack: Stack, places: tuple[Place, Place]) -> None:
    guesser, reader = places
    waited = []
    for number in range(10):
        code, seconds = curl_from(guesser, stack, (f"nobody{number}", "guess"))
        assert code == 401
        waited.append(seconds)
    assert waited[9] > waited[0] + 1.5
    assert curl_from(guesser, stack, ("nobody", "guess"))[0] == 429
    assert curl_from(guesser, stack, stack.login_of("lena"))[0] == 429, "with the right password from that address"
    assert curl_from(reader, stack, stack.login_of("lena"))[0] == 200, "from another one"


def test_an_account_that_is_guessed_at_is_shut_out_everywhere(stack: Stack, places: tuple[Place, Place]) -> None:
    _guesser, reader = places
    codes = [curl_from(reader, stack, ("leo", "guess"))[0] for _guess in range(11)]
    assert codes == [401] * 10 + [429]
    session = requests.Session()
    session.verify, session.trust_env = stack.ca, False
    refused = session.get(f"{stack.portal}/archive/me", auth=stack.login_of("leo"), timeout=30)
    assert refused.status_code == 429 and "try again in 15m" in refused.text
    assert session.get(f"{stack.portal}/archive/me", auth=stack.login_of("lena"), timeout=30).status_code == 200


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
    answer = requests.get(f"http://localhost:{stack.https_port}/viewer?a=b", allow_redirects=False, timeout=30)
    assert (answer.status_code, answer.headers["Location"]) == (301, f"{stack.portal}/viewer?a=b")


@pytest.mark.parametrize(("version", "spoken"), [("-tls1_1", False), ("-tls1_2", True), ("-tls1_3", True)])
def test_tls(stack: Stack, version: str, spoken: bool) -> None:
    weak = ["-cipher", "ALL:@SECLEVEL=0"] if version == "-tls1_1" else []
    command = ["openssl", "s_client", "-connect", f"localhost:{stack.https_port}", "-CAfile", stack.ca]
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
    """Who got into the Docker network could stand there in its place. What we do by hand is mended by the next run."""
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
    stack.play("configure", "--tags", "nginx").ok()
    assert ask("admin", "GET", "/orthanc/system").status_code == 200


def test_who_is_not_in_the_list_any_more_is_out_at_once(stack: Stack, ask: Callable[..., requests.Response]) -> None:
    gone = stack.login_of("rita")
    assert ask("rita", "GET", "/").status_code == 200
    others = [user for user in stack.variables["orthweb_users"] if user["name"] != "rita"]
    try:
        stack.play(
            "configure",
            "--tags",
            "nginx",
            orthweb_users=[*others, {"name": "hash", "role": "reader", "password_hash": HASH}],
        ).ok()
        assert requests.get(stack.portal, auth=gone, verify=stack.ca, timeout=30).status_code == 401
        assert requests.get(stack.portal, auth=("hash", "hashed"), verify=stack.ca, timeout=30).status_code == 200
        assert ask("ulf", "GET", "/archive/me").json() == {"account": "ulf", "role": "uploader"}
    finally:
        stack.play("configure", "--tags", "nginx").ok()
    assert ask("rita", "GET", "/").status_code == 200
