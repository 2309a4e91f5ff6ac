# SPDX-License-Identifier: GPL-3.0-or-later
"""Each command in README and docs/ is run by a test, or commands.yml says which test runs the same, or why none can."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
import yaml

from support.checkout import ROOT
from support.desk import is_chosen
from support.documented import chosen, every_command, in_one_line

LISTED = yaml.safe_load(Path(__file__).with_name("commands.yml").read_text())
READ_BY_A_TEST = LISTED.pop("read_by_a_test")
TYPED_IN = sorted(ROOT.glob("tests/*/test_documented*.py"))
COMMANDS = sorted({in_one_line(command) for _block, command in every_command()})


@dataclass(frozen=True)
class Call:
    """``desk.run(page, *sections, only=, but=)`` in a test, or in a fixture of its file."""

    page: str
    sections: tuple[str, ...]
    only: str
    but: str

    def commands(self) -> set[str]:
        every = [command for block in chosen(self.page, *self.sections) for command in block.commands]
        return {in_one_line(command) for command in every if is_chosen(command, self.only, self.but)}


def calls(file: Path) -> Iterator[Call]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "run":
            if ast.unparse(node.func.value) == "subprocess":
                continue
            page, *sections = (ast.literal_eval(argument) for argument in node.args)
            filters = {word.arg: ast.literal_eval(word.value) for word in node.keywords if word.arg in ("only", "but")}
            yield Call(page, tuple(sections), filters.get("only", ""), filters.get("but", ""))


@cache
def typed() -> frozenset[str]:
    """What tests take from the pages and run."""
    made = [call for file in TYPED_IN for call in calls(file)]
    made += [Call(read["page"], (read["section"],), "", "") for read in READ_BY_A_TEST.values()]
    return frozenset(command for call in made for command in call.commands())


@cache
def source(name: str) -> str:
    """Of ``file::function`` or ``file::Class.method``."""
    file, _mark, path = name.partition("::")
    tree: ast.AST = ast.parse((ROOT / file).read_text())
    for part in path.split("."):
        [tree] = [node for node in ast.iter_child_nodes(tree) if getattr(node, "name", None) == part]
    return ast.get_source_segment((ROOT / file).read_text(), tree) or ""


def what_it_does(command: str) -> str:
    """The command, and if it is one of make, what make would run."""
    if not command.startswith("make "):
        return command
    environment = {name: os.environ[name] for name in ("HOME", "PATH")}
    dry = command.replace("make ", "make --dry-run --always-make ", 1)
    done = subprocess.run(["bash", "-c", dry], cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    return done.stdout


def test_there_are_commands() -> None:
    assert len(COMMANDS) > 60
    assert "make deploy" in COMMANDS


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_is_run_or_listed(command: str) -> None:
    places = [kind for kind, entries in LISTED.items() if command in entries]
    if command in typed():
        assert not places, f"A test types it as it stands; take it out of commands.yml: {places}"
    else:
        assert len(places) == 1, (
            f"No test runs {command!r}, and commands.yml has it {len(places)} times. Type it in a test "
            "(tests/own_stacks/test_documented.py), or list it with the test that does the same."
        )


@pytest.mark.parametrize("kind", LISTED)
def test_nothing_is_listed_that_no_page_has(kind: str) -> None:
    assert set(LISTED[kind]) - set(COMMANDS) == set()


@pytest.mark.parametrize(("command", "proof"), LISTED["run_in_other_words"].items())
def test_the_test_that_is_named_runs_it(command: str, proof: dict) -> None:
    """Each word is in what the command does and in the test, or in a function that the test's file calls."""
    test, through = proof["test"], proof.get("through", [])
    name = test.partition("::")[2]
    assert name.startswith("test_")
    assert Path(test.partition("::")[0]).name.startswith("test_")
    text = "".join(source(each) for each in [test, *through])
    for each in through:
        called = each.rpartition("::")[2].rpartition(".")[2]
        reached = [(ROOT / each_file.partition("::")[0]).read_text() for each_file in [test, *through]]
        assert any(re.search(rf"\b{called}\b", one.replace(f"def {called}", "")) for one in reached), called
    assert proof["words"]
    does = f"{command}\n{what_it_does(command)}"
    for word in proof["words"]:
        assert word in does, f"{word!r} is not in: {does}"
        assert word in text, f"{word!r} is not in {test}, nor in {through}"


@pytest.mark.parametrize(("reader", "read"), READ_BY_A_TEST.items())
def test_the_section_is_read(reader: str, read: dict[str, str]) -> None:
    file, _mark, function = reader.partition("::")
    assert Path(file).name.startswith("test_")
    assert f'"{read["page"]}"' in source(reader)
    assert f"## {read['section']}" in source(reader)
    assert f"({function}()" in (ROOT / file).read_text(), "and what was read is used"


@pytest.mark.parametrize("command", LISTED["part_of_molecule_test"])
def test_molecule_test_has_that_step(command: str) -> None:
    molecule, step, option, scenario = command.split()
    assert (molecule, option) == ("molecule", "--scenario-name")
    settings = yaml.safe_load((ROOT / ".config" / "molecule" / "config.yml").read_text())
    own = yaml.safe_load((ROOT / "molecule" / scenario / "molecule.yml").read_text()) or {}
    assert step in own.get("scenario", settings["scenario"])["test_sequence"]


@pytest.mark.parametrize(("command", "file"), LISTED["run_by_ci"].items())
def test_ci_runs_it(command: str, file: str) -> None:
    """The file has it, or a make that runs all that it would run."""
    makes = re.findall(r"^(?:\s*- run: )?(make [a-z-]+)", (ROOT / file).read_text(), flags=re.MULTILINE)
    runs = [line for make in makes for line in what_it_does(make).splitlines()]
    assert command in makes or set(what_it_does(command).splitlines()) <= set(runs)


@pytest.mark.parametrize("command", LISTED["part_of_make_test"])
def test_it_chooses_tests_that_make_test_runs(command: str) -> None:
    python, *arguments = command.split()
    assert python == ".venv/bin/python"
    assert arguments[:2] == ["-m", "pytest"]
    assert arguments[2].startswith("tests/")
    collect = [sys.executable, *arguments, "--collect-only", "--quiet", "-p", "no:cacheprovider"]
    done = subprocess.run(collect, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]


@pytest.mark.parametrize(("command", "reason"), LISTED["run_by_none"].items())
def test_who_runs_nothing_says_why(command: str, reason: str) -> None:
    assert len(reason) > 20
