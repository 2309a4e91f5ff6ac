#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Runs LemonLDAP::NG for nginx, at three sockets in /run/identity: sessions, the login pages, and HTTP Basic, for which a process asks a
# portal inside the container for a session and waits. At a fourth, nginx asks for share links, tokens and the list of sessions. Each has processes of its own, so that somebody who asks for login pages or tries
# passwords keeps nobody waiting who is logged in.
#
#   identity PROCESSES
set -euo pipefail
umask 0007 # nginx has the group of the sockets
rm -rf /run/identity/*
cp --recursive --dereference /usr/share/lemonldap-ng/portal/htdocs/static /run/identity/static
cp --recursive --dereference /usr/share/javascript /run/identity/static/javascript

# With docker compose, nobody else brings the accounts into the database.
if [ -e /etc/lemonldap-ng/accounts.sql ]; then
    until psql --no-psqlrc --quiet --output=/dev/null --file=/etc/lemonldap-ng/accounts.sql service=identity; do sleep 2; done
fi

# Where metadata of providers is added to the configuration, a copy in memory is the one that is used.
settings=/etc/lemonldap-ng
if grep -q issuer /etc/lemonldap-ng/metadata.json; then
    settings=/tmp/lemonldap-ng
    rm -rf "$settings"
    mkdir -m 700 "$settings"
    for file in lemonldap-ng.ini inside.ini; do
        sed -e "s|^dirName .*|dirName = $settings|" -e "s|^\[all\]|&\ncheckTime = 5|" "/etc/lemonldap-ng/$file" >"$settings/$file"
    done
    perl /usr/share/orthweb/metadata.pl once /etc/lemonldap-ng "$settings"
    perl /usr/share/orthweb/metadata.pl forever /etc/lemonldap-ng "$settings" &
fi

if grep -q sender /etc/lemonldap-ng/mail.json; then
    perl /usr/share/orthweb/mailer.pl /etc/lemonldap-ng/mail.json &
fi
export LLNG_DEFAULTCONFFILE=$settings/lemonldap-ng.ini
LLNG_DEFAULTCONFFILE=$settings/inside.ini starman --listen 127.0.0.1:8080 --workers 2 --preload-app --env deployment \
    --no-default-middleware /usr/share/orthweb/inside.psgi &
starman --listen /run/identity/access.sock --workers 2 --preload-app --env deployment --no-default-middleware \
    /usr/share/orthweb/access.psgi &
llng-fastcgi-server --foreground --socket /run/identity/programs.sock --pid /tmp/programs.pid --proc 2 \
    --customFunctionsFile /usr/share/orthweb/programs.pl &
llng-fastcgi-server --foreground --socket /run/identity/pages.sock --pid /tmp/pages.pid --proc 3 &
llng-fastcgi-server --foreground --socket /run/identity/sessions.sock --pid /tmp/sessions.pid --proc "$1" &
while sleep 600; do
    /usr/share/lemonldap-ng/bin/purgeCentralCache || echo "Expired sessions could not be removed; trying again in ten minutes." >&2
    psql --no-psqlrc --quiet --output=/dev/null --command='SELECT identity.remove_ended_bundles()' service=identity ||
        echo "Bundles whose link has ended could not be removed; trying again in ten minutes." >&2
done &
trap 'kill $(jobs -p) 2>/dev/null' EXIT
trap 'exit 0' TERM INT
wait -n # if one of them ends, so does the container, and it is started again
exit 1
