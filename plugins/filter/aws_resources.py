# SPDX-License-Identifier: GPL-3.0-or-later
"""What the resources of a stack in AWS are called, which rules they have, and which of them need a module."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.cellcs.orthweb.plugins.module_utils.aws import database_storage
from ansible_collections.cellcs.orthweb.plugins.plugin_utils.aws import (
    balancer,
    database_news,
    database_states,
    database_upgrade,
    drift,
    hosts,
    names,
    network,
    parameters,
)
from ansible_collections.cellcs.orthweb.plugins.plugin_utils.aws_checks import backup


def new_storage(wanted: dict[str, Any]) -> dict[str, int]:
    """What a database is made with, in the words of amazon.aws.rds_instance."""
    return database_storage.new(database_storage.given(wanted))


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {
            "aws_backup_key_statements": backup.key_statements,
            "aws_database_news": database_news.news,
            "aws_database_new_storage": new_storage,
            "aws_database_state": database_states.state,
            "aws_database_upgrade": database_upgrade.upgrade,
            "aws_drift": drift.drift,
            "aws_ids": drift.ids,
            "aws_names": names.names,
            "aws_role_names": names.roles,
            "aws_host_names": names.hosts,
            "aws_endpoint_name": names.endpoint,
            "aws_subnets": network.subnets,
            "aws_ingress": network.ingress,
            "aws_balanced_rules": network.balanced,
            "aws_listeners": balancer.listeners,
            "aws_not_ready": balancer.not_ready,
            "aws_egress": network.egress,
            "aws_network_acl": network.network_acl,
            "aws_parameter_changes": parameters.changes,
            "aws_not_running": hosts.not_running,
            "aws_host_differences": hosts.differences,
            "aws_readdressed": hosts.readdressed,
        }
