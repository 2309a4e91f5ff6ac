#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Runs Orthanc, and runs it again if a signal ended it. Docker waits longer after each crash, up to a minute, if the one before was
# less than ten seconds ago: anyone who has a file that crashes Orthanc could keep it down. What Orthanc ends by itself, such as a wrong
# configuration, is left to Docker's restart policy.
set -u
stop() {
    trap - TERM INT
    kill -TERM "$orthanc"
    wait "$orthanc"
    exit $?
}
while :; do
    rm -f "${TMPDIR:-/tmp}"/Orthanc-*-*-*-*-*-* # uploads that a crash has left
    LD_PRELOAD="${LD_PRELOAD:-} dicom_events.so" Orthanc "$@" & # needs DCMTK, which this shell has not
    orthanc=$!
    trap stop TERM INT
    wait "$orthanc"
    status=$?
    ((status > 128)) || exit "$status"
    echo "Orthanc was ended by signal $((status - 128)) and is started again." >&2
    sleep 1
done
