# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that cannot work, before anything is touched."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from ansible_collections.cellcs.orthweb.plugins.plugin_utils.modalities import modality_problems, plain_port_problems
from ansible_collections.cellcs.orthweb.plugins.plugin_utils.preflight.acme import acme_problems
from ansible_collections.cellcs.orthweb.plugins.plugin_utils.preflight.audit import audit_problems
from ansible_collections.cellcs.orthweb.plugins.plugin_utils.preflight.authority import (
    folder_problems,
    stranger_problems,
)
from ansible_collections.cellcs.orthweb.plugins.plugin_utils.preflight.backups import backup_problems
from ansible_collections.cellcs.orthweb.plugins.plugin_utils.preflight.balancer import balancer_problems
from ansible_collections.cellcs.orthweb.plugins.plugin_utils.preflight.database import database_problems, place_problems
from ansible_collections.cellcs.orthweb.plugins.plugin_utils.preflight.host import host_problems, stack_problems
from ansible_collections.cellcs.orthweb.plugins.plugin_utils.preflight.images import image_problems
from ansible_collections.cellcs.orthweb.plugins.plugin_utils.preflight.limits import limit_problems
from ansible_collections.cellcs.orthweb.plugins.plugin_utils.preflight.listeners import (
    dicom_listener_problems,
    dicom_listeners,
)
from ansible_collections.cellcs.orthweb.plugins.plugin_utils.preflight.login_providers import login_provider_problems
from ansible_collections.cellcs.orthweb.plugins.plugin_utils.preflight.ports import port_problems, with_listeners
from ansible_collections.cellcs.orthweb.plugins.plugin_utils.preflight.server_names import server_name_problems
from ansible_collections.cellcs.orthweb.plugins.plugin_utils.preflight.settings import setting_problems
from ansible_collections.cellcs.orthweb.plugins.plugin_utils.preflight.smtp import smtp_problems
from ansible_collections.cellcs.orthweb.plugins.plugin_utils.preflight.users import portal_user_problems


def preflight_problems(given: dict[str, Any]) -> list[str]:
    """Sentences, each for one thing that is wrong; empty if nothing is.

    :param given: what a person gave and what was found, by subject, as the role preflight puts it together
    """
    return list(_problems(given))


def _problems(given: dict[str, Any]) -> Iterator[str]:
    yield from host_problems(**given["host"])
    yield from stack_problems(given["stack"])
    wrong = setting_problems(given["settings"])
    yield from wrong.values()
    yield from audit_problems(given["settings"])
    yield from backup_problems(**given["backups"])
    yield from balancer_problems(given["settings"])
    yield from limit_problems(given["limits"], given["host"]["memory_mb"])
    listeners = dicom_listener_problems(given["dicom_listeners"], given["ports"]["orthweb_dicom_port"])
    modalities = list(modality_problems(given["modalities"], given["archive_aet"]))
    plain: list[object] = []
    if not listeners and not modalities:
        modalities += plain_port_problems(given["dicom_listeners"], given["modalities"])
        all_listeners = dicom_listeners(given["dicom_listeners"], given["modalities"])
        plain += [listener["port"] for listener in all_listeners[len(given["dicom_listeners"]) :]]
    ports = given["ports"] if listeners else with_listeners(given["ports"], given["dicom_listeners"], plain)
    yield from port_problems(ports, **given["port_holders"])
    yield from (f"orthweb_dicom_listeners, {problem}" for problem in listeners)
    # A value of the wrong type cannot be judged any further.
    if "orthweb_server_name" not in wrong:
        names = given["server_names"]
        yield from server_name_problems(names[:1] if "orthweb_server_aliases" in wrong else names)
        yield from acme_problems(given["acme"], names[:1])
    if "orthweb_aet" not in wrong:
        yield from modalities
    if not any(name.startswith("orthweb_images_") for name in wrong):
        yield from image_problems(**given["images"])
    yield from place_problems(**given["place"])
    if given["place"]["given"]:
        yield from database_problems(given["database"])
    if given["server_certificate"] and "orthweb_server_certificate" not in wrong:
        # Each task that uses any filter of the collection loads this file anew, so cryptography is loaded only if used.
        from ansible_collections.cellcs.orthweb.plugins.plugin_utils.preflight.certificate import (
            given_certificate_problems,
        )

        yield from given_certificate_problems(
            given["server_certificate"], given["server_names"][0], given["settings"].get("orthweb_direct_name") or ""
        )
    for problem in portal_user_problems(given["users"], given["default_credentials_allowed"]):
        yield f"orthweb_users, {problem}"
    yield from login_provider_problems(given["login_providers"], given["users"])
    yield from smtp_problems(given["smtp"], given["users"])
    yield from folder_problems(given["stack"], **given["folder"])
    if not given["new_ca"]:
        yield from stranger_problems(**given["stranger"])


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"preflight_problems": preflight_problems}
