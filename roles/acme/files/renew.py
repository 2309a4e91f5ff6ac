# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask an ACME CA for the portal's certificate, or renew it once it is due, and have nginx serve it.

It runs on the archive's host, as root, from the folder that role acme has made, and needs Python, Docker and openssl.
certbot, in a container without privileges, gets the certificate; this program puts it where nginx reads it.

    store/      certbot's account, keys and certificates, by directory and email
    challenge/  what nginx shows to the CA
    client/     what certbot reads: the CA's certificate, the DNS provider's credentials
    served/     what nginx reads: portal.pem, and certificate.conf, which is role acme's until there is a portal.pem
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
# In the containers.
STORE, CHALLENGE, CLIENT = "/acme/store", "/acme/challenge", "/acme/client"
SERVED = "/etc/nginx/acme"
CERTBOT_SECONDS = 600
TIME = "%Y-%m-%dT%H:%M:%SZ"
NGINX_DIRECTIVES = f"ssl_certificate {SERVED}/portal.pem;\nssl_certificate_key {SERVED}/portal.pem;\n"

# Messages of certbot → what to do; the first match counts.
ADVICE = (
    (
        r"certificate verify failed|SSLError",
        "If the CA is your own, set orthweb_acme.ca_certificate to its certificate.",
    ),
    (
        r"ConnectionError|ConnectTimeout|ReadTimeout|NewConnectionError|Timeout|Max retries exceeded",
        "The CA cannot be reached from this host: check orthweb_acme.directory, name server and firewall.",
    ),
    (
        r"rateLimited|too many",
        "The CA counts what it issues and what fails. Wait as long as it says; to try settings, set "
        "orthweb_acme.directory to the CA's staging directory.",
    ),
    (
        r"Type: +(?:unauthorized|connection)",
        "The CA asked this name on port 80, and did not get the archive's answer: check that the name leads to this "
        "host in DNS (A, and AAAA if there is one), and that port 80 is open to everybody.",
    ),
    (
        r"Type: +(?:dns|caa)",
        "Check the name's records in DNS: A or AAAA for http-01, TXT for dns-01, and CAA.",
    ),
    (
        r"dns_rfc2136|dns_cloudflare|dns_desec|dns_infomaniak|dns_route53|TXT record|NoCredentialsError|credentials",
        "Check orthweb_acme.dns_credentials, and whether they allow TXT records of this name's zone to be changed.",
    ),
    (
        r"rejectedIdentifier|invalidContact|unsupportedContact|policy",
        "Check orthweb_acme.names and orthweb_acme.email.",
    ),
    (r"externalAccountRequired", "This CA wants accounts that were made with it before, which is not supported."),
)


class IssueError(Exception):
    """Half a sentence that says what did not work, and what came back."""


@dataclass(frozen=True)
class Settings:
    """What role acme has written to settings.json."""

    stack: str
    image: str
    network: str
    nginx_container: str
    uid: int
    nginx_uid: int
    directory: str
    email: str
    names: list[str]
    challenge: str
    dns_provider: str
    dns_propagation_seconds: int

    @property
    def container(self) -> str:
        return f"{self.stack}-acme"

    @property
    def account(self) -> str:
        """A folder of its own for each CA and email: a test certificate must not be taken for a real one."""
        return hashlib.sha256(f"{self.directory} {self.email}".encode()).hexdigest()[:12]


def run(command: Sequence[str], seconds: float = 60) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)


# --- certbot


def certbot_arguments(settings: Settings) -> list[str]:
    """Issue a certificate, whether there is one or not: whether it is due has been decided."""
    arguments = ["certonly", "--non-interactive", "--agree-tos", "--no-eff-email", "--key-type", "ecdsa"]
    arguments += ["--config-dir", f"{STORE}/{settings.account}", "--work-dir", "/tmp/work", "--logs-dir", "/tmp/logs"]
    arguments += ["--server", settings.directory, "--email", settings.email, "--cert-name", "portal"]
    arguments += ["--renew-with-new-domains", "--force-renewal"]
    for name in settings.names:
        arguments += ["--domain", name]
    if settings.challenge == "http-01":
        return [*arguments, "--webroot", "--webroot-path", CHALLENGE]
    plugin = f"dns-{settings.dns_provider}"
    arguments += ["--authenticator", plugin]
    if plugin != "dns-route53":  # it reads AWS_CONFIG_FILE
        arguments += [f"--{plugin}-credentials", f"{CLIENT}/dns-credentials"]
        if settings.dns_propagation_seconds:
            arguments += [f"--{plugin}-propagation-seconds", str(settings.dns_propagation_seconds)]
    return arguments


def docker_command(settings: Settings, folder: Path) -> list[str]:
    """With no secret in it: everybody on the host sees it in the process list."""
    command = ["docker", "run", "--rm", f"--name={settings.container}", f"--label=orthweb.stack={settings.stack}"]
    command += [
        f"--network={settings.network}",
        f"--user={settings.uid}:{settings.uid}",
        "--read-only",
        "--cap-drop=ALL",
    ]
    command += ["--security-opt=no-new-privileges", "--pids-limit=64", "--tmpfs=/tmp:mode=1777,size=16m"]
    command += [f"--volume={folder}/store:{STORE}", f"--volume={folder}/challenge:{CHALLENGE}"]
    command += [f"--volume={folder}/client:{CLIENT}:ro", f"--env=AWS_CONFIG_FILE={CLIENT}/dns-credentials"]
    command.append(f"--env=REQUESTS_CA_BUNDLE={CLIENT}/ca.crt")
    return [*command, settings.image, *certbot_arguments(settings)]


def what_certbot_said(output: str) -> str:
    """What the CA or the library objected to, on one line."""
    details = re.findall(
        r"^ +Domain: (.+)\n +Type: +(.+)\n +Detail: (.+(?:\n {2,}(?!Domain:|Hint:).+)*)", output, re.MULTILINE
    )
    if details:
        said = "; ".join(f"{domain}: Type: {kind}, {detail}" for domain, kind, detail in details)
    else:
        said = re.sub(
            r"^(Saving debug|Ask for help|Requesting|Account registered|An unexpected error).*",
            "",
            output,
            flags=re.MULTILINE,
        )
        said = re.sub(
            r"<\S+ object at 0x[0-9a-f]+>",
            "connection",
            said.replace("See the logfile", "\n").partition("Ask for help")[0],
        )
    return " ".join(said.split())[-600:]


def advice(said: str) -> str:
    return next((todo for pattern, todo in ADVICE if re.search(pattern, said)), "Fix the cause and run this again.")


def ask_the_ca(settings: Settings, folder: Path) -> None:
    """Leave the certificate in ``store``."""
    run(["docker", "rm", "--force", settings.container])  # of a run that was ended from outside
    try:
        done = run(docker_command(settings, folder), CERTBOT_SECONDS)
    except subprocess.TimeoutExpired as error:
        run(["docker", "rm", "--force", settings.container])
        raise IssueError(f"no answer within {CERTBOT_SECONDS} seconds. {advice('Timeout')}") from error
    if done.returncode:
        said = what_certbot_said(done.stdout + done.stderr)
        raise IssueError(f"{said.rstrip('.')}. {advice(done.stdout + done.stderr)}")


# --- the certificate


@dataclass(frozen=True)
class Certificate:
    """Key and certificate with its chain, and what the certificate says."""

    pem: str
    names: frozenset[str]
    not_before: datetime
    not_after: datetime

    @classmethod
    def of(cls, pem: str) -> Certificate:
        """What openssl says, as Python's own library has nothing that reads certificates."""
        command = ["openssl", "x509", "-noout", "-dates", "-dateopt", "iso_8601", "-ext", "subjectAltName"]
        done = subprocess.run(command, input=pem, capture_output=True, text=True, timeout=60, check=False)
        dates = dict(re.findall(r"^(notBefore|notAfter)=(.+)$", done.stdout, re.MULTILINE))
        if len(dates) != 2:
            raise IssueError(f"openssl does not read it: {done.stderr.strip()}")
        names = frozenset(re.findall(r"DNS:([^,\s]+)", done.stdout))
        return cls(pem, names, *(datetime.fromisoformat(dates[key]) for key in ("notBefore", "notAfter")))

    def is_due(self, names: Sequence[str], now: datetime) -> bool:
        """With a third of its life left, which leaves a month of 90 days to try again."""
        return self.names != set(names) or now > self.not_after - (self.not_after - self.not_before) / 3


def issued(settings: Settings, folder: Path) -> Certificate | None:
    """What certbot has, or None if there is none yet. What certbot's user could point elsewhere is not read."""
    live = folder / "store" / settings.account / "live" / "portal"
    parts = [live / "privkey.pem", live / "fullchain.pem"]
    if not all(part.exists() for part in parts):
        return None
    if not all(part.resolve().is_relative_to(folder / "store") for part in parts):
        raise IssueError(f"{live} leads out of certbot's folder")
    return Certificate.of("".join(part.read_text() for part in parts))


# --- nginx


def write(path: Path, content: str, owner: int, mode: int) -> None:
    """The whole file or nothing of it."""
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as file:
        os.fchown(file.fileno(), owner, owner)
        os.fchmod(file.fileno(), mode)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


def serve(settings: Settings, folder: Path, pem: str) -> bool:
    """Have nginx serve it, without ending a connection; whether it is new. What nginx refuses is taken back."""
    wanted = {"portal.pem": pem, "certificate.conf": NGINX_DIRECTIVES}
    before = {name: text_of(folder / "served" / name) for name in wanted}
    if before == wanted:
        return False
    put(settings, folder, wanted)
    running = run(["docker", "inspect", "--format", "{{.State.Running}}", settings.nginx_container])
    if running.stdout.strip() != "true":
        return True  # it reads them when it starts
    tried = run(["docker", "exec", settings.nginx_container, "nginx.sh", "-t", "-q"])
    if tried.returncode:
        put(settings, folder, before)
        raise IssueError(f"nginx refused it: {' '.join((tried.stdout + tried.stderr).split())[-400:]}")
    told = run(["docker", "kill", "--signal", "HUP", settings.nginx_container])
    if told.returncode:
        raise IssueError(f"nginx could not be told to load it: {told.stderr.strip()}")
    return True


def put(settings: Settings, folder: Path, contents: Mapping[str, str | None]) -> None:
    for name, content in contents.items():
        if content is None:
            (folder / "served" / name).unlink()
        else:
            write(folder / "served" / name, content, settings.nginx_uid, 0o400)


def text_of(path: Path) -> str | None:
    return path.read_text() if path.exists() else None


# --- status


def served(folder: Path) -> str:
    """Until when what nginx serves is valid, or empty if that is not an ACME CA's certificate."""
    if text_of(folder / "served" / "certificate.conf") != NGINX_DIRECTIVES:
        return ""
    return f"{Certificate.of((folder / 'served' / 'portal.pem').read_text()).not_after:{TIME}}"


def report(settings: Settings, folder: Path, is_new: bool, problem: str) -> dict[str, str]:
    """What the outputs, `make verify` and the journal say."""
    until = served(folder)
    kept = f"the present one stays, valid until {until}" if until else "the private CA's is served"
    message = (
        f"No new certificate for {', '.join(settings.names)} from {settings.directory}, and {kept}: {problem}"
        if problem
        else f"The portal has a {'new ' if is_new else ''}certificate for {', '.join(settings.names)} from "
        f"{settings.directory}, valid until {until}."
    )
    return {"checked": f"{datetime.now(UTC):{TIME}}", "not_after": until, "problem": problem, "message": message}


def renew(settings: Settings, folder: Path, force: bool) -> dict[str, str]:
    """Whatever goes wrong, what nginx serves stays."""
    problem, is_new = "", False
    try:
        certificate = issued(settings, folder)
        if force or not certificate or certificate.is_due(settings.names, datetime.now(UTC)):
            ask_the_ca(settings, folder)
            certificate = issued(settings, folder)
        if not certificate:
            raise IssueError("certbot ended well, but left no certificate")
        is_new = serve(settings, folder, certificate.pem)
    except (IssueError, OSError, subprocess.TimeoutExpired) as error:
        problem = str(error)
    status = report(settings, folder, is_new, problem)
    write(folder / "status.json", json.dumps(status, indent=2) + "\n", 0, 0o644)
    return status


def main(arguments: Sequence[str]) -> int:
    if set(arguments) - {"--force"}:
        print(f"Usage: python3 {__file__} [--force]\n--force renews a certificate that is not due.", file=sys.stderr)
        return 2
    settings = Settings(**json.loads((FOLDER / "settings.json").read_text()))
    with (FOLDER / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        status = renew(settings, FOLDER, "--force" in arguments)
    print(status["message"], file=sys.stderr if status["problem"] else sys.stdout)
    return 1 if status["problem"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
