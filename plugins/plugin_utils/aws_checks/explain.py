# SPDX-License-Identifier: GPL-3.0-or-later
"""After a failure: what to do about it, and what there is now."""

from __future__ import annotations

import re
from collections.abc import Mapping

PERMISSIONS = "`make policy STACK=<stack>` writes the policies that a deployer needs."
# Patterns for what AWS or a module says, the more particular ones first.
ADVICE = {
    "RequestLimitExceeded|Throttl|TooManyRequests": (
        "AWS still throttles requests after many retries; wait a few minutes."
    ),
    "ExpiredToken|RequestExpired|TokenRefreshRequired": (
        "The credentials have expired; get new ones (for SSO, aws sso login)."
    ),
    "AuthFailure|InvalidClientTokenId|UnrecognizedClient|SignatureDoesNotMatch": (
        "The credentials are not valid; check them with aws sts get-caller-identity."
    ),
    "UnauthorizedOperation|AccessDenied": f"These credentials lack a permission; {PERMISSIONS}",
    "AddressLimitExceeded": (
        "The account has no Elastic IP left (5 a region by default); release one, or request more in Service Quotas."
    ),
    "VpcLimitExceeded": (
        "The account has no VPC left (5 a region by default); request more in Service Quotas, or set orthweb_vpc_id."
    ),
    "InstanceLimitExceeded|VcpuLimitExceeded": (
        "The quota of running instances is used up; request more in Service Quotas, or use a smaller type."
    ),
    "Failed to (create|authorize) security group": (
        "The module does not say why; CloudTrail does. It is usually a quota (rules in a group, groups in a VPC) or a "
        f"permission; {PERMISSIONS}"
    ),
    "InsufficientInstanceCapacity|InsufficientDBInstanceCapacity": (
        "AWS has no capacity for that type in that zone now; try later or use another type."
    ),
    "InstanceQuotaExceeded|StorageQuotaExceeded": ("The quota of RDS is used up; request more in Service Quotas."),
    "terminated|Client.InternalError|Server.InternalError": (
        "The instance did not start. The console shows the reason (state transition reason), usually a disabled KMS "
        "key or a wrong instance type. The instance is gone, and the next run starts another."
    ),
    r"InternalError|InternalFailure|ServiceUnavailable|\b50[0-9]\b": (
        "AWS has an internal error; see health.aws.amazon.com and try later."
    ),
    "An error occurred|Failed|Unable": f"Look the error up in the documentation of AWS; {PERMISSIONS}",
}
PLURAL = re.compile("(?<=ess)es$|s$")


def failure_advice(message: object) -> str:
    """One sentence or a few about the first thing in it that is known; empty if nothing is."""
    return next((advice for pattern, advice in ADVICE.items() if re.search(pattern, str(message))), "")


def inventory(counts: Mapping[str, int] | None) -> str:
    """``1 vpc, 4 subnets``.

    :param counts: resources of the stack by kind; none if AWS did not say
    """
    if counts is None:
        return "unknown, as AWS did not answer that either"
    return ", ".join(_counted(kind, count) for kind, count in counts.items() if count) or "nothing"


def _counted(kind: str, count: int) -> str:
    things = kind.replace("_", " ")
    return f"{count} {PLURAL.sub('', things) if count == 1 else things}"
