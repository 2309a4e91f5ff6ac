# SPDX-License-Identifier: GPL-3.0-or-later
"""Corrections of IAM: the rehearsal may be an account whose deployers must give each role a permissions boundary."""

from __future__ import annotations

from typing import Any

from moto.core.exceptions import AccessDeniedError
from moto.iam import models

from ..settings import settings
from .replace import replaces


def insist(given: str | None, action: str) -> None:
    """As the condition iam:PermissionsBoundary of the deployer's policy does."""
    if settings.permissions_boundary and given != settings.permissions_boundary:
        raise AccessDeniedError("arn:aws:iam::123456789012:user/deployer", f"iam:{action}")


@replaces(models.IAMBackend, "create_role")
def create_role(
    original: Any,
    iam: Any,
    role_name: str,
    assume_role_policy_document: str,
    path: str,
    permissions_boundary: str | None,
    *args: Any,
    **kwargs: Any,
) -> Any:
    if not kwargs.get("linked_service"):
        insist(permissions_boundary, "CreateRole")
    return original(iam, role_name, assume_role_policy_document, path, permissions_boundary, *args, **kwargs)


@replaces(models.IAMBackend, "put_role_policy")
def put_role_policy(original: Any, iam: Any, role_name: str, *args: Any, **kwargs: Any) -> Any:
    insist(iam.get_role(role_name).permissions_boundary_arn, "PutRolePolicy")
    return original(iam, role_name, *args, **kwargs)
