#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# lint_docs.sh: antsibull-docs on the documentation of plugins and roles: markup, references to options and to what is in
# the collections that galaxy.yml names, and the pages that are made of it.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
venv=$(realpath "${VENV:-$root/.venv}")
# It copies those collections, and where git says that they lie in a checkout, it copies what git lists: nothing, as .venv
# is ignored. So git must not look beyond .venv.
GIT_CEILING_DIRECTORIES=${venv%/*} ANSIBLE_COLLECTIONS_PATH=$venv/collections PATH=$venv/bin:$PATH \
    antsibull-docs lint-collection-docs --plugin-docs --validate-collection-refs dependent "$root"
echo "antsibull-docs: nothing to fix"
