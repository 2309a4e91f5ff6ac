#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: image_info
short_description: Report how old container images are, and their known vulnerabilities
version_added: 0.2.0
description:
  - Reads the list of packages (CycloneDX) and the date of the package index that this collection's images carry.
  - Asks apt for pending security updates, in a temporary container, and remembers the answer.
  - Compares versions with a table of vulnerabilities that have a known fix, and warns of those that apply.
author:
  - The OrthWeb authors (@cellcs)
requirements:
  - Docker and, to compare versions, C(dpkg) on the host.
options:
  images:
    description:
      - Name and reference of each image, such as C(orthanc=orthweb/orthanc:forky-0123456789ab).
      - Images that the host does not have are omitted from the result.
    type: dict
    required: true
  advisories:
    description: The table, in the format of C(files/advisories.yml).
    type: dict
    required: true
  versions:
    description:
      - Versions that running programs report, by name of image.
      - They are used for images without a list of packages.
    type: dict
    default: {}
  ask:
    description: Whether apt is asked at all.
    type: bool
    default: true
  max_age_hours:
    description:
      - How long an answer of apt is reused. An image that was built since then is not checked either.
      - V(0) asks now.
      - That apt could not be asked is remembered for at most an hour.
    type: int
    default: 24
  timeout_seconds:
    description: How long apt may take for an image. What took longer counts as not asked.
    type: int
    default: 60
  cache:
    description: File that keeps apt's answers.
    type: path
    default: /var/cache/orthweb/image-updates.json
attributes:
  check_mode:
    description: Does the same in check mode, but does not keep what apt answers.
    support: full
  diff_mode:
    description: Has nothing to show.
    support: none
"""

EXAMPLES = r"""
- name: Look at the images
  cellcs.orthweb.image_info:
    images:
      orthanc: orthweb/orthanc:forky-0123456789ab
    advisories: "{{ lookup('ansible.builtin.file', 'files/advisories.yml') | from_yaml }}"
  register: images
"""

RETURN = r"""
images:
  description: The images that the host has.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Its name in O(images).
      type: str
    reference:
      description: Its reference in O(images).
      type: str
    id:
      description: ID in Docker.
      type: str
    versions:
      description: Each package's version.
      type: dict
    packages_of:
      description: Date of the newest package index that it was built from (ISO 8601); null if it carries none.
      type: str
    built:
      description: When it was built (ISO 8601); null if it does not say.
      type: str
    asked:
      description: When apt answered (ISO 8601); null if it did not.
      type: str
    problem:
      description: Why apt was not asked, or gave no answer.
      type: str
    pending:
      description: Security updates, each with C(name), C(installed), C(candidate) and C(origins).
      type: list
      elements: dict
    known:
      description: Entries of the table that apply, the most urgent first.
      type: list
      elements: dict
  sample:
    - name: nginx
      reference: orthweb/nginx:trixie-0123456789ab
      id: sha256:9cf4…
      versions: {nginx: 1.26.3-3+deb13u1}
      packages_of: "2026-11-27T02:10:32+00:00"
      built: "2026-11-28T18:20:00+00:00"
      asked: "2026-11-28T18:20:00+00:00"
      problem: ""
      pending: []
      known: []
lines:
  description: A line about each image, for a person.
  returned: success
  type: list
  elements: str
  sample: ["nginx       packages of 2026-11-27 (1 day old); no security update pending (asked 2026-11-28 18:20 UTC)"]
pending:
  description: Name of each image that has security updates, and the updates as text.
  returned: success
  type: dict
  sample: {"nginx": ["libssl3t64 3.5.4-1 → 3.5.4-1+deb13u1"]}
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.cellcs.orthweb.plugins.module_utils.images import engine, survey
from ansible_collections.cellcs.orthweb.plugins.module_utils.images.advisories import TableError, read_table


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "images": {"type": "dict", "required": True},
            "advisories": {"type": "dict", "required": True},
            "versions": {"type": "dict", "default": {}},
            "ask": {"type": "bool", "default": True},
            "max_age_hours": {"type": "int", "default": 24},
            "timeout_seconds": {"type": "int", "default": 60},
            "cache": {"type": "path", "default": "/var/cache/orthweb/image-updates.json"},
        },
        supports_check_mode=True,
    )
    now, max_age = datetime.now(UTC), timedelta(hours=module.params["max_age_hours"])
    try:
        table = read_table(module.params["advisories"])
    except TableError as error:
        module.fail_json(msg=f"The table of advisories cannot be used: {error}.")
    answers = survey.Answers(Path(module.params["cache"]), now, max_age)

    def look(entry: tuple[str, str]) -> survey.Image | None:
        name, reference = entry
        if (image := engine.image_id(reference)) is None:
            return None
        version = str(module.params["versions"].get(name) or "")
        return survey.look(
            *(name, reference, image),
            table=table,
            answers=answers,
            now=now,
            max_age=max_age,
            version=version,
            timeout_seconds=module.params["timeout_seconds"] if module.params["ask"] else 0,
        )

    try:
        with ThreadPoolExecutor(max_workers=4) as beside_each_other:
            found = [image for image in beside_each_other.map(look, module.params["images"].items()) if image]
        if not module.check_mode:
            answers.save()
    except engine.EngineError as error:
        module.fail_json(msg=f"The images cannot be inspected: {error}.")
    except OSError as error:
        module.fail_json(msg=f"{module.params['cache']} cannot be written: {error}.")
    for image in found:
        for warning in survey.warnings(image, table):
            module.warn(warning)
    module.exit_json(
        changed=False,
        images=[as_json(image) for image in found],
        lines=[survey.line(image, now) for image in found],
        pending={image.name: [str(update) for update in image.pending] for image in found if image.pending},
    )


def as_json(image: survey.Image) -> dict[str, object]:
    moments = {key: value.isoformat() for key, value in asdict(image).items() if isinstance(value, datetime)}
    return asdict(image) | moments


if __name__ == "__main__":
    main()
