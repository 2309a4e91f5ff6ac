# SPDX-License-Identifier: GPL-3.0-or-later
"""Hand over certificate and key of a modality by a link that works once: `make bundle` (docs/connect-a-modality.md).

The passphrase is made here, and printed once. Ansible reads it from a folder that only this user can read, for as long
as it runs; the archive never has it.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import secrets
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tools.playbook import play

# Without what looks alike when it is read out: 30 characters, so that 25 of them have 122 bits.
CHARACTERS = "abcdefghjkmnpqrstuvwxyz2345679"


def passphrase() -> str:
    return "-".join("".join(secrets.choice(CHARACTERS) for _place in range(5)) for _group in range(5))


def offer(modality: str, inventory: str, more: Sequence[str]) -> str:
    """What to tell whoever asked for it.

    :param modality: its name in ``orthweb_modalities``
    :param more: further arguments for ansible-playbook
    """
    token, secret = secrets.token_urlsafe(32), passphrase()
    with tempfile.TemporaryDirectory(prefix="orthweb-bundle-") as name:  # for nobody else
        folder = Path(name)
        (folder / "passphrase").write_text(secret)
        digest = hashlib.sha256(token.encode()).hexdigest()
        given = {"modality": modality, "folder": name, "token": digest}
        if not play("bundle", inventory, {"bundle_offer": given}, more):
            sys.exit("There is no link: see above.")
        answer = folder / "answer.json"
        if not answer.exists():
            return "In check mode, nothing was made.\n"
        told = json.loads(answer.read_text())
    return (
        f"The link opens once, until {told['ends']}; one from before does not open any more:\n\n"
        f"    {told['page']}#{token}\n\n"
        "The passphrase of the file, which is shown only here. Send it by another way than the link:\n\n"
        f"    {secret}\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bundle", description=__doc__, allow_abbrev=False)
    parser.add_argument("--modality", required=True, metavar="NAME", help="its name in orthweb_modalities")
    parser.add_argument("--inventory", default="inventory/local", help=argparse.SUPPRESS)
    arguments, more = parser.parse_known_args()
    sys.stdout.write(offer(arguments.modality, arguments.inventory, more))


if __name__ == "__main__":
    main()
