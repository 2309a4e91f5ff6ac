# SPDX-License-Identifier: GPL-3.0-or-later
"""The copy is there, under the stack's key, and tar reads it."""

from __future__ import annotations

import subprocess

from api import STACK, client, looking, tags

secrets, kms = client("secretsmanager"), client("kms")
described = secrets.describe_secret(SecretId=f"{STACK}/controller")
value = secrets.get_secret_value(SecretId=f"{STACK}/controller")["SecretBinary"]
archive = value.split(b"\n", 1)[1]
tar = ["tar", "--list", "--verbose", "--xz", "--utc"]
listed = subprocess.run(tar, input=archive, capture_output=True, check=True).stdout.decode().splitlines()
extract = ["tar", "--extract", "--xz", "--to-stdout", "pki/ca.key"]
key = subprocess.run(extract, input=archive, capture_output=True, check=False)

with looking() as expect:
    expect("deletion", described.get("DeletedDate"), None)
    expect("key", described["KmsKeyId"], kms.describe_key(KeyId=f"alias/{STACK}")["KeyMetadata"]["Arn"])
    expect("tags", tags(described["Tags"]), {"orthweb:stack": STACK, "team": "imaging"})
    modes = {line.split()[-1].rstrip("/"): line.split()[0] for line in listed}
    expect("files", modes, {"pki": "drwx------", "pki/ca.key": "-rw-------", "secrets.json": "-rw-------"})
    expect("what is in one", key.stdout, b"pki/ca.key of this controller\n")
