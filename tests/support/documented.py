# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands of README and docs/, as they stand there: what a page tells people to type."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from .checkout import ROOT
from .process import run

PAGES = ["README.md", *sorted(f"docs/{page.name}" for page in (ROOT / "docs").glob("*.md"))]
SHELL = ("bash", "console", "sh", "shell")
PLACEHOLDER = re.compile(r"<[a-zA-Z][\w ]*>")


@dataclass(frozen=True)
class Block:
    """What stands between two fences."""

    page: str
    section: str
    language: str
    text: str

    @property
    def commands(self) -> list[str]:
        """As they are typed, each in one line or more, without the remark behind it."""
        found, lines = [], ""
        for line in self.text.splitlines():
            lines += re.sub(r"\s+#\s.*$", "", line) + "\n"
            if not lines.strip():
                lines = ""
            elif not lines.endswith("\\\n") and is_whole(lines):
                found.append(lines.strip())
                lines = ""
        assert not lines, f"{self.page}, {self.section}: bash does not understand {lines!r}"
        return found


def in_one_line(command: str) -> str:
    """By which two commands are the same."""
    return " ".join(command.replace("\\\n", " ").split())


def is_whole(lines: str) -> bool:
    """Whether bash would wait for no more lines."""
    filled_in = PLACEHOLDER.sub("placeholder", lines)
    asked = run("bash", "-n", stdin=filled_in)
    return asked.returncode == 0 and "here-document" not in asked.stderr


@cache
def blocks(page: str) -> tuple[Block, ...]:
    return tuple(_blocks(page, (ROOT / page).read_text()))


def _blocks(page: str, text: str) -> Iterator[Block]:
    section = ""
    for part in re.finditer(r"^```(\w*)\n(.*?)^```$|^##+ ([^\n]+)$", text, flags=re.MULTILINE | re.DOTALL):
        if part[3] is not None:
            section = part[3]
        else:
            yield Block(page, section, part[1], part[2])


def chosen(page: str, *sections: str, language: str = "bash") -> list[Block]:
    """The blocks below these headings; a heading without one is an error."""
    found = []
    for name in sections:
        those = [block for block in blocks(page) if (block.section, block.language) == (name, language)]
        assert those, f"{page} has no {language} block below the heading {name!r}"
        found += those
    return found


def every_command() -> Iterator[tuple[Block, str]]:
    for page in PAGES:
        for block in blocks(page):
            if block.language in SHELL:
                for command in block.commands:
                    yield block, command
