# SPDX-License-Identifier: GPL-3.0-or-later
"""There is one key, it is used by its alias, and what is wrong with it after the side effect is right again."""

from __future__ import annotations

from api import STACK, client, looking, tags

kms = client("kms")
keys = [kms.describe_key(KeyId=each["KeyId"])["KeyMetadata"] for each in kms.list_keys()["Keys"]]
own = [each for each in keys if each["KeyManager"] == "CUSTOMER"]
key = kms.describe_key(KeyId=f"alias/{STACK}")["KeyMetadata"]

with looking() as expect:
    expect("keys of the account", [each["KeyId"] for each in own], [key["KeyId"]])
    expect("state", key["KeyState"], "Enabled")
    expect("rotates", kms.get_key_rotation_status(KeyId=key["KeyId"])["KeyRotationEnabled"], True)
    wanted = {"orthweb:stack": STACK, "team": "imaging"}
    expect("tags", tags(kms.list_resource_tags(KeyId=key["KeyId"])["Tags"]), wanted)
    sealed = kms.encrypt(KeyId=f"alias/{STACK}", Plaintext=b"an image")
    expect("key that encrypts", sealed["KeyId"], key["Arn"])
    expect("what it decrypts", kms.decrypt(CiphertextBlob=sealed["CiphertextBlob"])["Plaintext"], b"an image")
