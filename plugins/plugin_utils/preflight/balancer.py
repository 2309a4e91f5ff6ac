# SPDX-License-Identifier: GPL-3.0-or-later
"""A load balancer before several hosts: from where it asks, and how a host is reached past it."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.names import host_name_problem


def balancer_problems(settings: Mapping[str, Any]) -> Iterator[str]:
    """Of ``orthweb_balancer_ranges`` and ``orthweb_direct_name``.

    :param settings: all of the site, by name; what has a wrong type is said elsewhere
    """
    ranges = settings.get("orthweb_balancer_ranges")
    for each in ranges if isinstance(ranges, list) else []:
        try:
            ipaddress.ip_network(str(each))
        except ValueError as error:
            yield f"orthweb_balancer_ranges has {each!r}: {error}. Use networks or addresses, such as 192.0.2.11/32."
    name, acme = settings.get("orthweb_direct_name"), settings.get("orthweb_acme")
    if not name or not isinstance(name, str):
        return
    if problem := host_name_problem(name):
        yield f"orthweb_direct_name: {problem}"
    elif acme and isinstance(acme, dict) and name not in (acme.get("names") or []):
        yield (
            f"orthweb_direct_name is {name}, which orthweb_acme.names lacks: the portal's certificate would not be "
            'valid for it. Add it there, or set orthweb_direct_name to "".'
        )
