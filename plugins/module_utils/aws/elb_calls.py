# SPDX-License-Identifier: GPL-3.0-or-later
"""Calls of Elastic Load Balancing: what is there is compared first, and check mode only says what it would call."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

with contextlib.suppress(ImportError):  # AnsibleAWSModule says so.
    from botocore.exceptions import ClientError

from .elb import tags_by_arn
from .resource import STACK_TAG, lacking_tags


class BalancerError(Exception):
    """What is there cannot be made what is wanted; the text is for the user."""


def differing(wanted: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, Any]:
    """Those of ``wanted`` that are not so; AWS answers with text where it takes numbers."""
    return {key: value for key, value in wanted.items() if str(found.get(key)) != str(value)}


def key_values(values: Mapping[str, Any]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": str(value)} for key, value in values.items()]


class Calls:
    """What calls have in common.

    :ivar tags: of everything that is made; the stack's tag says what is ours
    :ivar reasons: what differed, in words
    """

    def __init__(self, client: Any, tags: Mapping[str, Any], check_mode: bool) -> None:
        self.client, self.check_mode = client, check_mode
        self.tags = {key: str(value) for key, value in tags.items()}
        self.reasons: list[str] = []

    def write(self, reason: str, call: str, **arguments: Any) -> dict[str, Any]:
        """What AWS answered; empty in check mode."""
        self.reasons.append(reason)
        return {} if self.check_mode else getattr(self.client, call)(aws_retry=True, **arguments)

    def ask(self, call: str, answer: str, **arguments: Any) -> Any:
        return getattr(self.client, call)(aws_retry=True, **arguments)[answer]

    def one(self, kind: str, name: str) -> dict[str, Any] | None:
        """The load balancer or target group of that name. Raises BalancerError if it is somebody else's.

        :param kind: as the API has it in its names: C(LoadBalancer), C(TargetGroup)
        """
        call, what = {
            "LoadBalancer": ("describe_load_balancers", "load balancer"),
            "TargetGroup": ("describe_target_groups", "target group"),
        }[kind]
        try:
            found: list[dict[str, Any]] = self.ask(call, f"{kind}s", Names=[name])
        except ClientError as error:
            if error.response["Error"]["Code"] != f"{kind}NotFound":
                raise
            return None
        if self.has_tags(found[0][f"{kind}Arn"]).get(STACK_TAG) != self.tags[STACK_TAG]:
            raise BalancerError(
                f"The {what} {name} exists and does not have the tag {STACK_TAG}={self.tags[STACK_TAG]}, so it is "
                "somebody else's and was not touched. Choose another name for the stack."
            )
        return found[0]

    def has_tags(self, arn: str) -> dict[str, str]:
        return tags_by_arn(self.client, [arn]).get(arn, {})

    def keep_tags(self, what: str, arn: str) -> None:
        """Somebody else may add to them."""
        if lacking := lacking_tags(self.tags, self.has_tags(arn)):
            self.write(f"tags of the {what} differ", "add_tags", ResourceArns=[arn], Tags=key_values(lacking))

    def keep_attributes(self, what: str, kind: str, arn: str, wanted: Mapping[str, Any]) -> None:
        """Change the attributes that differ.

        :param kind: as the API has it in its names: C(load_balancer), C(target_group), C(listener)
        """
        of = {f"{kind.title().replace('_', '')}Arn": arn}
        found = {each["Key"]: each["Value"] for each in self.ask(f"describe_{kind}_attributes", "Attributes", **of)}
        if changed := differing(wanted, found):
            reason = f"{', '.join(changed)} of the {what} differs"
            self.write(reason, f"modify_{kind}_attributes", Attributes=key_values(changed), **of)
