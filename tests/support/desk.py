# SPDX-License-Identifier: GPL-3.0-or-later
"""A desk with a checkout and a home of its own, at which a test types what a page says, for a stack of the tests."""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from .checkout import ROOT
from .documented import chosen
from .process import output_of, run
from .stack import Run, Stack

# What a login shell has. Not the Python environment: pynetdicom has a storescu of its own there.
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# Of the make, the pytest and the Python that run this test. PYTHONPATH (tests/conftest.py) only makes modules faster.
NOT_INHERITED = re.compile(r"MAKE|MFLAGS|PYTEST|PYTHON(?!PATH)|VIRTUAL_ENV|ANSIBLE|ORTHWEB|ARGS|INVENTORY|AWS_")


def checkout_in(folder: Path) -> None:
    """A copy of this checkout as git lists it, with the same Python environment."""
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = output_of(*listed, folder=ROOT).split("\0")
    for name in filter(lambda name: name and (ROOT / name).is_file(), names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, folder / name)  # with its time, or make would install the environment anew
    (folder / ".venv").symlink_to(ROOT / ".venv")


def is_chosen(command: str, only: str, but: str) -> bool:
    return bool(re.search(only, command)) and not (but and re.search(but, command))


class Desk:
    """A desk with a checkout and a home of its own.

    :ivar stack: the stack that stands in for the one of the pages, which is called orthweb and has other ports
    :ivar home: where `~/.orthweb` is what that stack keeps on the controller
    """

    def __init__(self, stack: Stack, folder: Path) -> None:
        self.stack, self.folder = stack, folder
        self.checkout, self.home = folder / "orthweb", folder / "home"
        checkout_in(self.checkout)
        self.home.mkdir()
        (self.home / ".orthweb").symlink_to(stack.state_root)
        (self.home / ".gitconfig").write_text("[safe]\n\tdirectory = *\n")  # the checkout may be of another user
        self.settings()
        dicom, orthanc = str(stack.dicom_port), str(stack.orthanc_port)
        # Names, ports and folders of the stack; nothing else of a command is changed.
        self.instead: dict[str, str] = {
            r"\borthweb-(nginx|identity|orthanc|postgresql|audit)\b": rf"{stack.name}-\1",
            r"\borthweb\.stack=orthweb\b": f"orthweb.stack={stack.name}",
            r"\borthweb_confirm_teardown=orthweb\b": f"orthweb_confirm_teardown={stack.name}",
            r"/etc/orthweb/orthweb/": f"/etc/orthweb/{stack.name}/",
            r"\bpacs\.clinic\.example\b": "localhost",
            r"\.orthweb/orthweb\b": f".orthweb/{stack.name}",
            r"\b(localhost:| |port: )11112\b": rf"\g<1>{dicom}",
            r'("called_aet": "ORTHANC",)': rf'\1 "port": {dicom},',
            r"\blocalhost:8042\b": f"localhost:{orthanc}",
            r"\blocalhost:443\b": f"localhost:{stack.portal_port}",
            r"https://localhost/": f"https://localhost:{stack.portal_port}/",
            r"\bsudo ": "",  # the tests are root
        }

    def settings(self, **variables: Any) -> None:
        """Where README says that settings belong."""
        own = {
            "orthweb_dicom_port": self.stack.dicom_port,
            "orthweb_portal_port": self.stack.portal_port,
            "orthweb_orthanc_port": self.stack.orthanc_port,
        }
        file = self.checkout / "inventory" / "local" / "host_vars" / "localhost.yml"
        file.parent.mkdir(exist_ok=True)
        file.write_text(yaml.safe_dump({**own, **self.stack.variables, **variables}))

    @property
    def environment(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not NOT_INHERITED.match(name)}
        return {
            **inherited,
            "HOME": str(self.home),
            "PATH": PATH,
            "TERM": "xterm",
            "PYTHON": getattr(sys, "_base_executable", sys.executable),
            # Never the stack of whoever runs the tests.
            "ORTHWEB_STACK": self.stack.name,
            "ORTHWEB_STATE_ROOT": str(self.stack.state_root),
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_ASYNC_DIR": str(self.home / ".ansible_async"),  # or half of Ansible looks into the home of passwd
        }

    def adapted(self, text: str, instead: Mapping[str, str] | None = None) -> str:
        for pattern, replacement in {**self.instead, **(instead or {})}.items():
            text = re.sub(pattern, replacement, text)
        return text

    def run(
        self,
        page: str,
        *sections: str,
        only: str = "",
        but: str = "",
        instead: Mapping[str, str] | None = None,
        answers: Mapping[str, str] | None = None,
    ) -> Run:
        """Run the bash blocks below these headings as one script that ends with the first failure.

        :param only: only commands that contain this regular expression
        :param but: no commands that contain this one
        :param answers: what to type when this is asked at the terminal
        """
        lines = [
            command for block in chosen(page, *sections) for command in block.commands if is_chosen(command, only, but)
        ]
        assert lines, f"No command of {page} contains {only!r}"
        script = self.folder / "script"
        script.write_text("\n".join(["set -euo pipefail", *(self.adapted(line, instead) for line in lines)]) + "\n")
        if answers is not None:
            return self.at_a_terminal(script, answers)
        done = run("bash", script, folder=self.checkout, environment=self.environment, merged=True, seconds=600)
        return Run(done.returncode, done.stdout)

    def at_a_terminal(self, script: Path, answers: Mapping[str, str]) -> Run:
        """Programs that ask for a name or a password ask the terminal."""
        pid, terminal = pty.fork()
        if pid == 0:
            os.chdir(self.checkout)
            os.execve("/bin/bash", ["bash", str(script)], self.environment)
        said, seen, left = "", 0, list(answers.items())
        end = time.monotonic() + 600
        while time.monotonic() < end:
            # Who asks throws away what was typed before: a person waits for the cursor.
            if not select.select([terminal], [], [], 2)[0]:
                if left and left[0][0] in said[seen:]:
                    question, answer = left.pop(0)
                    seen = said.index(question, seen) + len(question)
                    os.write(terminal, f"{answer}\r".encode())
                continue
            try:
                piece = os.read(terminal, 65536)
            except OSError:  # the other end is closed
                break
            said += piece.decode(errors="replace")
        else:
            os.kill(pid, signal.SIGKILL)
        os.close(terminal)
        return Run(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), said)
