# SPDX-License-Identifier: GPL-3.0-or-later
"""What docs/troubleshooting.md quotes (**`in bold code`**, ``…`` for what differs) is what the code says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from support.checkout import ROOT

PAGE = (ROOT / "docs" / "troubleshooting.md").read_text()
MESSAGES = sorted(set(re.findall(r"\*\*`([^`]+)`\*\*", PAGE.replace("**`Bold`**", ""))))
ROLE_FOLDERS = ("defaults", "files", "handlers", "tasks", "templates", "vars")
LONGEST_GAP = 120  # what one … may stand for
SHORTEST = 12  # letters without the …: less would be found by chance


def code() -> Iterator[Path]:
    """Where messages come from: documentation and argument_specs say nothing to anybody."""
    folders = [folder for name in ROLE_FOLDERS for folder in ROOT.glob(f"roles/*/{name}")]
    for folder in [*folders, *(ROOT / name for name in ("playbooks", "plugins", "tools", "files/images"))]:
        yield from (file for file in folder.rglob("*") if file.suffix in (".yml", ".py", ".j2", ".js", ".json", ".sh"))
    yield ROOT / "Makefile"


def as_said(source: str) -> str:
    """The source with its strings put together as the program does, without comments and docstrings."""
    source = re.sub(r'r?"""[\s\S]*?"""', "", source)
    source = re.sub(r"^\s*#.*$", "", source, flags=re.MULTILINE)
    source = re.sub(r'"\s*\n\s*f?"', "", source)  # Python: "one " f"sentence"
    source = re.sub(r"'\s*~\s*'", "", source)  # Jinja: 'one ' ~ 'sentence'
    return " ".join(source.replace("\\'", "'").replace('\\"', '"').split())


@cache
def sources() -> tuple[str, ...]:
    return tuple(as_said(file.read_text()) for file in code())


def is_said(message: str) -> bool:
    parts = [re.escape(part.strip()) for part in message.split("…") if part.strip()]
    pattern = re.compile(f".{{1,{LONGEST_GAP}}}?".join(parts))
    return any(pattern.search(source) for source in sources())


def test_the_page_has_messages() -> None:
    assert len(MESSAGES) > 100


def test_what_nobody_says_is_not_found() -> None:
    assert not is_said("Nothing was changed. Please repair:")
    assert not is_said("Port … is taken by the kettle")


@pytest.mark.parametrize("message", MESSAGES)
def test_each_message_is_said_by_the_code(message: str) -> None:
    assert len(message.replace("…", "").strip()) >= SHORTEST
    assert is_said(message)


def test_modules_are_there() -> None:
    named = set(re.findall(r"\bcellcs\.orthweb\.(\w+)", PAGE))
    assert named <= {module.stem for module in (ROOT / "plugins" / "modules").glob("*.py")}


def test_variables_are_there() -> None:
    inline = " ".join(re.findall(r"`([^`\n]+)`", PAGE))
    prefixes = "|".join(role.name for role in (ROOT / "roles").iterdir())
    named = set(re.findall(rf"\b((?:orthweb|{prefixes})_[a-z_]+)\b", inline))
    known = " ".join([*sources(), *(file.read_text() for file in (ROOT / "inventory").rglob("*.yml"))])
    assert {name for name in named if not re.search(rf"\b{name}\b", known)} == set()


def test_containers_and_their_files_are_there() -> None:
    for container in re.findall(r"docker (?:logs|exec)\b[^\n`]*? (orthweb-\w+)", PAGE):
        role = container.removeprefix("orthweb-")
        defaults = (ROOT / "roles" / role / "defaults" / "main.yml").read_text()
        assert f'{role}_container: "{{{{ orthweb_stack }}}}-{role}"' in defaults
    for folder, name in re.findall(r"/etc/orthweb/orthweb/(\w+)/([\w.-]+)", PAGE):
        assert any(f'orthweb_host_directory }}}}/{folder}"' in source for source in sources())
        assert any(re.search(rf"(?:name: |/){re.escape(name)}\b", source) for source in sources())
