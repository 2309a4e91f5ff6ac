#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# ansible_test.sh COMMAND [ARGUMENT...]: ansible-test on a copy of this checkout, as it is now, without the Internet
# beyond the package index that pip uses.
#   tools/ansible_test.sh sanity                             every sanity test
#   tools/ansible_test.sh sanity --test pylint               one of them
#   tools/ansible_test.sh units tests/unit/plugins/filter/   the unit tests of a folder, or of all of tests/unit
#   tools/ansible_test.sh integration pki dicom_echo         the targets named; without a name, all
# ansible-test must find the collection below ansible_collections/, and takes a link for what it points to.
set -euo pipefail
if [ $# -eq 0 ]; then
    sed -n 's/^# \{0,1\}//; 3,8p' "$0" >&2
    exit 2
fi
root=$(cd "$(dirname "$0")/.." && pwd)
venv=${VENV:-$root/.venv}
if [ ! -x "$venv/bin/ansible-test" ]; then
    echo "There is no $venv/bin/ansible-test: run 'make venv-test', or name another environment (VENV=...)." >&2
    exit 1
fi

# The private environments of the sanity tests begin with a get-pip script from a host that is not a package index.
# Python's own ensurepip does the same. A script that is there already is left alone.
pip_version=$("$venv/bin/python" - <<'PYTHON'
import pathlib
import re

import ansible_test._internal.python_requirements as requirements

print(re.search(r"pip='([0-9.]+)'", pathlib.Path(requirements.__file__).read_text())[1])
PYTHON
)
get_pip=$HOME/.ansible/test/cache/get_pip_${pip_version//./_}.py
if [ ! -e "$get_pip" ]; then
    mkdir -p "$(dirname "$get_pip")"
    cat >"$get_pip" <<'PYTHON'
"""Stands in for get-pip: ensurepip, then the packages asked for."""

import subprocess
import sys

arguments = [argument for argument in sys.argv[1:] if argument not in ("--no-setuptools", "--no-wheel")]
subprocess.run([sys.executable, "-m", "ensurepip"], check=True)
subprocess.run([sys.executable, "-m", "pip", "install", *arguments], check=True)
PYTHON
fi

stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
collection=$stage/ansible_collections/cellcs/orthweb
mkdir -p "$collection"
cd "$root"
files=()
while IFS= read -r -d '' file; do
    [ ! -e "$file" ] || files+=("$file") # one that is deleted, and not committed yet, is listed too
done < <(git ls-files --cached --others --exclude-standard -z)
if [ ${#files[@]} -eq 0 ]; then
    echo "git names no file in $root: is this a git checkout of the user $(id -un)?" >&2
    exit 1
fi
cp --parents --preserve=mode --target-directory "$collection" -- "${files[@]}"

# ansible-test gives modules the collections beside ours only, and ours build on amazon.aws. An environment with ansible-core
# alone (sanity_matrix.sh) has none: COLLECTIONS_OF names another that has.
bundled=$("${COLLECTIONS_OF:-$venv}/bin/python" -c 'import ansible_collections; print(next(iter(ansible_collections.__path__)))')
mkdir -p "$stage/ansible_collections/amazon"
ln -s "$bundled/amazon/aws" "$stage/ansible_collections/amazon/aws"

cd "$collection"
command=$1
shift
# pynetdicom puts an echoscu of its own into the environment: targets call dcmtk's as /usr/bin/echoscu.
PATH=$venv/bin:$PATH "$venv/bin/ansible-test" "$command" \
    --python "$("$venv/bin/python" -c 'import sys; print("{}.{}".format(*sys.version_info))')" --color no "$@"
