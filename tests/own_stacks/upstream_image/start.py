# SPDX-License-Identifier: GPL-3.0-or-later
"""Starts Orthanc as orthancteam/orthanc does, in what concerns a configuration that comes as files.

- Every /etc/orthanc/*.json is read, and variables in it ($NAME, ${NAME}) are expanded.
- Sections are merged, and what nobody set has a default: above all the folders of the plugins.
- A plugin is turned on when its section is there: its library is copied into /run/orthanc/plugins if that is there,
  otherwise into /usr/share/orthanc/plugins.
- /etc/hostid is written, unless GENERATE_HOST_ID_IF_MISSING is false.
- The result is /tmp/orthanc.json, with which Orthanc starts.
"""

import json
import os
import shutil
import sys
from pathlib import Path

LIBRARIES = {
    "PostgreSQL": ["libOrthancPostgreSQLIndex.so", "libOrthancPostgreSQLStorage.so"],
    "DicomWeb": ["libOrthancDicomWeb.so"],
    "Gdcm": ["libOrthancGdcm.so"],
}
DEFAULTS = {
    "StorageDirectory": "/var/lib/orthanc/db",
    "HttpsCACertificates": "/etc/ssl/certs/ca-certificates.crt",
    "Plugins": ["/run/orthanc/plugins", "/usr/share/orthanc/plugins"],
    "Gdcm": {"Throttling": 4},
}


def merge(first: dict, second: dict) -> dict:
    """What is in ``first`` stays."""
    merged = {**second, **first}
    for key in first.keys() & second.keys():
        if isinstance(first[key], dict):
            merged[key] = merge(first[key], second[key])
    return merged


def main() -> None:
    if os.environ.get("GENERATE_HOST_ID_IF_MISSING", "true") == "true":
        Path("/etc/hostid").write_text("12345678\n")
    configuration: dict = {}
    for path in sorted(Path("/etc/orthanc").glob("*.json")):
        configuration = merge(json.loads(os.path.expandvars(path.read_text())), configuration)
    configuration = merge(configuration, DEFAULTS)
    folder = next(path for path in map(Path, DEFAULTS["Plugins"]) if path.is_dir())
    for section in configuration.keys() & LIBRARIES.keys():
        for library in LIBRARIES[section]:
            shutil.copy(f"/usr/share/orthanc/plugins-available/{library}", folder / library)
    Path("/tmp/orthanc.json").write_text(json.dumps(configuration))
    os.execvp("Orthanc", ["Orthanc", *sys.argv[1:]])


main()
