#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Makes the database cluster once, whole or not at all, then runs the server in the foreground.
#
# There is no superuser password: the superuser is the operating-system user `postgres` inside this container
# ("peer" on the local socket), and pg_hba.conf, which the role writes, has no line for it over the network.
set -euo pipefail
data=/var/lib/postgresql/data/17

if [ ! -s "$data/PG_VERSION" ]; then
    # Something else in its place, such as what a restore that did not end has left, is not overwritten.
    shopt -s dotglob nullglob
    found=("$data"/*)
    names=("${found[@]##*/}")
    if [ -e "$data" ] && { [ ! -d "$data" ] || [ ${#found[@]} -gt 0 ]; }; then
        echo "$data has no PG_VERSION, so it is no database cluster, but it is not empty (${#found[@]} entries: ${names[*]:0:5})." \
            "Nothing was changed. If a restore was interrupted, run it again. If nobody needs these files, move them away in the" \
            "volume; then a new, empty cluster is made." >&2
        exit 1
    fi
    rm -rf "$data.partial"
    initdb --pgdata="$data.partial" --encoding=UTF8 --locale-provider=builtin --builtin-locale=C.UTF-8 --locale=C.UTF-8 \
        --auth-local=peer --auth-host=reject --data-checksums
    sync
    mv -T "$data.partial" "$data"
fi
exec postgres -D "$data" -c config_file=/etc/postgresql/orthweb/postgresql.conf
