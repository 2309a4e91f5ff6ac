// SPDX-License-Identifier: GPL-3.0-or-later
// WADO-URI (PS3.18 section 9): Orthanc 1.13 labels each picture as PNG, but makes a JPEG unless a PNG is requested.

function nameImage(r) {
    if (r.status === 200 && r.headersOut['Content-Type'] === 'image/png' && r.variables.arg_contentType !== 'image/png') {
        r.headersOut['Content-Type'] = 'image/jpeg'
    }
}

export default { nameImage }
