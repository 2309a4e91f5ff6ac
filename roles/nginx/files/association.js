// SPDX-License-Identifier: GPL-3.0-or-later
// Waits for a client's whole A-ASSOCIATE-RQ (PS3.8 section 9.3.2) before connecting to Orthanc: Orthanc reads one request at a time,
// and a client that stops in the middle would keep all others out. preread_timeout is the deadline, preread_buffer_size limits the
// length.

const REQUEST = 0x01
const HEADER = 6 // type, reserved, and the length of what follows in 4 bytes
const CALLED_AET = 10
const CALLING_AET = 26
const SHORTEST = 68 // everything before the variable items
const LONGEST = 128 * 1024 - HEADER

// PS3.5 section 6.2: no backslash, no control characters, not only spaces. With any other title, Orthanc does not close the association.
function isTitle(bytes) {
    return bytes.every((byte) => byte >= 0x20 && byte !== 0x5c && byte !== 0x7f) && bytes.some((byte) => byte !== 0x20)
}

// Why this is not the beginning of a request; '' if it is.
function whyNot(received) {
    if (received.length && received[0] !== REQUEST) {
        return `begins with PDU type ${received[0]}, not with an A-ASSOCIATE-RQ`
    }
    if (received.length < HEADER) {
        return ''
    }
    const length = received.readUInt32BE(2)
    if (length < SHORTEST || length > LONGEST) {
        return `an A-ASSOCIATE-RQ of ${length} bytes`
    }
    const titles = [CALLED_AET, CALLING_AET].map((at) => received.subarray(at, at + 16))
    if (received.length >= CALLING_AET + 16 && !titles.every(isTitle)) {
        return 'an AE title with characters that it cannot have'
    }
    return ''
}

function isWhole(received) {
    return received.length >= HEADER && received.length >= HEADER + received.readUInt32BE(2)
}

function wait(s) {
    let received = Buffer.alloc(0)
    s.variables.refused = 'no whole A-ASSOCIATE-RQ in time'
    s.on('upstream', (data) => {
        received = Buffer.concat([received, data])
        const why = whyNot(received)
        if (why) {
            s.variables.refused = why
            s.deny()
        } else if (isWhole(received)) {
            s.variables.refused = ''
            s.off('upstream')
            s.done()
        }
    })
}

export default { wait }
