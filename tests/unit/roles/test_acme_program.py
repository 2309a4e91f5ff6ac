# SPDX-License-Identifier: GPL-3.0-or-later
"""The program that gets the portal's certificate: what it runs, and what it makes of the answers."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from support.authority import Authority
from support.checkout import ROOT

FILE = ROOT / "roles" / "acme" / "files" / "renew.py"
SPECIFICATION = importlib.util.spec_from_file_location("acme_renew", FILE)
assert SPECIFICATION and SPECIFICATION.loader
renew: ModuleType = importlib.util.module_from_spec(SPECIFICATION)
sys.modules[SPECIFICATION.name] = renew  # where dataclasses looks
SPECIFICATION.loader.exec_module(renew)

SETTINGS: dict[str, Any] = {
    "stack": "clinic",
    "image": "orthweb/acme:trixie-1",
    "network": "clinic",
    "nginx_container": "clinic-nginx",
    "uid": 11113,
    "nginx_uid": 11112,
    "directory": "https://ca.example/dir",
    "email": "it@clinic.example",
    "names": ["pacs.clinic.example"],
    "challenge": "http-01",
    "dns_provider": "",
    "dns_propagation_seconds": 0,
}
OWN = "include /etc/nginx/orthweb/own-certificates.conf;\n"


def settings(**changes: object) -> Any:
    return renew.Settings(**{**SETTINGS, **changes})


class Host:
    """Docker, nginx and certbot, as far as the program sees them."""

    def __init__(self, folder: Path, authority: Authority) -> None:
        self.folder, self.authority = folder, authority
        self.ran: list[list[str]] = []
        self.certbot_says, self.certbot_code = "", 0
        self.running, self.accepts = True, True
        self.days: float = 90
        for name in ("store", "served", "challenge", "client"):
            (folder / name).mkdir()
        (folder / "served" / "certificate.conf").write_text(OWN)

    def issue(self, of: Any, *names: str) -> None:
        live = self.folder / "store" / of.account / "live" / "portal"
        live.mkdir(parents=True, exist_ok=True)
        certificate, key = self.authority.issue(*(names or of.names), days=self.days)
        (live / "fullchain.pem").write_bytes(certificate.read_bytes())
        (live / "privkey.pem").write_bytes(key.read_bytes())

    def run(self, command: Sequence[str], seconds: float = 60) -> subprocess.CompletedProcess[str]:
        self.ran.append(list(command))
        if command[1] == "run":
            if not self.certbot_code:
                self.issue(renew.Settings(**json.loads((self.folder / "settings.json").read_text())))
            return subprocess.CompletedProcess(command, self.certbot_code, "", self.certbot_says)
        if command[1] == "inspect":
            return subprocess.CompletedProcess(command, 0, "true\n" if self.running else "false\n", "")
        if command[1] == "exec":
            return subprocess.CompletedProcess(command, 0 if self.accepts else 1, "", "[emerg] key values mismatch")
        return subprocess.CompletedProcess(command, 0, "", "")

    @property
    def verbs(self) -> list[str]:
        return [command[1] for command in self.ran]

    def served(self) -> str:
        return (self.folder / "served" / "certificate.conf").read_text()

    def status(self) -> dict[str, str]:
        status: dict[str, str] = json.loads((self.folder / "status.json").read_text())
        return status


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    folder = tmp_path / "acme"
    folder.mkdir()
    (folder / "settings.json").write_text(json.dumps(SETTINGS))
    one = Host(folder, Authority(tmp_path / "ca"))
    monkeypatch.setattr(renew, "run", one.run)
    monkeypatch.setattr(renew, "FOLDER", folder)
    monkeypatch.setattr(renew.os, "fchown", lambda *_arguments: None)
    return one


class TestCertbot:
    def test_http_01(self) -> None:
        arguments = renew.certbot_arguments(settings(names=["a.example", "b.example"]))
        assert arguments[arguments.index("--webroot-path") + 1] == "/acme/challenge"
        assert [arguments[at + 1] for at, word in enumerate(arguments) if word == "--domain"] == [
            "a.example",
            "b.example",
        ]

    def test_dns_01(self) -> None:
        arguments = renew.certbot_arguments(
            settings(challenge="dns-01", dns_provider="desec", dns_propagation_seconds=30)
        )
        assert arguments[-6:] == [
            *("--authenticator", "dns-desec", "--dns-desec-credentials", "/acme/client/dns-credentials"),
            *("--dns-desec-propagation-seconds", "30"),
        ]
        assert "--webroot" not in arguments

    def test_route_53_takes_no_credentials_by_argument(self) -> None:
        route53 = settings(challenge="dns-01", dns_provider="route53", dns_propagation_seconds=30)
        assert renew.certbot_arguments(route53)[-2:] == ["--authenticator", "dns-route53"]
        assert "--env=AWS_CONFIG_FILE=/acme/client/dns-credentials" in renew.docker_command(route53, Path("/f"))

    def test_it_has_no_privileges(self, host: Host) -> None:
        command = renew.docker_command(settings(), host.folder)
        for option in ("--user=11113:11113", "--cap-drop=ALL", "--read-only", "--security-opt=no-new-privileges"):
            assert option in command
        assert command.index("orthweb/acme:trixie-1") == command.index("certonly") - 1

    def test_a_test_certificate_is_kept_apart(self) -> None:
        assert settings().account != settings(directory="https://staging.example/dir").account
        assert settings().account != settings(email="other@clinic.example").account


@pytest.mark.parametrize(
    ("output", "said", "todo"),
    [
        (
            "Requesting a certificate\n\nCertbot failed to authenticate some domains (authenticator: webroot). The "
            "Certificate Authority reported these problems:\n"
            "  Domain: pacs.clinic.example\n  Type:   connection\n  Detail: 192.0.2.7: Connection refused\n\n"
            "Hint: The Certificate Authority failed to download\n\nSome challenges have failed.\n",
            "pacs.clinic.example: Type: connection, 192.0.2.7: Connection refused",
            "port 80",
        ),
        (
            "  Domain: a.example\n  Type:   dns\n  Detail: NXDOMAIN looking up A\n\n"
            "  Domain: b.example\n  Type:   dns\n  Detail: no valid A records\n",
            "a.example: Type: dns, NXDOMAIN looking up A; b.example: Type: dns, no valid A records",
            "records in DNS",
        ),
        (
            "Saving debug log to /tmp/logs/letsencrypt.log\nAn unexpected error occurred:\n"
            "requests.exceptions.ConnectionError: Max retries exceeded (<urllib3.X object at 0x7f7>)\n"
            "Ask for help or search for solutions at https://community.letsencrypt.org. See the logfile x\n",
            "requests.exceptions.ConnectionError: Max retries exceeded (connection)",
            "cannot be reached",
        ),
        (
            "An unexpected error occurred:\nurn:ietf:params:acme:error:rateLimited :: There were too many requests\n",
            "urn:ietf:params:acme:error:rateLimited :: There were too many requests",
            "staging",
        ),
        (
            "An unexpected error occurred:\nrequests.exceptions.SSLError: Max retries exceeded: certificate verify "
            "failed\n",
            "requests.exceptions.SSLError: Max retries exceeded: certificate verify failed",
            "orthweb_acme.ca_certificate",
        ),
        (
            "Encountered error adding TXT record: The DNS response does not contain an answer\n",
            "Encountered error adding TXT record: The DNS response does not contain an answer",
            "dns_credentials",
        ),
        ("something new\n", "something new", "Fix the cause"),
    ],
)
def test_what_certbot_says_is_handed_on_with_a_remedy(output: str, said: str, todo: str) -> None:
    assert renew.what_certbot_said(output) == said
    assert todo in renew.advice(output)


class TestWhenItIsDue:
    @pytest.mark.parametrize(("days", "is_due"), [(90, False), (31, False), (29, True), (-1, True)])
    def test_with_a_third_left(self, days: float, is_due: bool) -> None:
        ends = datetime(2027, 3, 1, tzinfo=UTC)
        names = frozenset({"pacs.clinic.example"})
        certificate = renew.Certificate("", names, ends - timedelta(days=90), ends)
        assert certificate.is_due(["pacs.clinic.example"], ends - timedelta(days=days)) is is_due

    def test_with_other_names(self) -> None:
        now = datetime(2027, 3, 1, tzinfo=UTC)
        certificate = renew.Certificate("", frozenset({"a.example"}), now, now + timedelta(days=90))
        assert certificate.is_due(["a.example", "b.example"], now)

    def test_what_openssl_reads(self, tmp_path: Path) -> None:
        file, key = Authority(tmp_path).issue("a.example", "b.example", days=90)
        certificate = renew.Certificate.of(key.read_text() + file.read_text())
        assert certificate.names == {"a.example", "b.example"}
        assert certificate.not_after - datetime.now(UTC) > timedelta(days=89)

    def test_what_is_no_certificate(self) -> None:
        with pytest.raises(renew.IssueError, match="openssl does not read it"):
            renew.Certificate.of("nothing")


class TestRenew:
    def test_the_first_one_is_served(self, host: Host, capsys: pytest.CaptureFixture[str]) -> None:
        assert renew.main([]) == 0
        assert host.verbs == ["rm", "run", "inspect", "exec", "kill"]
        assert host.served() == renew.NGINX_DIRECTIVES
        assert "PRIVATE KEY" in (host.folder / "served" / "portal.pem").read_text()
        assert (host.folder / "served" / "portal.pem").stat().st_mode & 0o777 == 0o400
        assert "The portal has a new certificate for pacs.clinic.example" in capsys.readouterr().out
        assert host.status()["problem"] == ""

    def test_nobody_is_asked_before_it_is_due(self, host: Host, capsys: pytest.CaptureFixture[str]) -> None:
        host.days = 5000  # the authority's certificates begin long ago
        assert renew.main([]) == 0
        host.ran.clear()
        assert renew.main([]) == 0
        assert host.ran == []
        assert "The portal has a certificate for" in capsys.readouterr().out

    def test_it_is_asked_for_if_it_is_due_or_wanted(self, host: Host) -> None:
        host.days = 5000
        renew.main([])
        host.ran.clear()
        assert renew.main(["--force"]) == 0
        assert "run" in host.verbs and "kill" in host.verbs
        host.days = 90
        renew.main(["--force"])
        host.ran.clear()
        renew.main([])
        assert "run" in host.verbs

    def test_without_an_answer_the_present_one_stays(self, host: Host, capsys: pytest.CaptureFixture[str]) -> None:
        renew.main([])
        before = (host.folder / "served" / "portal.pem").read_text()
        host.certbot_code, host.certbot_says = 1, "requests.exceptions.ConnectTimeout: no\n"
        host.ran.clear()
        assert renew.main(["--force"]) == 1
        assert host.verbs == ["rm", "run"]
        assert (host.folder / "served" / "portal.pem").read_text() == before
        said = capsys.readouterr().err
        assert "the present one stays, valid until 20" in said and "cannot be reached" in said
        assert host.status()["message"] == said.strip()

    def test_before_there_was_one_the_private_cas_stays(self, host: Host, capsys: pytest.CaptureFixture[str]) -> None:
        host.certbot_code = 1
        assert renew.main([]) == 1
        assert host.served() == OWN
        assert "the private CA's is served" in capsys.readouterr().err

    def test_what_nginx_refuses_is_taken_back(self, host: Host, capsys: pytest.CaptureFixture[str]) -> None:
        host.accepts = False
        assert renew.main([]) == 1
        assert host.served() == OWN
        assert not (host.folder / "served" / "portal.pem").exists()
        assert "kill" not in host.verbs
        assert "nginx refused it: [emerg] key values mismatch" in capsys.readouterr().err

    def test_nginx_that_is_stopped_reads_it_when_it_starts(self, host: Host) -> None:
        host.running = False
        assert renew.main([]) == 0
        assert host.served() == renew.NGINX_DIRECTIVES
        assert "kill" not in host.verbs

    def test_what_leads_out_of_certbots_folder_is_not_read(self, host: Host, tmp_path: Path) -> None:
        """certbot's user could make links, and nginx would show what they point to."""
        host.issue(settings())
        live = host.folder / "store" / settings().account / "live" / "portal"
        (live / "privkey.pem").rename(tmp_path / "secret")
        (live / "privkey.pem").symlink_to(tmp_path / "secret")
        assert renew.main([]) == 1
        assert host.served() == OWN
        assert "leads out of certbot's folder" in host.status()["problem"]

    def test_a_certbot_that_does_not_end(self, host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
        def hang(command: Sequence[str], seconds: float = 60) -> subprocess.CompletedProcess[str]:
            if command[1] == "run":
                raise subprocess.TimeoutExpired(command, seconds)
            return host.run(command)

        monkeypatch.setattr(renew, "run", hang)
        assert renew.main([]) == 1
        assert host.verbs == ["rm", "rm"]
        assert "no answer within 600 seconds" in host.status()["problem"]

    def test_other_arguments_are_refused(self, host: Host) -> None:
        assert renew.main(["--froce"]) == 2
        assert host.ran == []
