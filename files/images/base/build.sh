#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Makes a minimal Debian base image with debootstrap and imports it into the Docker engine.
#
#   build.sh [--snapshot DATE] [--require-fresh-index] IMAGE SUITE [MIRROR]
#
# Without MIRROR, debootstrap's own default is used; --snapshot takes Debian's archive as it was on DATE (20261115T000000Z).
# A mirror whose index is past its Valid-Until is used with a warning, or refused with --require-fresh-index.
# May be cut off at any point and run again: it works in one fixed folder under a lock, its mounts live in a mount namespace
# of their own, and the image appears whole or not at all. What a person should know begins with "orthweb: " on stderr.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
if [ -z "${ORTHWEB_IN_NAMESPACE:-}" ]; then
    exec env ORTHWEB_IN_NAMESPACE=1 unshare --mount -- "$0" "$@"
fi

snapshot='' require_fresh_index=''
while [ "${1#--}" != "$1" ]; do
    case $1 in
        --snapshot) snapshot=$2 && shift ;;
        --require-fresh-index) require_fresh_index=1 ;;
    esac
    shift
done
image=$1 suite=$2 mirror=${3:-}
root=/var/tmp/orthweb-base-image
say() { echo "orthweb: $*" >&2; }

exec 9>/run/lock/orthweb-base-image.lock
flock 9
if docker image inspect "$image" >/dev/null 2>&1; then
    exit 0 # a run that was cut off before us had gone on and finished it
fi

rm -rf --one-file-system "$root"
# A debootstrap that is older than the suite has no script of its name; all suites since use that of sid.
script=/usr/share/debootstrap/scripts/$suite
[ -e "$script" ] || script=/usr/share/debootstrap/scripts/sid
[ -z "$snapshot" ] || mirror=http://snapshot.debian.org/archive/debian/$snapshot
debootstrap --variant=minbase "$suite" "$root" "$mirror" "$script"

# The mirror that was really used, and the suites with its updates.
used=$(awk '$1 == "deb" { print $2; exit }' "$root/etc/apt/sources.list")
used=${used%/}
security=$used-security
[ -z "$snapshot" ] || security=http://snapshot.debian.org/archive/debian-security/$snapshot
cat >"$root/etc/apt/sources.list" <<SOURCES
deb $used $suite main
deb $used $suite-updates main
deb $security $suite-security main
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

install -m 0755 "$here/finish_image.sh" "$root/usr/local/sbin/finish_image"

export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
update() { problem=$(chroot "$root" apt-get -qq update 2>&1); }
# Signatures are verified all the same.
ignore_dates() { echo 'Acquire::Check-Valid-Until "false";' >"$root/etc/apt/apt.conf.d/81orthweb-frozen"; }
update_past_its_date() {
    [[ $problem = *"is expired"* ]] || return 1
    if [ -n "$require_fresh_index" ]; then
        say "The package index of $used is past its date, so that security updates may be missing:" \
            "$(grep -m 1 'is expired' <<<"$problem") Use a mirror that is up to date, or set" \
            "container_images_require_fresh_index: false to build from this one."
        exit 1
    fi
    ignore_dates
    update
}
update_without_security() {
    [[ $problem = *"$suite-security"* ]] || return 1
    say "NO SECURITY UPDATES FOR $suite: $security cannot be read: $(grep -m 1 "$suite-security" <<<"$problem")" \
        "The image is built without them."
    sed -i '$d' "$root/etc/apt/sources.list"
    update
}
[ -z "$snapshot" ] || ignore_dates
update || update_past_its_date || update_without_security || { say "apt-get update failed in the new image: $problem"; exit 1; }
date=$(sed -n 's/^Date: //p' "$root"/var/lib/apt/lists/*_dists_"$suite"_InRelease)
if [ -e "$root/etc/apt/apt.conf.d/81orthweb-frozen" ] && [ -z "$snapshot" ]; then
    say "OLD PACKAGES FOR $suite: the index of $used is of $date and past its Valid-Until. Security updates since then are" \
        "missing until the mirror is up to date and the images are built again."
fi
chroot "$root" apt-get -qq -y dist-upgrade
chroot "$root" apt-get -qq -y install ca-certificates
chroot "$root" finish_image
rm -rf "$root"/usr/share/man/* "$root"/usr/share/info/* "$root"/usr/share/locale/* "$root"/etc/machine-id
find "$root/usr/share/doc" -type f ! -name copyright -delete
: >"$root/etc/resolv.conf"
: >"$root/etc/hostname"

tar --create --numeric-owner --one-file-system --directory "$root" . |
    docker import --change 'ENV LANG=C.UTF-8' --change 'CMD ["bash"]' - "$image"
rm -rf --one-file-system "$root"
