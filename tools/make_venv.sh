#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# make_venv.sh PYTHON FOLDER: a virtual environment, on a Debian that may lack python3-venv.
set -euo pipefail
python=$1 folder=$2

if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    echo "orthweb needs Python 3.11 or later; $python is $("$python" --version 2>&1). Name another: make PYTHON=python3.12 …" >&2
    exit 1
fi
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    sudo=$([ "$(id -u)" = 0 ] || echo sudo)
    echo "$python has no venv module: installing Debian's python3-venv." >&2
    $sudo apt-get -qq update
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get -qq -y install --no-install-recommends python3-venv
fi
"$python" -m venv "$folder"
