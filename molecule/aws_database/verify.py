# SPDX-License-Identifier: GPL-3.0-or-later
"""The database as RDS describes it, and its passwords as Secrets Manager hands them out."""

from __future__ import annotations

import json

from api import STACK, client, looking, named

rds, vault = client("rds"), client("secretsmanager")
(database,) = rds.describe_db_instances()["DBInstances"]
key = client("kms").describe_key(KeyId=f"alias/{STACK}")["KeyMetadata"]["Arn"]
pages = rds.get_paginator("describe_db_parameters").paginate(DBParameterGroupName=f"{STACK}-postgres17")
parameters = {each["ParameterName"]: each.get("ParameterValue") for page in pages for each in page["Parameters"]}
WANTED = {
    "DBInstanceIdentifier": STACK,
    "DBInstanceStatus": "available",
    "Engine": "postgres",
    "StorageEncrypted": True,
    "KmsKeyId": key,
    "PubliclyAccessible": False,
    "DeletionProtection": True,
    "BackupRetentionPeriod": 7,
    "StorageType": "gp3",
    "MasterUsername": "orthweb_admin",
}

with looking() as expect:
    for name, wanted in WANTED.items():
        expect(name, database.get(name), wanted)
    group = named("security_groups", f"{STACK}-database")["GroupId"]
    expect("security groups", [each["VpcSecurityGroupId"] for each in database["VpcSecurityGroups"]], [group])
    private = sorted(named("subnets", f"{STACK}-private-us-east-1{zone}")["SubnetId"] for zone in "ab")
    expect("subnets", sorted(each["SubnetIdentifier"] for each in database["DBSubnetGroup"]["Subnets"]), private)
    groups = [each["DBParameterGroupName"] for each in database["DBParameterGroups"]]
    expect("parameter group", groups, [f"{STACK}-postgres17"])
    in_force = [each["ParameterApplyStatus"] for each in database["DBParameterGroups"]]
    expect("what is in the group is in force", in_force, ["in-sync"])
    expect("TLS is insisted on", parameters["rds.force_ssl"], "1")
    expect("statements in the log", parameters["log_statement"], "none")
    expect("parameter values in the log", parameters["log_parameter_max_length"], "0")

    passwords = set()
    for name, user in (("master", "orthweb_admin"), ("orthanc", "orthanc")):
        secret = f"{STACK}/database-{name}"
        expect(f"key of {secret}", vault.describe_secret(SecretId=secret)["KmsKeyId"], key)
        said = json.loads(vault.get_secret_value(SecretId=secret)["SecretString"])
        expect(f"user in {secret}", said["username"], user)
        expect(f"{secret} is long enough", len(said["password"]) >= 24, True)
        passwords.add(said["password"])
    expect("different passwords", len(passwords), 2)
