#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# build.sh IMAGE SUITE: the host of this folder with the Debian release SUITE, for those who want a machine in a container.
# On a base image that container_images has made, if there is one; otherwise it makes that first, in some two minutes.
set -euo pipefail
image=$1 suite=$2
here=$(cd "$(dirname "$0")" && pwd)

base=$(docker image ls --filter "reference=orthweb/base:$suite-*" --format '{{.Repository}}:{{.Tag}}' | head -n 1)
if [ -z "$base" ]; then
    base=orthweb/base:$suite-host
    "$here/../../../files/images/base/build.sh" "$base" "$suite"
fi
DOCKER_BUILDKIT=0 docker build --quiet --build-arg BASE="$base" --tag "$image" "$here"
