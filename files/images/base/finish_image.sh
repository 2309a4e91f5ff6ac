#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# The last step of each image: writes what it is made of, and removes what only the installation of packages needed.
#
#   finish_image [PURL...]
#
# /usr/share/orthweb/package-index has one line a suite: its name, and the date of its index (RFC 5322).
# /usr/share/orthweb/sbom.cdx.json is the list of packages (CycloneDX 1.6), and of what is no package: each PURL names one such
# thing (pkg:npm/%40ohif/app@3.13.2).
set -eu
folder=/usr/share/orthweb
mkdir -p $folder
for index in /var/lib/apt/lists/*_InRelease; do
    sed -n -e 's/^Codename: //p' -e 's/^Date: //p' "$index" | paste -s -d ' '
done >$folder/package-index

# A version may have a colon, a tilde or a plus sign: package URLs leave the first two as they are, and write the plus sign as %2B.
# shellcheck disable=SC1091,SC2016 # a file of the image; ${…} is dpkg-query's
{
    printf '%s\n' "$@" | sed -n 's/.\+/purl &/p'
    dpkg-query --show --showformat='deb ${Package} ${Version} ${Architecture} ${source:Package} ${source:Version}\n'
} | awk -v release="$(. /etc/os-release && echo "$VERSION_CODENAME")" -v now="$(date --utc +%Y-%m-%dT%H:%M:%SZ)" '
    function encoded(text) { gsub(/\+/, "%2B", text); return text }
    function decoded(text) { gsub(/%40/, "@", text); gsub(/%2B/, "+", text); return text }
    function component(type, name, version, purl) {
        printf "%s  {\"type\": \"%s\", \"bom-ref\": \"%s\", \"name\": \"%s\", \"version\": \"%s\", \"purl\": \"%s\"}", \
            separator, type, purl, name, version, purl
        separator = ",\n"
    }
    BEGIN {
        printf "{\"bomFormat\": \"CycloneDX\", \"specVersion\": \"1.6\", \"version\": 1,\n"
        printf " \"metadata\": {\"timestamp\": \"%s\", \"component\": {\"type\": \"operating-system\", \"name\": \"debian\", " \
            "\"version\": \"%s\"}},\n \"components\": [\n", now, release
    }
    $1 == "purl" {
        path = $2; sub(/^pkg:[^\/]*\//, "", path)
        version = path; sub(/.*@/, "", version); sub(/@[^@]*$/, "", path)
        component("application", decoded(path), decoded(version), $2)
    }
    $1 == "deb" {
        upstream = $5 == $2 && $6 == $3 ? "" : "&upstream=" encoded($5) "%40" encoded($6)
        component("library", $2, $3, "pkg:deb/debian/" encoded($2) "@" encoded($3) "?arch=" $4 "&distro=" release upstream)
    }
    END { printf "\n ]}\n" }
' >$folder/sbom.cdx.json

apt-get -qq clean
rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /var/cache/ldconfig/* /var/log/*.log /var/log/nginx/*
