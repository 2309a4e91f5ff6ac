#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Runs nginx. What it says about requests (error_log /dev/fd/3) goes to its standard error without the request, whose query may have
# patients' names.
exec nginx -c /etc/nginx/orthweb/nginx.conf "$@" 3> >(exec sed --unbuffered 's/, request: .*//' >&2)
