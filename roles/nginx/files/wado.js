// SPDX-License-Identifier: GPL-3.0-or-later
// WADO-URI (PS3.18 section 9): Orthanc 1.13 calls each picture a PNG, and makes a JPEG unless it is asked for a PNG.

function nameImage(r) {
    if (r.status === 200 && r.headersOut['Content-Type'] === 'image/png' && r.variables.arg_contentType !== 'image/png') {
        r.headersOut['Content-Type'] = 'image/jpeg'
    }
}

export default { nameImage }
