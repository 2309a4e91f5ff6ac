# SPDX-License-Identifier: GPL-3.0-or-later
"""The shell: documentation and code say the same, secrets stay inside, a missing library is named."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import yaml
from ansible_collections.cellcs.orthweb.plugins.modules import pki as module

from support.checkout import COLLECTIONS


def documented(options):
    """DOCUMENTATION's options in the form of an argument spec."""
    kept = ("type", "required", "default", "choices", "elements")
    return {
        name: {
            **{key: option[key] for key in kept if key in option},
            **({"options": documented(option["suboptions"])} if "suboptions" in option else {}),
        }
        for name, option in options.items()
    }


def without_no_log(spec):
    return {
        name: {
            key: without_no_log(value) if key == "options" else value
            for key, value in option.items()
            if key != "no_log"
        }
        for name, option in spec.items()
    }


def test_documented_options_are_those_of_the_code():
    assert documented(yaml.safe_load(module.DOCUMENTATION)["options"]) == without_no_log(module.ARGUMENT_SPEC)


def test_documented_return_values_are_those_of_a_run(pki, server, client):
    result = pki.run(server, client)
    described = yaml.safe_load(module.RETURN)
    added_by_ansible = {"diff", "changed", "invocation", "uid", "gid", "owner", "group", "mode", "size", "state"}
    assert set(result) - added_by_ansible == set(described) - {"failure"}
    for part in ("ca", "crl"):
        assert set(result[part]) == set(described[part]["contains"])
    for entry in result["certificates"]:
        assert set(entry) == set(described["certificates"]["contains"])
        assert result["by_name"][entry["name"]] == entry


def test_no_secret_and_no_key_material_comes_out(pki, server, client):
    ca = {"common_name": "Test CA", "passphrase": "sesame-open"}
    shown = str(pki.run(server, client, ca=ca)) + str(
        pki.run(server, {**client, "pkcs12_passphrase": "new one"}, ca=ca)
    )
    for secret in ("sesame-open", "handed over", "new one", "PRIVATE KEY"):
        assert secret not in shown


WITHOUT_CRYPTOGRAPHY = """
import sys
sys.modules["cryptography"] = None
from ansible.module_utils.testing import patch_module_args
from ansible_collections.cellcs.orthweb.plugins.modules import pki
with patch_module_args({"path": "/nonexistent/pki", "ca": {"common_name": "CA"}}):
    pki.main()
"""


def test_missing_library_is_named():
    environment = {**os.environ, "PYTHONPATH": str(COLLECTIONS)}
    command = [sys.executable, "-c", WITHOUT_CRYPTOGRAPHY]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    assert "cryptography >= 38" in json.loads(done.stdout)["msg"]


def test_old_library_is_named(pki, server, monkeypatch):
    monkeypatch.setattr("cryptography.__version__", "3.4.8")
    assert "cryptography 3.4.8 is too old" in pki.run(server, fails=True)["msg"]
    monkeypatch.setattr("cryptography.__version__", "37.0.4")
    assert "cryptography 37.0.4 is too old" in pki.run(server, fails=True)["msg"]
    assert not pki.path.exists()
    monkeypatch.setattr("cryptography.__version__", "38.0.0")
    pki.run(server, check=True)
