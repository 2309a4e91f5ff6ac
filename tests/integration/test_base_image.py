# SPDX-License-Identifier: GPL-3.0-or-later
"""How the base image is made from a mirror that is current, past its date, incomplete or away (apt is played)."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from support.checkout import ROOT

BUILD = ROOT / "files" / "images" / "base" / "build.sh"
FRESH = "Thu, 26 Nov 2026 21:03:36 UTC"
EXPIRED = (
    "E: Release file for http://mirror/debian/dists/forky/InRelease is expired (invalid since 22d 10h 3min 8s). "
    "Updates for this repository will not be applied."
)
NO_SECURITY = "E: The repository 'http://mirror/debian-security forky-security Release' does not have a Release file."
UNREACHABLE = "E: Failed to fetch http://mirror/debian/dists/forky/InRelease  Temporary failure resolving 'mirror'"

DEBOOTSTRAP = """#!/bin/sh
echo "$@" >>"$PLAYED/asked"
for folder in etc/apt/apt.conf.d etc/dpkg/dpkg.cfg.d usr/sbin usr/local/sbin usr/share/doc var/lib/apt/lists; do
    mkdir -p "$3/$folder"
done
echo "deb ${4:-http://mirror/debian} $2 main" >"$3/etc/apt/sources.list"
printf 'Date: %s\\n' "$DATE" >"$3/var/lib/apt/lists/mirror_debian_dists_$2_InRelease"
"""
# apt looks at dates and at the security suite as the real one does; everything else in the new system is nothing.
CHROOT = """#!/bin/sh
[ "$2 $4" = "apt-get update" ] || exit 0
cp "$1/etc/apt/sources.list" "$PLAYED/sources"
if [ -n "$EXPIRED" ] && [ ! -e "$1/etc/apt/apt.conf.d/81orthweb-frozen" ]; then echo "$EXPIRED"; exit 100; fi
if [ -n "$NO_SECURITY" ] && grep -q security "$1/etc/apt/sources.list"; then echo "$NO_SECURITY"; exit 100; fi
if [ -n "$UNREACHABLE" ]; then echo "$UNREACHABLE"; exit 100; fi
"""
DOCKER = """#!/bin/sh
[ "$1 $2" != "image inspect" ] || exit 1
cat >/dev/null
touch "$PLAYED/imported"
"""

Build = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def build(tmp_path: Path) -> Build:
    for name, text in {"debootstrap": DEBOOTSTRAP, "chroot": CHROOT, "docker": DOCKER}.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)

    def run(*options: str, suite: str = "forky", **played: str) -> subprocess.CompletedProcess[str]:
        answers = {"EXPIRED": "", "NO_SECURITY": "", "UNREACHABLE": "", "DATE": FRESH, **played}
        path = f"{tmp_path}:{os.environ['PATH']}"
        return subprocess.run(
            [str(BUILD), *options, "orthweb/base:test", suite],
            env={**os.environ, **answers, "PATH": path, "PLAYED": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


def said(run: subprocess.CompletedProcess[str]) -> list[str]:
    """What the script says to a person."""
    return [line for line in run.stderr.splitlines() if line.startswith("orthweb: ")]


def test_a_mirror_that_is_current(build: Build, tmp_path: Path) -> None:
    run = build()
    assert run.returncode == 0, run.stderr
    assert said(run) == []
    assert (tmp_path / "imported").exists()


def test_a_mirror_past_its_date_is_used_and_said(build: Build, tmp_path: Path) -> None:
    run = build(EXPIRED=EXPIRED)
    assert run.returncode == 0, run.stderr
    (line,) = said(run)
    assert "OLD PACKAGES FOR forky" in line
    assert FRESH in line
    assert (tmp_path / "imported").exists()


def test_a_mirror_past_its_date_is_refused_where_it_must_be_fresh(build: Build, tmp_path: Path) -> None:
    run = build("--require-fresh-index", EXPIRED=EXPIRED)
    assert run.returncode == 1
    (line,) = said(run)
    assert "is expired (invalid since 22d" in line
    assert "container_images_require_fresh_index: false" in line
    assert not (tmp_path / "imported").exists()


@pytest.mark.parametrize("expired", ["", EXPIRED])
def test_a_mirror_without_a_security_suite(build: Build, expired: str, tmp_path: Path) -> None:
    run = build(EXPIRED=expired, NO_SECURITY=NO_SECURITY)
    assert run.returncode == 0, run.stderr
    assert "NO SECURITY UPDATES FOR forky" in said(run)[0]
    assert len(said(run)) == (2 if expired else 1)
    assert "security" not in (tmp_path / "sources").read_text()


@pytest.mark.parametrize("expired", ["", EXPIRED])
def test_a_mirror_that_is_away(build: Build, expired: str, tmp_path: Path) -> None:
    run = build(EXPIRED=expired, UNREACHABLE=UNREACHABLE)
    assert run.returncode == 1
    assert "Temporary failure resolving" in run.stderr
    assert not (tmp_path / "imported").exists()


def test_a_snapshot(build: Build, tmp_path: Path) -> None:
    run = build("--snapshot", "20261115T000000Z", EXPIRED=EXPIRED)
    assert run.returncode == 0, run.stderr
    assert said(run) == [], "whoever asks for the past knows that it is past"
    sources = (tmp_path / "sources").read_text().splitlines()
    assert [line.split()[2] for line in sources] == ["forky", "forky-updates", "forky-security"]
    assert all("/20261115T000000Z" in line for line in sources)
    assert "/debian-security/20261115T000000Z" in sources[2]


@pytest.mark.parametrize(("suite", "script"), [("bookworm", "bookworm"), ("not-yet-named", "sid")])
def test_a_suite_that_debootstrap_does_not_know(build: Build, suite: str, script: str, tmp_path: Path) -> None:
    assert build(suite=suite).returncode == 0
    assert (tmp_path / "asked").read_text().split()[-1] == f"/usr/share/debootstrap/scripts/{script}"
