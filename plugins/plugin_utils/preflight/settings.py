# SPDX-License-Identifier: GPL-3.0-or-later
"""The names and types of the settings: one that is mistyped would have no effect, and nobody would be told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from .words import listed, nearest

SPECIFICATION = Path(__file__).resolve().parents[3] / "roles/site/meta/argument_specs.yml"
# Judged by rules of their own, whatever their values are: those say more.
JUDGED_ELSEWHERE = (
    "orthweb_backup_repositories",
    "orthweb_controller_ranges",
    "orthweb_database",
    "orthweb_dicom_listeners",
    "orthweb_dicom_port",
    "orthweb_dicom_ranges",
    "orthweb_images_registry",
    "orthweb_images_registry_ca",
    "orthweb_images_registry_login",
    "orthweb_images_source",
    "orthweb_images_suites",
    "orthweb_instance_count",
    "orthweb_login_providers",
    "orthweb_modalities",
    "orthweb_orthanc_port",
    "orthweb_portal_port",
    "orthweb_portal_ranges",
    "orthweb_smtp",
    "orthweb_users",
)
# Those of -e are text, whatever they are meant to be.
BOOLEANS = ("true", "false", "yes", "no", "on", "off", "1", "0")
REMEDIES = {
    "bool": "use true or false",
    "dict": "use keys with values",
    "int": "use a whole number",
    "list": "use a list",
    "str": "use a string",
}


@cache
def settings() -> dict[str, dict[str, Any]]:
    """Every variable of the site, as the role `site` specifies it; those of a role begin with the role's name."""
    options: dict[str, dict[str, Any]] = yaml.safe_load(SPECIFICATION.read_text())["argument_specs"]["settings"][
        "options"
    ]
    return options


def setting_problems(given: Mapping[str, object]) -> dict[str, str]:
    """Sentences by the variable that they are about; empty if nothing is wrong.

    :param given: value by name, of all variables that begin with ``orthweb_``
    """
    return dict(sorted((name, problem) for name, value in given.items() for problem in _problems(name, value)))


def _problems(name: str, value: object) -> Iterator[str]:
    known = settings()
    if name not in known:
        hint = nearest(name, known) or "docs/index.md lists the pages that describe them."
        yield f"{name} is not a setting of this archive: {hint}"
    elif name not in JUDGED_ELSEWHERE:
        kind = "str" if known[name]["type"] == "path" else known[name]["type"]
        choices = known[name].get("choices", ())
        if not _is(kind, value):
            yield f"{name} is {value!r}: {REMEDIES[kind]}."
        elif choices:
            for wrong in (one for one in (value if isinstance(value, list) else [value]) if one not in choices):
                yield f'{name} is "{wrong}": choose {listed(choices, "or")}.'


def _is(kind: str, value: object) -> bool:
    text = str(value)
    if kind == "bool":
        return isinstance(value, bool) or text.lower() in BOOLEANS
    if kind == "int":
        return not isinstance(value, bool) and text.isascii() and text.isdigit()
    if kind == "str":
        return isinstance(value, (str, int, float)) and not isinstance(value, bool)
    return isinstance(value, {"dict": dict, "list": list}[kind])
