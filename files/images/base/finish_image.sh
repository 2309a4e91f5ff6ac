#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# The last step of each image: says how old its packages are, and removes what only their installation needed.
# /usr/share/orthweb/package-index has one line a suite: its name, and the date of its index (RFC 5322).
set -eu
mkdir -p /usr/share/orthweb
for index in /var/lib/apt/lists/*_InRelease; do
    sed -n -e 's/^Codename: //p' -e 's/^Date: //p' "$index" | paste -s -d ' '
done >/usr/share/orthweb/package-index
apt-get -qq clean
rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /var/cache/ldconfig/* /var/log/*.log /var/log/nginx/*
