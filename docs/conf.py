# SPDX-License-Identifier: GPL-3.0-or-later
"""Sphinx's settings for the site. tools/build_docs.sh lays out its sources: README, the guides, the reference.

The guides are written for the forge, where they are read as they are. What the site needs beyond that is added here.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from docutils import nodes

ROOT = Path(__file__).resolve().parents[1]
GUIDES = ROOT / "docs"
FORGE = "https://github.com/cellcs/orthweb/blob/main"
ANSIBLE = "https://docs.ansible.com/projects/ansible/latest"
# What antsibull-docs refers to of Ansible's own pages.
ANSIBLE_PAGES = {
    "ansible_configuration_settings": "reference_appendices/config",
    "callback_plugins": "plugins/callback",
    "common_return_values": "reference_appendices/common_return_values",
}

project = "cellcs.orthweb"
extensions = ["myst_parser", "sphinx_antsibull_ext"]
myst_heading_anchors = 4  # as the forge makes them, so that guides can point into each other
html_theme = "sphinx_rtd_theme"
html_title = project
html_show_copyright = html_show_sphinx = html_copy_source = html_use_index = False
pygments_style = "ansible"


def to_the_site(folder: Path, target: str) -> str:
    """A link of a page in ``folder``: to a page or picture as it is called here, to any other file on the forge."""
    path, mark, anchor = target.partition("#")
    if not path or "://" in path:
        return target
    file = (folder / path).resolve()
    if file == ROOT / "README.md":
        file = GUIDES / file.name  # where build_docs.sh puts it
    if file.is_relative_to(GUIDES) and file.suffix in (".md", ".png", ".svg"):
        return f"{os.path.relpath(file, GUIDES if folder == ROOT else folder)}{mark}{anchor}"
    # One that is not there is left as it is: Sphinx warns, and a warning is an error.
    return f"{FORGE}/{file.relative_to(ROOT)}{mark}{anchor}" if file.exists() else target


def contents(index: str) -> str:
    """The table of contents at the side: the index's headings, and the pages that stand below each."""
    entries = re.findall(r"^## (.+)|^- \[(.+?)\]\(([\w/-]+)\.md(?:#.*?)?\)", index, flags=re.MULTILINE)
    tree = ""
    for job, title, page in entries:
        tree += f"```\n\n```{{toctree}}\n:hidden:\n:caption: {job}\n\n" if job else f"{title} <{page}>\n"
    return f"{tree.removeprefix('```')}Modules, plugins and roles <reference/index>\n```\n"


def read(_app: Any, page: str, source: list[str]) -> None:
    if page.startswith("reference/"):
        return
    folder = ROOT if page == "README" else (GUIDES / page).parent
    source[0] = re.sub(r"\]\(([^)\s]+)\)", lambda link: f"]({to_the_site(folder, link[1])})", source[0])
    if page == "index":
        source[0] += "\n" + contents(source[0])
    if page == "decisions/README":
        source[0] += "\n```{toctree}\n:hidden:\n:glob:\n\n0*\n```\n"


def elsewhere(_app: Any, _env: Any, node: nodes.Element, text: nodes.Element) -> nodes.Element | None:
    """What is documented on Ansible's site. To ask that for its index would need a network."""
    target = node.get("reftarget", "")
    page = ANSIBLE_PAGES.get(target)
    plugin = re.fullmatch(r"ansible_collections\.(\w+)\.(\w+)\.(\w+?)(?:__[\w/-]+)?", target)
    if plugin and plugin[1] != "cellcs":
        page = f"collections/{plugin[1]}/{plugin[2]}/{plugin[3]}"
    return nodes.reference("", "", text, refuri=f"{ANSIBLE}/{page}.html", internal=False) if page else None


def setup(app: Any) -> None:
    app.connect("source-read", read)
    app.connect("missing-reference", elsewhere)
