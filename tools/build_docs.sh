#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# build_docs.sh: the site, in .cache/docs/html: the guides, and what antsibull-docs makes of modules, plugins and roles.
# Needs no network. A warning is an error: links between pages that lead nowhere are found.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
venv=$(realpath "${VENV:-$root/.venv}")
site=$root/.cache/docs
mkdir -p "$site/source/reference"
chmod go-w "$site/source/reference" # antsibull-docs wants it so

# Most of the time goes into the reference. It is made again if something that it is made of has changed.
if [ ! -e "$site/made" ] || [ -n "$(cd "$root" && find plugins roles/*/meta meta galaxy.yml requirements-test.txt \
    "$venv/.runtime" -name __pycache__ -prune -o -newer "$site/made" -print -quit)" ]; then
    touch "$site/began"
    ANSIBLE_COLLECTIONS_PATH=$venv/collections PATH=$venv/bin:$PATH \
        antsibull-docs collection --use-current --squash-hierarchy --fail-on-error --cleanup everything \
        --dest-dir "$site/source/reference" cellcs.orthweb
    mv "$site/began" "$site/made"
fi

# The guides are read anew each time: what Sphinx remembers of a page that has not changed, it does not check again.
rm -rf "$site"/source/*.md "$site/source/decisions" "$site/source/images"
cp -r "$root/README.md" "$root"/docs/*.md "$root/docs/decisions" "$site/source"
if [ -e "$root/docs/images" ]; then # screenshots
    cp -r "$root/docs/images" "$site/source"
fi
"$venv/bin/sphinx-build" --quiet --fail-on-warning --keep-going --fresh-env --write-all \
    -c "$root/docs" --doctree-dir "$site/doctrees" "$site/source" "$site/html"
echo "The site: $site/html/index.html"
