# SPDX-License-Identifier: GPL-3.0-or-later
"""What the resources of a stack in AWS are called, which rules they have, and which of them need a module."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.cellcs.orthweb.plugins.plugin_utils.aws import drift, hosts, names, network


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {
            "aws_drift": drift.drift,
            "aws_ids": drift.ids,
            "aws_names": names.names,
            "aws_host_names": names.hosts,
            "aws_endpoint_name": names.endpoint,
            "aws_subnets": network.subnets,
            "aws_ingress": network.ingress,
            "aws_egress": network.egress,
            "aws_not_running": hosts.not_running,
            "aws_host_differences": hosts.differences,
            "aws_readdressed": hosts.readdressed,
        }
