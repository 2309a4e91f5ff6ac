#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: rds_instance_restore
short_description: Make a PostgreSQL database in RDS from a snapshot or from a moment of another one
version_added: 0.1.0
description:
  - Requests the database and does not wait for it.
  - Everything that can be wrong with the snapshot, the moment or the database they are of is looked for first, in check
    mode, too, and all of it is reported.
  - The storage is gp3, whatever it was.
  - A database that exists already is left as it is.
  - The restored database has the users and passwords of the snapshot or moment. Its backups, storage limit and windows
    are set once it is available, with M(amazon.aws.rds_instance), and so is the master user's password.
  - M(amazon.aws.rds_instance) cannot give tags to a database that is restored to a moment.
author:
  - The OrthWeb authors (@cellcs)
options:
  db_instance_identifier:
    description: Name of the new database.
    type: str
    required: true
  db_snapshot_identifier:
    description:
      - Name or ARN of the snapshot, which may be an automated one (C(rds:...)) or one of AWS Backup (C(awsbackup:...)).
      - Of another account, RDS restores none that is encrypted. The module says how to copy it.
    type: str
  source_db_instance_identifier:
    description:
      - Name of the database in the same region that O(restore_time) is a moment of.
      - Or the ARN of automated backups, such as those that RDS has copied from another region.
    type: str
  restore_time:
    description:
      - The moment, in ISO 8601 with its time zone, such as V(2026-11-28T14:03:00Z).
      - With V(latest), the latest moment that RDS has, some minutes ago.
    type: str
  engine_version:
    description: Major version of PostgreSQL that the snapshot or database must be of.
    type: str
    required: true
  master_username:
    description: Name of the master user that the snapshot or database must have.
    type: str
    required: true
  db_instance_class:
    description: Instance class, such as V(db.t4g.medium). Without it, that of the snapshot or database.
    type: str
  db_subnet_group_name:
    description: Subnet group of the new database. Without it, that of the region's default VPC.
    type: str
  db_parameter_group_name:
    description: Parameter group of the new database. Without it, the default one of its version.
    type: str
  vpc_security_group_ids:
    description: Security groups of the new database. Without any, the default one of its VPC.
    type: list
    elements: str
    default: []
  multi_az:
    description: Whether it has a standby in another zone.
    type: bool
    default: false
  deletion_protection:
    description: Whether it is protected against deletion.
    type: bool
    default: true
  ca_certificate_identifier:
    description: The CA of its certificate.
    type: str
  tags:
    description: Tags of the new database.
    type: dict
    default: {}
requirements:
  - python >= 3.11
  - boto3 >= 1.34
attributes:
  check_mode:
    description: Looks for everything that can be wrong, and requests nothing.
    support: full
  diff_mode:
    description: There is nothing to compare.
    support: none
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Make the database from a snapshot
  cellcs.orthweb.rds_instance_restore:
    db_instance_identifier: clinic
    db_snapshot_identifier: clinic-final-20261122221231
    engine_version: "17"
    master_username: orthweb_admin
    db_instance_class: db.t4g.medium
    db_subnet_group_name: clinic
    db_parameter_group_name: clinic-postgres17
    vpc_security_group_ids: [sg-0123456789abcdef0]
    tags:
      orthweb:stack: clinic

- name: Make a second database as the first one was at a moment
  cellcs.orthweb.rds_instance_restore:
    db_instance_identifier: clinic-2
    source_db_instance_identifier: clinic
    restore_time: "2026-11-28T14:03:00Z"
    engine_version: "17"
    master_username: orthweb_admin
    db_instance_class: db.t4g.medium
    db_subnet_group_name: clinic-2
    db_parameter_group_name: clinic-2-postgres17
    vpc_security_group_ids: [sg-0123456789abcdef0]
"""

RETURN = r"""
arn:
  description: ARN of the database; null in check mode if it does not exist yet.
  returned: success
  type: str
status:
  description: Its state, such as C(creating); null in check mode if it does not exist yet.
  returned: success
  type: str
"""

from collections.abc import Iterator, Mapping
from typing import Any

try:  # noqa: SIM105
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    pass  # AnsibleAWSModule says so

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.amazon.aws.plugins.module_utils.retries import AWSRetry
from ansible_collections.amazon.aws.plugins.module_utils.tagging import ansible_dict_to_boto3_tag_list
from ansible_collections.cellcs.orthweb.plugins.module_utils.aws.failure import sentence
from ansible_collections.cellcs.orthweb.plugins.module_utils.aws.restore import (
    Wanted,
    moment_of,
    moment_problems,
    snapshot_problems,
)

# DescribeDBSnapshots wants to be told the type of those that nobody has made by hand. Their names begin like this.
KINDS = {"rds": "automated", "awsbackup": "awsbackup"}


class Database:
    def __init__(self, module: AnsibleAWSModule) -> None:
        self.options: Mapping[str, Any] = module.params
        self.client = module.client("rds", retry_decorator=AWSRetry.jittered_backoff())
        self.region: str = self.client.meta.region_name
        self.wanted = Wanted(self.options["engine_version"], self.options["master_username"])
        self.snapshot: str | None = self.options["db_snapshot_identifier"]
        self.moment = None if self.snapshot else moment_of(self.options["restore_time"])

    def instance(self, name: str) -> dict[str, Any] | None:
        try:
            found = self.client.describe_db_instances(aws_retry=True, DBInstanceIdentifier=name)
        except self.client.exceptions.DBInstanceNotFoundFault:
            return None
        return found["DBInstances"][0]

    def problems(self) -> Iterator[str]:
        if self.snapshot:
            found, is_shared = self.found_snapshot(self.snapshot)
            yield from snapshot_problems(self.snapshot, self.region, found, self.wanted, is_shared=is_shared)
            return
        source = self.options["source_db_instance_identifier"]
        yield from moment_problems(source, self.region, *self.found_backups(source), self.moment, self.wanted)

    def found_backups(self, source: str) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
        """What RDS says of a database, or of the one that was, and of its automated backups."""
        copies = source.startswith("arn:")
        which = {"DBInstanceAutomatedBackupsArn" if copies else "DBInstanceIdentifier": source}
        try:
            found = self.client.describe_db_instance_automated_backups(aws_retry=True, **which)
        except self.client.exceptions.DBInstanceAutomatedBackupNotFoundFault:
            return None, None
        backups = [each for each in found["DBInstanceAutomatedBackups"] if copies or each["Status"] == "active"]
        if not copies:
            return self.instance(source), backups[0] if backups else None
        if not backups:
            return None, None
        return {**backups[0], "StorageEncrypted": backups[0]["Encrypted"]}, backups[0]

    def found_snapshot(self, name: str) -> tuple[dict[str, Any] | None, bool]:
        """What RDS says of a snapshot, and whether it is another account's."""
        who, colon, _rest = name.rpartition(":snapshot:")[2].partition(":")
        kind = KINDS.get(who) if colon else None
        if found := self.described_snapshot(name, **({"SnapshotType": kind} if kind else {})):
            return found, False
        if not name.startswith("arn:"):
            return None, False
        return self.described_snapshot(name, IncludeShared=True, IncludePublic=True), True

    def described_snapshot(self, name: str, **which: Any) -> dict[str, Any] | None:
        try:
            found = self.client.describe_db_snapshots(aws_retry=True, DBSnapshotIdentifier=name, **which)
        except self.client.exceptions.DBSnapshotNotFoundFault:
            return None
        return found["DBSnapshots"][0] if found["DBSnapshots"] else None

    def request(self) -> dict[str, Any]:
        tags = {tag: str(value) for tag, value in self.options["tags"].items()}
        choices = {
            "DBInstanceClass": self.options["db_instance_class"],
            "DBSubnetGroupName": self.options["db_subnet_group_name"],
            "DBParameterGroupName": self.options["db_parameter_group_name"],
            "VpcSecurityGroupIds": self.options["vpc_security_group_ids"],
            "CACertificateIdentifier": self.options["ca_certificate_identifier"],
            "Tags": ansible_dict_to_boto3_tag_list(tags),
        }
        given = {
            **{option: value for option, value in choices.items() if value},
            "MultiAZ": self.options["multi_az"],
            "DeletionProtection": self.options["deletion_protection"],
            "PubliclyAccessible": False,
            "StorageType": "gp3",
            "CopyTagsToSnapshot": True,
        }
        name = self.options["db_instance_identifier"]
        if self.snapshot:
            return self.client.restore_db_instance_from_db_snapshot(
                aws_retry=True, DBInstanceIdentifier=name, DBSnapshotIdentifier=self.snapshot, **given
            )["DBInstance"]
        at: dict[str, Any] = {"RestoreTime": self.moment} if self.moment else {"UseLatestRestorableTime": True}
        source = self.options["source_db_instance_identifier"]
        copies = source.startswith("arn:")
        at["SourceDBInstanceAutomatedBackupsArn" if copies else "SourceDBInstanceIdentifier"] = source
        return self.client.restore_db_instance_to_point_in_time(
            aws_retry=True, TargetDBInstanceIdentifier=name, **at, **given
        )["DBInstance"]


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "db_instance_identifier": {"type": "str", "required": True},
            "db_snapshot_identifier": {"type": "str"},
            "source_db_instance_identifier": {"type": "str"},
            "restore_time": {"type": "str"},
            "engine_version": {"type": "str", "required": True},
            "master_username": {"type": "str", "required": True},
            "db_instance_class": {"type": "str"},
            "db_subnet_group_name": {"type": "str"},
            "db_parameter_group_name": {"type": "str"},
            "vpc_security_group_ids": {"type": "list", "elements": "str", "default": []},
            "multi_az": {"type": "bool", "default": False},
            "deletion_protection": {"type": "bool", "default": True},
            "ca_certificate_identifier": {"type": "str"},
            "tags": {"type": "dict", "default": {}},
        },
        mutually_exclusive=[("db_snapshot_identifier", "source_db_instance_identifier")],
        required_one_of=[("db_snapshot_identifier", "source_db_instance_identifier")],
        required_together=[("source_db_instance_identifier", "restore_time")],
        supports_check_mode=True,
    )
    name = module.params["db_instance_identifier"]
    try:
        database = Database(module)
        there = database.instance(name)
        if there:
            module.exit_json(changed=False, arn=there["DBInstanceArn"], status=there["DBInstanceStatus"])
        if problems := list(database.problems()):
            module.fail_json(msg="\n".join([f'The database "{name}" cannot be restored. {problems[0]}', *problems[1:]]))
        if module.check_mode:
            module.exit_json(changed=True, arn=None, status=None)
        made = database.request()
    except ValueError as error:
        module.fail_json(msg=f"restore_time: {error}")
    except (BotoCoreError, ClientError) as error:
        module.fail_json(msg=sentence("rds", error, f'Restoring the database "{name}"'))
    module.exit_json(changed=True, arn=made["DBInstanceArn"], status=made["DBInstanceStatus"])


if __name__ == "__main__":
    main()
