#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Hands over to systemd, or to the command that is given (a host without systemd). The control groups are mounted anew,
# inside the namespace of this container: what Docker mounts is read-only, and the mount of the machine around us is not
# ours to change.
set -euo pipefail
umount -R /sys/fs/cgroup
mount -t cgroup2 -o rw,nosuid,nodev,noexec cgroup2 /sys/fs/cgroup
# Each host has keys and an identity of its own, made at its first start, as cloud-init does.
ssh-keygen -A >/dev/null
exec "${@:-/sbin/init}"
