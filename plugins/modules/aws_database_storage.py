#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: aws_database_storage
short_description: Grow the gp3 storage of an RDS database, or change how fast it is
version_added: 0.2.0
description:
  - Changes size, limit, IOPS and throughput of a database of RDS for PostgreSQL in one call, as RDS wants it. From 400
    GiB on, it refuses a growth that does not name the IOPS, which M(amazon.aws.rds_instance) leaves out where they stay
    as they are.
  - Does nothing while RDS is busy with a change of the storage, which it is for hours, and says so. The same where RDS
    refuses a change because the last one is less than six hours old.
  - Storage is never made smaller.
author:
  - The OrthWeb authors (@cellcs)
options:
  name:
    description: Identifier of the DB instance. It must be there.
    type: str
    required: true
  storage_gb:
    description: Size in GiB. Storage that is larger stays as it is.
    type: int
    required: true
  limit_gb:
    description: Size in GiB up to which RDS enlarges the storage by itself; V(0) for not at all.
    type: int
    default: 0
  iops:
    description: I/O operations a second, from 400 GiB on; V(0) for those that come with the size.
    type: int
    default: 0
  throughput:
    description: MiB a second, from 400 GiB on; V(0) for those that come with the size.
    type: int
    default: 0
requirements:
  - python >= 3.11
  - boto3 >= 1.34
attributes:
  check_mode:
    description: Reports what would be changed.
    support: full
  diff_mode:
    description: Shows the values before and after.
    support: full
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Let the archive have a terabyte
  cellcs.orthweb.aws_database_storage:
    name: orthweb
    storage_gb: 1000
    limit_gb: 2000
"""

RETURN = r"""
options:
  description: What RDS was asked for; empty if there was nothing to change.
  returned: success
  type: dict
  sample: {AllocatedStorage: 1000, Iops: 12000, StorageThroughput: 500, MaxAllocatedStorage: 2000}
said:
  description: Sentences for a person, such as why storage stays larger than asked for, or that RDS is busy.
  returned: success
  type: list
  elements: str
  sample: []
"""

try:  # noqa: SIM105
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    pass  # AnsibleAWSModule says so

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.amazon.aws.plugins.module_utils.retries import AWSRetry
from ansible_collections.cellcs.orthweb.plugins.module_utils.aws.database_storage import (
    Storage,
    change,
    is_too_early,
    put_off,
)

# Another change of the database may be under way for a minute.
PASSES = ["InvalidDBInstanceState"]


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "storage_gb": {"type": "int", "required": True},
            "limit_gb": {"type": "int", "default": 0},
            "iops": {"type": "int", "default": 0},
            "throughput": {"type": "int", "default": 0},
        },
        supports_check_mode=True,
    )
    name = module.params["name"]
    wanted = Storage(*(module.params[key] for key in ("storage_gb", "limit_gb", "iops", "throughput")))
    retried = AWSRetry.jittered_backoff(catch_extra_error_codes=PASSES)
    client = module.client("rds", retry_decorator=retried)
    try:
        there = client.describe_db_instances(aws_retry=True, DBInstanceIdentifier=name)["DBInstances"][0]
        found = change(wanted, there)
        if found.options and not module.check_mode:
            client.modify_db_instance(aws_retry=True, DBInstanceIdentifier=name, ApplyImmediately=True, **found.options)
    except (BotoCoreError, ClientError) as error:
        if not is_too_early(error):
            module.fail_json_aws(error, msg=f"Could not change the storage of the database {name}")
        found = put_off(found, name, error)
    before = {key: there.get(key) for key in found.options}
    module.exit_json(
        changed=bool(found.options),
        options=found.options,
        said=found.said,
        diff={"before": before, "after": found.options},
    )


if __name__ == "__main__":
    main()
