// SPDX-License-Identifier: GPL-3.0-or-later
// Bulk data in a single part (PS3.18 section 8.7.3.3), which OHIF requests to draw an ECG. Orthanc only sends it as multipart; the
// first part is extracted on the way.

const END_OF_HEADER = '\r\n\r\n'
const LONGEST_HEADER = 4096

// All of this belongs to one request.
let header = Buffer.alloc(0)
let left // bytes of the part, once its header is known

function announceOctets(r) {
    if (r.variables.bulk_form === 'single' && r.status === 200) {
        r.headersOut['Content-Type'] = 'application/octet-stream'
        delete r.headersOut['Content-Length']
    }
}

function afterHeader(data) {
    header = Buffer.concat([header, data])
    const end = header.indexOf(END_OF_HEADER)
    if (end < 0) {
        if (header.length > LONGEST_HEADER) {
            throw new Error('no end of the header of the part of bulk data')
        }
        return Buffer.alloc(0)
    }
    left = Number(/^content-length: *(\d+)/im.exec(header.slice(0, end).toString())[1])
    return header.slice(end + END_OF_HEADER.length)
}

function takeOctets(r, data, flags) {
    if (r.variables.bulk_form !== 'single' || r.status !== 200) {
        r.sendBuffer(data, flags)
        return
    }
    const rest = left === undefined ? afterHeader(data) : data
    const part = rest.slice(0, left)
    left -= part.length
    r.sendBuffer(part, flags)
}

export default { announceOctets, takeOctets }
