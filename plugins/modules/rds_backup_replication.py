#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: rds_backup_replication
short_description: Have RDS copy the automated backups of a database to another region
version_added: 0.1.0
description:
  - Works in the region that gets the copies, which is O(region).
  - RDS copies snapshots and transactions as they come, so that the database can be restored there to any moment, also
    after its own region or the database itself is gone.
  - Copies that are being made already are left as they are. RDS cannot change how long they are kept.
  - Fails, in check mode, too, if RDS does not copy from the region of the database to this one. For that, the database
    need not be there.
author:
  - The OrthWeb authors (@cellcs)
options:
  source_db_instance_arn:
    description: ARN of the database, which is in another region and has automated backups.
    type: str
    required: true
  backup_retention_period:
    description: Days that the copies are kept.
    type: int
    default: 7
  kms_key_id:
    description: ARN of the KMS key, in the region that gets the copies, that encrypts them.
    type: str
    required: true
  tags:
    description: Tags of the copies.
    type: dict
    default: {}
requirements:
  - python >= 3.11
  - boto3 >= 1.34
attributes:
  check_mode:
    description: Says whether copying would begin.
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
- name: Have the backups in Ireland, too
  cellcs.orthweb.rds_backup_replication:
    region: eu-west-1
    source_db_instance_arn: arn:aws:rds:eu-central-1:123456789012:db:clinic
    kms_key_id: arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab
"""

RETURN = r"""
arn:
  description: ARN of the copies; null in check mode if there are none yet.
  returned: success
  type: str
backup_retention_period:
  description: Days that they are kept; null in check mode if there are none yet.
  returned: success
  type: int
"""

from typing import Any

try:  # noqa: SIM105
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    pass  # AnsibleAWSModule says so

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.amazon.aws.plugins.module_utils.retries import AWSRetry
from ansible_collections.amazon.aws.plugins.module_utils.tagging import ansible_dict_to_boto3_tag_list
from ansible_collections.cellcs.orthweb.plugins.module_utils.aws.failure import sentence
from ansible_collections.cellcs.orthweb.plugins.module_utils.aws.resource import pages


def found(client: Any, source: str) -> dict[str, Any] | None:
    """The copies of a database that lives. Those of one of the same name that was deleted are not its own."""
    backups = pages(client, "describe_db_instance_automated_backups", "DBInstanceAutomatedBackups")
    return next((each for each in backups if each["DBInstanceArn"] == source and each["Status"] != "retained"), None)


def pair_problem(client: Any, source_region: str, region: str) -> str:
    """Why RDS does not copy from one region to the other; empty if it does."""
    answered = pages(client, "describe_source_regions", "SourceRegions")
    sources = sorted(
        each["RegionName"] for each in answered if each.get("SupportsDBInstanceAutomatedBackupsReplication")
    )
    if source_region in sources:
        return ""
    return (
        f"RDS does not copy automated backups from {source_region} to {region}, only from "
        f"{', '.join(sources) or 'none'}. Choose another region for the copies "
        "(aws_database_copy_region). What one takes: aws rds describe-source-regions --region REGION"
    )


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "source_db_instance_arn": {"type": "str", "required": True},
            "backup_retention_period": {"type": "int", "default": 7},
            "kms_key_id": {"type": "str", "required": True, "no_log": False},
            "tags": {"type": "dict", "default": {}},
        },
        supports_check_mode=True,
    )
    source = module.params["source_db_instance_arn"]
    source_region = source.split(":")[3]
    client = module.client("rds", retry_decorator=AWSRetry.jittered_backoff())
    region = client.meta.region_name
    if source_region == region:
        module.fail_json(msg=f"{source} is in {region}: its backups are there already. Choose another region.")
    try:
        copies = found(client, source)
        changed = copies is None
        if changed and (problem := pair_problem(client, source_region, region)):
            module.fail_json(msg=problem)
        if changed and not module.check_mode:
            copies = client.start_db_instance_automated_backups_replication(
                aws_retry=True,
                SourceDBInstanceArn=source,
                SourceRegion=source_region,
                BackupRetentionPeriod=module.params["backup_retention_period"],
                KmsKeyId=module.params["kms_key_id"],
                Tags=ansible_dict_to_boto3_tag_list({tag: str(value) for tag, value in module.params["tags"].items()}),
            )["DBInstanceAutomatedBackup"]
    except (BotoCoreError, ClientError) as error:
        module.fail_json(msg=sentence("rds", error, f"Copying the backups of {source} to {region}"))
    copies = copies or {}
    module.exit_json(
        changed=changed,
        arn=copies.get("DBInstanceAutomatedBackupsArn"),
        backup_retention_period=copies.get("BackupRetentionPeriod"),
    )


if __name__ == "__main__":
    main()
