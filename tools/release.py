# SPDX-License-Identifier: GPL-3.0-or-later
"""Make a release: version, CHANGELOG.md of the fragments, commit, tag, and the tarball for Galaxy.

Nothing leaves this machine. What cannot be released is refused before anything is changed.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
VERSION = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)", re.ASCII)  # Semantic Versioning 2.0.0, section 2
FIELD = re.compile(r"^version: (\S+)$", re.MULTILINE)


class Release:
    def __init__(self, checkout: Path, version: str) -> None:
        self.checkout, self.version = checkout, version

    @property
    def tag(self) -> str:
        return f"v{self.version}"

    @property
    def galaxy(self) -> Path:
        return self.checkout / "galaxy.yml"

    def run(self, *command: str) -> str:
        return subprocess.run(command, cwd=self.checkout, check=True, stdout=subprocess.PIPE, text=True).stdout

    def problems(self) -> list[str]:
        """Why this cannot be released, all of it."""
        found = []
        [before] = FIELD.findall(self.galaxy.read_text())
        released = [tag[1:] for tag in self.run("git", "tag", "--list", "v*").split() if VERSION.fullmatch(tag[1:])]
        if not VERSION.fullmatch(self.version):
            found.append(f"'{self.version}' is no semantic version, such as 1.2.0.")
        elif not_later := [each for each in {*released, before} if numbers(each) >= numbers(self.version)]:
            found.append(f"{self.version} does not come after {max(not_later, key=numbers)}.")
        if changed := self.run("git", "status", "--porcelain").splitlines():
            found.append(f"{len(changed)} files are not committed, such as {changed[0][3:]}.")
        if not any((self.checkout / "changelogs/fragments").glob("*.yml")):
            found.append("There is no fragment in changelogs/fragments: nothing has changed since the last release.")
        return found

    def make(self, target: Path) -> Path:
        """The tarball, of the commit that is tagged."""
        self.galaxy.write_text(FIELD.sub(f"version: {self.version}", self.galaxy.read_text()))
        self.run("antsibull-changelog", "release", "--version", self.version)
        self.run("git", "add", "--all", "galaxy.yml", "CHANGELOG.md", "changelogs")
        self.run("git", "commit", "--quiet", "--message", f"Release {self.version}")
        self.run("git", "tag", "--annotate", "--message", f"cellcs.orthweb {self.version}", self.tag)
        target.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as clean:  # without what git ignores here, such as a deployer's policies
            self.run("git", "worktree", "add", "--quiet", "--detach", f"{clean}/orthweb", self.tag)
            build = ("ansible-galaxy", "collection", "build", "--force", "--output-path", str(target))
            self.run(*build, f"{clean}/orthweb")
            self.run("git", "worktree", "remove", "--force", f"{clean}/orthweb")
        return target / f"cellcs-orthweb-{self.version}.tar.gz"


def numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def main(arguments: Sequence[str], checkout: Path = CHECKOUT) -> int:
    parser = argparse.ArgumentParser(prog="make release", description=__doc__)
    parser.add_argument("version", help="the new version, such as 1.2.0")
    release = Release(checkout, parser.parse_args(arguments).version)
    if problems := release.problems():
        print("\n".join(["Nothing was released, and nothing changed:", *problems]), file=sys.stderr)
        return 1
    tarball = release.make(checkout / ".cache" / "release")
    print(f"{tarball}\nSHA-256 {hashlib.sha256(tarball.read_bytes()).hexdigest()}")
    print(f"The commit and the tag {release.tag} are in this clone only. To publish: git push --follow-tags, then")
    print(f"ansible-galaxy collection publish {tarball}")
    print(f"To take it back before that: git tag --delete {release.tag} && git reset --hard HEAD~1")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
