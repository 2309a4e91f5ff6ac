#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# lint_shell.sh: shellcheck on each shell script of this checkout, also on those that are not added to git yet. A script is
# what begins like one, whatever its name. Templates are none before Ansible has filled them in.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
venv=${VENV:-$root/.venv}
cd "$root"
shebang='^#!.*[/ ](ba|da)?sh( |$)'
scripts=()
while IFS= read -r -d '' file; do
    if head -n 1 -- "$file" | grep -qE "$shebang"; then
        scripts+=("$file")
    fi
done < <(git grep --untracked -I -lz -E "$shebang" -- ':!*.j2')
if [ ${#scripts[@]} -eq 0 ]; then
    echo "git names no shell script in $root: is this a git checkout of the user $(id -un)?" >&2
    exit 1
fi
"$venv/bin/shellcheck" "${scripts[@]}"
echo "shellcheck: ${#scripts[@]} scripts, nothing to fix"
