#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Makes a minimal Debian base image with debootstrap and imports it into the Docker engine.
#
#   build.sh IMAGE SUITE [MIRROR]
#
# Without MIRROR, debootstrap's own default is used. May be cut off at any point and run again: it works in one
# fixed folder under a lock, its mounts live in a mount namespace of their own, and the image appears whole or not at all.
set -euo pipefail
image=$1 suite=$2 mirror=${3:-}
root=/var/tmp/orthweb-base-image

if [ -z "${ORTHWEB_IN_NAMESPACE:-}" ]; then
    exec env ORTHWEB_IN_NAMESPACE=1 unshare --mount -- "$0" "$@"
fi

exec 9>/run/lock/orthweb-base-image.lock
flock 9
if docker image inspect "$image" >/dev/null 2>&1; then
    exit 0 # a run that was cut off before us had gone on and finished it
fi

rm -rf --one-file-system "$root"
debootstrap --variant=minbase "$suite" "$root" ${mirror:+"$mirror"}

# The mirror that was really used, and the security suite beside it.
used=$(awk '$1 == "deb" { print $2; exit }' "$root/etc/apt/sources.list")
security="deb ${used%/}-security $suite-security main"
cat >"$root/etc/apt/sources.list" <<SOURCES
deb $used $suite main
deb $used $suite-updates main
$security
SOURCES

# What Docker's own images of Debian do too: no package cache, no documentation, no services started by packages.
cat >"$root/etc/apt/apt.conf.d/80orthweb-container" <<'APT'
APT::Install-Recommends "false";
APT::Update::Error-Mode "any";
Acquire::Languages "none";
Acquire::Retries "3";
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/archives/partial/*.deb || true"; };
APT
cat >"$root/etc/dpkg/dpkg.cfg.d/80orthweb-container" <<'DPKG'
path-exclude=/usr/share/doc/*
path-include=/usr/share/doc/*/copyright
path-exclude=/usr/share/man/*
path-exclude=/usr/share/info/*
path-exclude=/usr/share/locale/*
force-unsafe-io
DPKG
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
chmod 0755 "$root/usr/sbin/policy-rc.d"

export DEBIAN_FRONTEND=noninteractive
if ! chroot "$root" apt-get -qq update; then
    echo "orthweb: $security cannot be read; this mirror seems to have no security suite beside it. Going on without." >&2
    sed -i '$d' "$root/etc/apt/sources.list"
    chroot "$root" apt-get -qq update
fi
chroot "$root" apt-get -qq -y dist-upgrade
chroot "$root" apt-get -qq -y install ca-certificates
chroot "$root" apt-get -qq clean
rm -rf "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/*.bin "$root"/var/log/*.log "$root"/var/cache/ldconfig/* \
    "$root"/usr/share/man/* "$root"/usr/share/info/* "$root"/usr/share/locale/* "$root"/etc/machine-id
find "$root/usr/share/doc" -type f ! -name copyright -delete
: >"$root/etc/resolv.conf"
: >"$root/etc/hostname"

tar --create --numeric-owner --one-file-system --directory "$root" . |
    docker import --change 'ENV LANG=C.UTF-8' --change 'CMD ["bash"]' - "$image"
rm -rf --one-file-system "$root"
