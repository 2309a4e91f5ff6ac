# SPDX-License-Identifier: GPL-3.0-or-later
"""`make timer`: what runs make deploy once a week, and what is said if it fails."""

from __future__ import annotations

import importlib.util
import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from support.checkout import ROOT

SPECIFICATION = importlib.util.spec_from_file_location("renewal", ROOT / "tools" / "renewal.py")
assert SPECIFICATION and SPECIFICATION.loader
renewal: ModuleType = importlib.util.module_from_spec(SPECIFICATION)
sys.modules[SPECIFICATION.name] = renewal  # where dataclasses looks
SPECIFICATION.loader.exec_module(renewal)


class Machine:
    """A controller with programs of its own, which write down how they were called."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = folder / "state"
        (self.state / "clinic").mkdir(parents=True)
        (self.state / "clinic" / "outputs.json").write_text("{}")
        self.programs = folder / "bin"
        self.programs.mkdir()
        self.called = folder / "called"

    def program(self, name: str, script: str = "") -> None:
        file = self.programs / name
        file.write_text(f'#!/bin/sh\necho "{name} $*" >> {self.called}\n{script}\n')
        file.chmod(file.stat().st_mode | stat.S_IXUSR)

    def calls(self) -> list[str]:
        return self.called.read_text().splitlines() if self.called.exists() else []

    def settings(self, **changes: str) -> Any:
        given: dict[str, Any] = {"inventory": "inventory/local", "arguments": "-e @clinic.yml", "mail": "", **changes}
        return renewal.Settings("clinic", str(self.state), variables={"AWS_PROFILE": "clinic"}, **given)

    def install(self, **changes: str) -> int:
        given = {"inventory": "inventory/local", "arguments": "-e @clinic.yml", "mail": "", **changes}
        options = [f"--{key}={value}" for key, value in given.items()]
        return int(renewal.main(["install", "--stack", "clinic", "--state-root", str(self.state), *options]))

    def run(self) -> int:
        return int(renewal.main(["run", str(self.state / "clinic" / "renewal.json")]))

    def status(self) -> dict[str, str]:
        status: dict[str, str] = json.loads((self.state / "clinic" / "renewal-status.json").read_text())
        return status


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    one = Machine(tmp_path)
    monkeypatch.setenv("PATH", f"{one.programs}:{os.environ['PATH']}")
    monkeypatch.setattr(renewal, "has_systemd", lambda: True)
    monkeypatch.setattr(renewal, "unit_folder", lambda: tmp_path / "units")
    one.program("systemctl")
    one.program("loginctl")
    return one


class TestInstall:
    def test_a_timer(self, machine: Machine) -> None:
        assert machine.install() == 0
        service = (machine.folder / "units" / "orthweb-clinic-renewal.service").read_text()
        assert f"ConditionPathExists={machine.state}/clinic/renewal.json" in service
        assert f'"{ROOT}/tools/renewal.py" "run" "{machine.state}/clinic/renewal.json"' in service
        assert (machine.folder / "units" / "orthweb-clinic-renewal.timer").exists()
        assert [call for call in machine.calls() if "enable --now orthweb-clinic-renewal.timer" in call]
        kept = machine.state / "clinic" / "renewal.json"
        assert json.loads(kept.read_text())["arguments"] == "-e @clinic.yml"
        assert kept.stat().st_mode & 0o777 == 0o600

    def test_units_that_systemd_accepts(self, machine: Machine) -> None:
        units = machine.folder / "units"
        machine.install()
        if not Path("/usr/bin/systemd-analyze").exists():
            pytest.skip("not on this machine: systemd-analyze")
        names = [str(file) for file in sorted(units.iterdir())]
        done = subprocess.run(
            ["/usr/bin/systemd-analyze", "verify", *names], capture_output=True, text=True, check=False
        )
        assert "renewal" not in done.stderr, done.stderr

    def test_without_systemd_a_line_for_cron(
        self, machine: Machine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(renewal, "has_systemd", lambda: False)
        assert machine.install() == 0
        assert machine.calls() == []
        line = capsys.readouterr().out.splitlines()[-1]
        assert line.startswith("0 3 * * 0 ") and line.endswith(f"run {machine.state}/clinic/renewal.json")

    @pytest.mark.parametrize(
        ("changes", "said"),
        [
            ({"arguments": "-e a=b --ask-vault-pass"}, "ARGS has --ask-vault-pass, but nobody is there to type it"),
            ({"arguments": "-K"}, "ARGS has -K, but nobody is there to type it"),
            ({"mail": "it@clinic.example"}, "this machine has no sendmail"),
        ],
    )
    def test_what_cannot_work_at_night(
        self,
        machine: Machine,
        changes: dict[str, str],
        said: str,
        capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(renewal.shutil, "which", lambda *_arguments, **_options: None)
        assert machine.install(**changes) == 1
        assert said in capsys.readouterr().err
        assert not (machine.state / "clinic" / "renewal.json").exists()

    def test_a_stack_that_is_not_deployed(self, machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
        (machine.state / "clinic" / "outputs.json").unlink()
        assert machine.install() == 1
        assert "Nothing is deployed under the name clinic" in capsys.readouterr().err

    def test_and_back(self, machine: Machine) -> None:
        machine.install()
        assert renewal.main(["remove", "--stack", "clinic", "--state-root", str(machine.state)]) == 0
        assert list((machine.folder / "units").iterdir()) == []
        assert not (machine.state / "clinic" / "renewal.json").exists()
        assert [call for call in machine.calls() if "disable --now orthweb-clinic-renewal.timer" in call]


class TestRun:
    def test_it_is_make_deploy_as_it_was_given(self, machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
        machine.program("make", f'echo "$ORTHWEB_STACK $ORTHWEB_STATE_ROOT $PWD" >> {machine.called}')
        machine.install(arguments="-e @$HOME/clinic.yml")
        capsys.readouterr()
        assert machine.run() == 0
        ran = ["make deploy INVENTORY=inventory/local ARGS=-e @$$HOME/clinic.yml", f"clinic {machine.state} {ROOT}"]
        assert machine.calls()[-2:] == ran
        assert machine.status()["problem"] == ""
        assert capsys.readouterr() == ("", ""), "cron would mail it"

    def test_a_failure_is_said_kept_and_mailed(self, machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
        machine.program("make", "echo fatal: the host is gone; exit 2")
        machine.program("sendmail", f"cat >> {machine.called}")
        machine.install(mail="it@clinic.example")
        assert machine.run() == 1
        said = capsys.readouterr().err
        assert "The certificates of clinic were not renewed: make deploy ended with 2" in said
        assert "fatal: the host is gone" in said
        assert machine.status()["problem"].startswith("make deploy ended with 2")
        mail = machine.called.read_text()
        assert "sendmail -t\nTo: it@clinic.example\nSubject: clinic: the certificates were not renewed\n" in mail
        assert "fatal: the host is gone" in mail
        assert (machine.state / "clinic" / "renewal.log").stat().st_mode & 0o777 == 0o600

    def test_the_next_success_takes_it_back(self, machine: Machine) -> None:
        machine.program("make", "exit 2")
        machine.install()
        machine.run()
        machine.program("make")
        assert machine.run() == 0
        assert machine.status()["problem"] == ""


def test_make_hands_on_what_deploy_is_given(machine: Machine) -> None:
    """With quotes, spaces and dollars, as ARGS has them."""
    given = """-e '{"orthweb_aet": "A B"}' -e "x=it's" -e @$$HOME/clinic.yml"""
    venv = machine.folder / "venv"
    (venv / "collections/ansible_collections/cellcs/orthweb").mkdir(parents=True)
    (venv / "bin").mkdir()
    (venv / ".runtime").touch()  # newer than requirements.txt: make has nothing to install
    python = venv / "bin" / "python"
    python.write_text(
        f"#!/bin/sh\nexec {sys.executable} -c 'import json, sys; print(json.dumps(sys.argv[1:]))' \"$@\"\n"
    )
    python.chmod(0o755)
    done = subprocess.run(
        [
            "make",
            "-s",
            "timer",
            f"VENV={venv}",
            f"ARGS={given}",
            "INVENTORY=inventory/onprem",
            "MAIL=it@clinic.example",
        ],
        cwd=ROOT,
        env={**os.environ, "ORTHWEB_STACK": "clinic", "ORTHWEB_STATE_ROOT": "/state"},
        capture_output=True,
        text=True,
        check=True,
    )
    handed_on = ["tools/renewal.py", "install", "--stack", "clinic", "--state-root", "/state"]
    handed_on += [
        "--inventory",
        "inventory/onprem",
        "--mail",
        "it@clinic.example",
        "--arguments=" + given.replace("$$", "$"),
    ]
    assert json.loads(done.stdout) == handed_on
