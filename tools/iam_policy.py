# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes what a deployer of one stack must be allowed to do, as managed policies of IAM.

What is allowed, and on what, is in files/iam_policy.yml. A managed policy may have 6,144 characters: what does not fit
goes into a second one, and a deployer needs them all.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

TABLE = Path(__file__).resolve().parents[1] / "files" / "iam_policy.yml"
# Of IAM; white space does not count.
LIMIT = 6144
DEBIAN = "136693071363"
STACK = re.compile("(?=.{1,31}$)[a-z](-?[a-z0-9])*")
BUCKET = re.compile("[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
VPC = re.compile("vpc-[0-9a-f]{8,17}")
POLICY = re.compile(r"arn:aws[a-z-]*:iam::([0-9]{12}|aws):policy/[A-Za-z0-9+=,.@_/-]+")
OWNER = re.compile("[0-9]{12}|amazon|aws-marketplace")
Statement = dict[str, Any]


@cache
def table() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(TABLE.read_text())
    return found


def statements(values: Mapping[str, list[str]]) -> list[Statement]:
    """The statements for these values.

    :param values: by placeholder; a statement ``with`` one that has no value is left out
    """
    made = []
    for entry in table()["statements"]:
        if "with" in entry and not values.get(entry["with"]):
            continue
        statement = {"Sid": entry["sid"], "Effect": "Allow", "Action": entry["actions"]}
        statement["Resource"] = [each for one in entry["resources"] for each in _filled(one, values)]
        condition = {operator: dict(keys) for operator, keys in entry.get("condition", {}).items()}
        if values.get("boundary"):
            for operator, keys in entry.get("with_boundary", {}).items():
                condition.setdefault(operator, {}).update(keys)
        if condition:
            statement["Condition"] = {
                operator: {key: _values(value, values) for key, value in keys.items()}
                for operator, keys in condition.items()
            }
        made.append(statement)
    return made


def _filled(text: str, values: Mapping[str, list[str]]) -> list[str]:
    """The text once for each value of the placeholder in it."""
    found = [text]
    for name, given in values.items():
        found = [
            each.replace(f"<{name}>", value) for each in found for value in (given if f"<{name}>" in each else [""])
        ]
    return found


def _values(value: str | list[str], values: Mapping[str, list[str]]) -> str | list[str]:
    filled = [each for one in ([value] if isinstance(value, str) else value) for each in _filled(one, values)]
    return filled[0] if len(filled) == 1 else filled


def documents(values: Mapping[str, list[str]]) -> list[dict[str, Any]]:
    """As few policies as hold all statements in their order."""
    found: list[dict[str, Any]] = []
    for statement in statements(values):
        if not found or size(_document([*found[-1]["Statement"], statement])) > LIMIT:
            found.append(_document([]))
        found[-1]["Statement"].append(statement)
    return found


def _document(content: list[Statement]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": content}


def size(document: Mapping[str, Any]) -> int:
    return len(json.dumps(document, separators=(",", ":")))


def asked(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--stack",
        required=True,
        type=_like(STACK, "use 1 to 31 lowercase letters, digits and single hyphens, beginning with a letter"),
        help="the one stack that it is for",
    )
    parser.add_argument(
        "--systems-manager", action="store_true", help="for orthweb_connect_by: systems_manager (default: not allowed)"
    )
    parser.add_argument(
        "--interface-endpoints", action="store_true", help="for aws_network_interface_endpoints (default: not allowed)"
    )
    parser.add_argument("--backup", action="store_true", help="for aws_backup_plan (default: not allowed)")
    parser.add_argument(
        "--buckets",
        nargs="+",
        default=[],
        metavar="NAME",
        type=_like(BUCKET, "that is no name of a bucket"),
        help="that teardown may delete with all that is in them, for orthweb_empty_buckets (default: none)",
    )
    parser.add_argument(
        "--vpc",
        metavar="ID",
        type=_like(VPC, "use an id such as vpc-0123456789abcdef0"),
        help="the one in orthweb_vpc_id, if there is one",
    )
    parser.add_argument(
        "--boundary",
        metavar="ARN",
        type=_like(POLICY, "use the ARN of a policy: arn:aws:iam::<account>:policy/<name>"),
        help="roles can be made with this permissions boundary only; see orthweb_permissions_boundary",
    )
    parser.add_argument(
        "--image-owner",
        nargs="+",
        default=[DEBIAN],
        metavar="ID",
        type=_like(OWNER, "use the 12 digits of an account, amazon or aws-marketplace"),
        help=f"of the hosts' image (default: Debian's, {DEBIAN})",
    )
    parser.add_argument("--partition", choices=["aws", "aws-us-gov", "aws-cn"], default="aws")
    parser.add_argument("--folder", type=Path, default=Path(), help="where to write them (default: here)")
    return parser.parse_args(arguments)


def _like(pattern: re.Pattern[str], otherwise: str) -> Callable[[str], str]:
    """A type for argparse. A star in a name would allow more than was asked for."""

    def checked(value: str) -> str:
        if not pattern.fullmatch(value):
            raise argparse.ArgumentTypeError(f'"{value}": {otherwise}')
        return value

    return checked


def values_of(chosen: argparse.Namespace) -> dict[str, list[str]]:
    return {
        "stack": [chosen.stack],
        "partition": [chosen.partition],
        "image_owner": chosen.image_owner,
        "bucket": chosen.buckets,
        "vpc": [chosen.vpc] if chosen.vpc else [],
        "boundary": [chosen.boundary] if chosen.boundary else [],
        "systems_manager": ["yes"] if chosen.systems_manager else [],
        "backup": ["yes"] if chosen.backup else [],
        "interface_endpoints": ["yes"] if chosen.interface_endpoints else [],
    }


def main() -> None:
    chosen = asked()
    made = documents(values_of(chosen))
    names = [f"{chosen.stack}-deployer-{number}" for number in range(1, len(made) + 1)]
    for name, document in zip(names, made, strict=True):
        path = chosen.folder / f"{name}.json"
        path.write_text(json.dumps(document, indent=2) + "\n")
        print(f"{path}: {size(document)} of {LIMIT} characters")
    print("\nA deployer needs all of them. As somebody who may create policies, in that folder:")
    for name in names:
        print(f"aws iam create-policy --policy-name {name} --policy-document file://{name}.json")


if __name__ == "__main__":
    main()
