# SPDX-License-Identifier: GPL-3.0-or-later
"""Run `make deploy` once a week, which renews the stack's certificates, and say when it could not.

`make timer` calls `install`, with what `make deploy` is given; systemd or cron calls `run`; `make timer-off` calls
`remove`. In the stack's folder, renewal.json has what to run, renewal-status.json what came of it, and renewal.log
all that was said.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
KEPT_VARIABLES = ("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE")
ASKS_FOR_A_PASSWORD = ("-K", "-k", "-J", "--ask-become-pass", "--ask-pass", "--ask-vault-pass", "--ask-vault-password")
LAST_LINES = 40
WEEKLY = "Sun *-*-* 03:00:00"
CRON = "0 3 * * 0"

SERVICE = """[Unit]
Description=Renew the certificates of {stack} (make deploy)
Wants=network-online.target
After=network-online.target
# So that nothing runs after a teardown.
ConditionPathExists={settings}

[Service]
Type=oneshot
ExecStart={command}
"""
TIMER = """[Unit]
Description=Renew the certificates of {stack} once a week

[Timer]
OnCalendar={calendar}
RandomizedDelaySec=2h
Persistent=true

[Install]
WantedBy=timers.target
"""


@dataclass(frozen=True)
class Settings:
    """What to run, and whom to tell."""

    stack: str
    state_root: str
    inventory: str
    arguments: str
    mail: str
    variables: dict[str, str]

    @property
    def folder(self) -> Path:
        return Path(self.state_root) / self.stack

    @property
    def file(self) -> Path:
        return self.folder / "renewal.json"

    @property
    def unit(self) -> str:
        return f"orthweb-{self.stack}-renewal"

    @property
    def command(self) -> list[str]:
        return [sys.executable, str(CHECKOUT / "tools" / "renewal.py"), "run", str(self.file)]


# --- install


def problems(settings: Settings) -> list[str]:
    """Sentences about what cannot work at night."""
    found = []
    if not (settings.folder / "outputs.json").exists():
        found.append(f"Nothing is deployed under the name {settings.stack} from this machine: run 'make deploy' first.")
    asking = sorted(set(shlex.split(settings.arguments)) & set(ASKS_FOR_A_PASSWORD))
    if asking:
        found.append(
            f"ARGS has {', '.join(asking)}, but nobody is there to type it: use a file (--vault-password-file)."
        )
    if settings.mail and not shutil.which("sendmail", path=f"{os.environ.get('PATH', '')}:/usr/sbin"):
        found.append(
            f"MAIL is {settings.mail}, but this machine has no sendmail: install one (msmtp-mta), or omit MAIL."
        )
    return found


def install(settings: Settings) -> int:
    if found := problems(settings):
        print("\n".join(found), file=sys.stderr)
        return 1
    settings.file.write_text(json.dumps(asdict(settings), indent=2) + "\n")
    settings.file.chmod(0o600)
    if not has_systemd():
        print(
            f"This machine does not run systemd. Put this line into your crontab (crontab -e):\n{cron_line(settings)}"
        )
        return 0
    folder = unit_folder()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{settings.unit}.service").write_text(service(settings))
    (folder / f"{settings.unit}.timer").write_text(TIMER.format(stack=settings.stack, calendar=WEEKLY))
    systemctl("daemon-reload")
    systemctl("enable", "--now", f"{settings.unit}.timer")
    if os.geteuid() != 0:  # else it would run only while this user is logged in
        subprocess.run(["loginctl", "enable-linger"], check=True)
    print(f"{settings.unit}.timer runs make deploy once a week. What it says is in {settings.folder / 'renewal.log'}.")
    return 0


def remove(settings: Settings) -> int:
    settings.file.unlink(missing_ok=True)
    (settings.folder / "renewal-status.json").unlink(missing_ok=True)
    timer = unit_folder() / f"{settings.unit}.timer"
    if timer.exists():
        systemctl("disable", "--now", timer.name)
        timer.unlink()
        timer.with_suffix(".service").unlink(missing_ok=True)
        systemctl("daemon-reload")
    print(f"Nothing renews the certificates of {settings.stack} by itself now.")
    return 0


def service(settings: Settings) -> str:
    command = " ".join(f'"{word}"' for word in settings.command).replace("%", "%%").replace("$", "$$")
    return SERVICE.format(stack=settings.stack, settings=str(settings.file).replace("%", "%%"), command=command)


def cron_line(settings: Settings) -> str:
    """It says nothing if all is well, so that cron mails failures only."""
    return f"{CRON} {shlex.join(settings.command)}".replace("%", "\\%")


def has_systemd() -> bool:
    return Path("/run/systemd/system").exists()


def unit_folder() -> Path:
    if os.geteuid() == 0:
        return Path("/etc/systemd/system")
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "systemd" / "user"


def systemctl(*arguments: str) -> None:
    subprocess.run(["systemctl", *([] if os.geteuid() == 0 else ["--user"]), *arguments], check=True)


# --- run


def for_make(text: str) -> str:
    """make has expanded it once already, before it was kept."""
    return text.replace("$", "$$")


def environment(settings: Settings, own: Mapping[str, str]) -> dict[str, str]:
    ours = {"ORTHWEB_STACK": settings.stack, "ORTHWEB_STATE_ROOT": settings.state_root, "ANSIBLE_NOCOLOR": "1"}
    return {"HOME": str(Path.home()), **own, **settings.variables, **ours}  # a system's service has no HOME


def renew(settings: Settings) -> int:
    log, status_file = settings.folder / "renewal.log", settings.folder / "renewal-status.json"
    status_file.unlink(missing_ok=True)  # or make deploy would warn of the run before
    command = ["make", "deploy", f"INVENTORY={settings.inventory}", f"ARGS={for_make(settings.arguments)}"]
    with log.open("w") as output:
        log.chmod(0o600)
        done = subprocess.run(
            command,
            cwd=CHECKOUT,
            env=environment(settings, os.environ),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    said = "\n".join(log.read_text(errors="replace").splitlines()[-LAST_LINES:])
    status = {
        "ended": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "problem": f"make deploy ended with {done.returncode}; see {log}" if done.returncode else "",
    }
    if settings.folder.exists():
        status_file.write_text(json.dumps(status, indent=2) + "\n")
    if done.returncode:
        text = (
            f"The certificates of {settings.stack} were not renewed: {status['problem']}. Its last lines:\n\n{said}\n"
        )
        print(text, file=sys.stderr)
        if settings.mail:
            send(settings, text)
    return 1 if done.returncode else 0


def send(settings: Settings, text: str) -> None:
    subject = f"{settings.stack}: the certificates were not renewed"
    path = f"{os.environ.get('PATH', '')}:/usr/sbin"
    program = shutil.which("sendmail", path=path) or "sendmail"
    message = f"To: {settings.mail}\nSubject: {subject}\n\n{text}"
    subprocess.run([program, "-t"], input=message, text=True, check=True)


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("verb", choices=["install", "remove", "run"])
    parser.add_argument("file", nargs="?", type=Path, help="of run: renewal.json")
    for name in ("stack", "state-root", "inventory", "arguments", "mail"):
        parser.add_argument(f"--{name}", default="")
    given = parser.parse_args(arguments)
    if given.verb == "run":
        return renew(Settings(**json.loads(given.file.read_text())))
    variables = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
    settings = Settings(given.stack, given.state_root, given.inventory, given.arguments, given.mail, variables)
    return {"install": install, "remove": remove}[given.verb](settings)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
