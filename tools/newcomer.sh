#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# newcomer.sh [--suite SUITE] [--all] [--keep]: README's commands, literally, on a Debian where nothing of this was ever
# installed, with the time that each took. The Debian is a container with systemd and a user who may sudo.
#   --suite SUITE   its release: trixie, or bookworm
#   --all           the whole `make test`, an hour or more; otherwise what tests/unit/package has
#   --keep          leave the container, to look at what went wrong
# Needs root, git, a Docker engine that runs, and ways to Debian's packages and to pip's index that it may use, too.
set -euo pipefail
suite=trixie tests=PYTEST_ARGS=tests/unit/package keep=
while [ $# -gt 0 ]; do
    case $1 in
        --suite) suite=$2 && shift ;;
        --all) tests= ;;
        --keep) keep=1 ;;
        *) sed -n 's/^# \{0,1\}//; 3,8p' "$0" >&2 && exit 2 ;;
    esac
    shift
done
root=$(cd "$(dirname "$0")/.." && pwd)
host=$root/rehearsal/images/host
name=orthweb-newcomer-$$
stage=$(mktemp -d)
doing="make the container" times=()

finish() {
    local code=$?
    rm -rf "$stage"
    [ ${#times[@]} -eq 0 ] || printf '%s\n' "" "Seconds on a fresh $suite:" "${times[@]}"
    if [ -n "$keep" ]; then
        echo "The container is left: docker exec --interactive --tty $name bash; docker rm --force --volumes $name"
    else
        docker rm --force --volumes "$name" >/dev/null 2>&1 || true
    fi
    [ "$code" -eq 0 ] || echo "A newcomer stumbles here: $doing (exit code $code)." >&2
    exit "$code"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# --- the machine

"$host/build.sh" "orthweb/newcomer-host:$suite" "$suite"
mapfile -t powers <"$host/powers"
docker run --detach --name "$name" --hostname newcomer --volume /var/lib/docker "${powers[@]}" "orthweb/newcomer-host:$suite"
until docker exec "$name" systemctl is-system-running --wait 2>/dev/null | grep -E '^(running|degraded)$'; do
    docker exec "$name" true # or it has ended
    sleep 0.5
done

# Where this machine's pip has an index or certificates of its own, the container's pip has them too. Who asks npm there trusts whom
# this machine trusts.
index=${PIP_INDEX_URL:-$(python3 -m pip config get global.index-url 2>/dev/null || true)}
certificates=${PIP_CERT:-$(python3 -m pip config get global.cert 2>/dev/null || true)}
{
    echo "[global]"
    [ -z "$index" ] || echo "index-url = $index"
    [ -z "$certificates" ] || echo "cert = /etc/pip-certificates.pem"
} >"$stage/pip.conf"
docker cp "$stage/pip.conf" "$name:/etc/pip.conf"
[ -z "$certificates" ] || docker cp --follow-link "$certificates" "$name:/etc/pip-certificates.pem"
trusted=/etc/ssl/certs/ca-certificates.crt
if [ -e "$trusted" ]; then
    docker exec "$name" mkdir --parents "${trusted%/*}"
    docker cp --follow-link "$trusted" "$name:${trusted%.crt}-of-this-machine.crt"
fi

# This checkout as it is now, also what is not committed, where `git clone` finds it under the name that README gives.
mkdir "$stage/orthweb"
cd "$root"
files=()
while IFS= read -r -d '' file; do
    [ ! -e "$file" ] || files+=("$file")
done < <(git ls-files --cached --others --exclude-standard -z)
cp --parents --preserve=mode --target-directory "$stage/orthweb" -- "${files[@]}"
cd "$stage/orthweb"
git init --quiet
git add --all
git -c user.name=newcomer -c user.email=newcomer@example.org commit --quiet --message="The checkout as it is now"
docker cp "$stage/orthweb" "$name:/srv/orthweb"
docker exec "$name" chown --recursive admin: /srv/orthweb

# --- README

# block HEADING: the commands under it.
block() {
    awk -v heading="## $1" '/^## /{ on = ($0 == heading) } /^```/{ inside = ($0 == "```bash"); next } on && inside' "$root/README.md"
}

# step WHAT COMMANDS: as the newcomer, in a shell that has just been opened.
step() {
    doing=$1
    local begun=$SECONDS
    printf '\n=== %s\n%s\n\n' "$1" "$2"
    docker exec "$name" runuser --login admin --command "bash -euo pipefail -c $(printf %q "$2")" </dev/null 2>&1 | tee "$stage/said"
    times+=("$(printf '%6d  %s' $((SECONDS - begun)) "$1")")
}

mapfile -t commands < <(block "Two commands")
[[ ${#commands[@]} = 3 && ${commands[0]} = "git clone "* && ${commands[1]} = "make deploy"* && ${commands[2]} = "make test"* ]] || {
    printf 'README has other commands than this script expects:\n%s\n' "$(block "Two commands")" >&2
    exit 1
}
step "what the machine needs" "sudo apt-get -qq update && sudo apt-get -qq -y install git make"
docker exec "$name" git config --system url.file:///srv/orthweb.insteadOf https://github.com/cellcs/orthweb
step "git clone" "${commands[0]}"
step "make deploy" "cd orthweb; ${commands[1]}"
step "make deploy, again" "cd orthweb; ${commands[1]}"
if ! grep -q 'changed=0' "$stage/said" || grep -qE 'changed=[1-9]' "$stage/said"; then
    echo "The second deployment has changed something." >&2
    exit 1
fi
step "what README's next commands need" "sudo $(grep -oE -m1 'apt-get install dcmtk[a-z ]*' "$root/README.md") -qq -y"
step "send a first image, log in and look" "cd orthweb
$(block "Send a first image")
$(block "Log in and look" | sed 's/^docker exec/sudo docker exec/')"
grep -q 'Received Store Response (Success)' "$stage/said"
step "make test ${tests:-(all)}" "cd orthweb; ${commands[2]%%#*} $tests"
step "make teardown" "cd orthweb; $(block "Take it away" | grep orthweb_confirm_teardown)"
