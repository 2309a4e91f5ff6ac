# SPDX-License-Identifier: GPL-3.0-or-later
"""The texts of the archive's page and of the error pages: in every language, and none that nobody shows."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path

import pytest

from support.checkout import ROOT

PAGE = ROOT / "roles" / "nginx" / "files" / "page"
LANGUAGES = ("en", "de", "fr")
TEXTS = {language: json.loads((PAGE / f"{language}.json").read_text()) for language in LANGUAGES}
KEY = re.compile(r"""["']([a-z]+\.[a-z_]+)["']""")
NO_KEYS = {"admission.js", "ca.crt", "names.js", "pages.js", "texts.js", "orthweb.language", "orthweb.theme"}


def keys_in(files: Iterable[Path], pattern: re.Pattern[str]) -> set[str]:
    return {key for file in files for key in pattern.findall(file.read_text())}


USED = (
    keys_in(PAGE.glob("*.html"), re.compile(r'data-(?:text|label)="([^"]+)"'))
    | keys_in([*PAGE.glob("*.js"), PAGE.parent / "pages.js", PAGE.parent / "access.js"], KEY) - NO_KEYS
)


def values_of(text: str) -> set[str]:
    return set(re.findall(r"{(\w+)}", text))


def test_each_language_has_a_file_and_is_offered() -> None:
    assert {file.stem for file in PAGE.glob("*.json")} == set(LANGUAGES)
    offered = re.findall(r'<option value="(..)" lang="\1">', (PAGE / "index.html").read_text())
    assert tuple(offered) == LANGUAGES
    assert f"LANGUAGES = {list(LANGUAGES)}" in (PAGE / "texts.js").read_text()


def test_what_the_page_shows_is_what_the_files_have() -> None:
    assert set(TEXTS["en"]) == USED


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_language_has_the_same_texts_as_english(language: str) -> None:
    assert list(TEXTS[language]) == list(TEXTS["en"])
    for key, english in TEXTS["en"].items():
        text = TEXTS[language][key]
        assert isinstance(text, type(english)), key
        if isinstance(english, dict):
            assert set(text) == {"one", "other"}, key
            for form in text.values():
                assert form and values_of(form) == values_of(english["other"]), key
        else:
            assert text and values_of(text) == values_of(english), key
