# SPDX-License-Identifier: GPL-3.0-or-later
"""The names of the settings: one that is mistyped would have no effect, and nobody would be told."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from .words import nearest

# Every variable of the site; those of a role begin with the role's name.
SETTINGS = (
    "orthweb_aet",
    "orthweb_allow_the_whole_internet",
    "orthweb_aws_lanes",
    "orthweb_compose_directory",
    "orthweb_confirm_teardown",
    "orthweb_connect_by",
    "orthweb_controller_ranges",
    "orthweb_database",
    "orthweb_dicom_listeners",
    "orthweb_dicom_port",
    "orthweb_dicom_ranges",
    "orthweb_empty_buckets",
    "orthweb_host_directory",
    "orthweb_instance_count",
    "orthweb_listen_address",
    "orthweb_modalities",
    "orthweb_new_ca",
    "orthweb_orthanc_port",
    "orthweb_portal_port",
    "orthweb_portal_ranges",
    "orthweb_remove_images",
    "orthweb_server_aliases",
    "orthweb_server_certificate",
    "orthweb_server_name",
    "orthweb_ssh_private_key",
    "orthweb_stack",
    "orthweb_state_directory",
    "orthweb_state_root",
    "orthweb_tags",
    "orthweb_users",
)


def setting_problems(names: Iterable[str]) -> Iterator[str]:
    """
    :param names: of all variables that begin with ``orthweb_``
    """
    for name in sorted(set(names) - set(SETTINGS)):
        hint = nearest(name, SETTINGS) or "docs/index.md leads to the pages that have them."
        yield f"{name} is no setting of this archive: {hint}"
