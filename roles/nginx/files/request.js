// SPDX-License-Identifier: GPL-3.0-or-later
// Reads an A-ASSOCIATE-RQ (PS3.8 section 9.3.2): AE titles, what was asked for, and who implemented the client (PS3.7 annex D.3.3.2).
// It does not read the user identity (PS3.7 annex D.3.3.7), which may be a password.

const REQUEST = 0x01
const HEADER = 6 // type, reserved, and the length of what follows in 4 bytes
const CALLED_AET = 10
const CALLING_AET = 26
const ITEMS = 74
const SHORTEST = ITEMS - HEADER
const LONGEST = 128 * 1024 - HEADER

const CONTEXT = 0x20
const ABSTRACT_SYNTAX = 0x30
const USER_INFORMATION = 0x50
const IMPLEMENTATION_CLASS = 0x52
const IMPLEMENTATION_VERSION = 0x55

const MOST_ITEMS = 2000 // 128 presentation contexts are the most that there can be, and each role selection is an item, too
const LOGGED_CONTEXTS = 20

// Why this is not the beginning of a request; '' if it is.
function whyNot(received) {
    if (received.length && received[0] !== REQUEST) {
        return `begins with PDU type ${received[0]}, not with an A-ASSOCIATE-RQ`
    }
    if (received.length < HEADER) {
        return ''
    }
    const length = received.readUInt32BE(2)
    return length < SHORTEST || length > LONGEST ? `an A-ASSOCIATE-RQ of ${length} bytes` : ''
}

function isWhole(received) {
    return received.length >= HEADER && received.length >= HEADER + received.readUInt32BE(2)
}

// PS3.5 section 6.2: no backslash, no control characters, not only spaces. With any other title, Orthanc does not close the association.
function isTitle(bytes) {
    return bytes.every((byte) => byte >= 0x20 && byte !== 0x5c && byte !== 0x7f) && bytes.some((byte) => byte !== 0x20)
}

// For the log: at most this many characters, and no others than ASCII's.
function text(bytes, most) {
    return Array.from(bytes.subarray(0, most), (byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '?'))
        .join('')
        .trim()
}

// Calls `visit` with the type and the content of each item; false if one of them does not fit, or there are too many.
function eachItem(bytes, budget, visit) {
    let at = 0
    while (at < bytes.length) {
        const end = at + 4 + (at + 4 <= bytes.length ? bytes.readUInt16BE(at + 2) : 0)
        budget.items -= 1
        if (end > bytes.length || budget.items < 0 || visit(bytes[at], bytes.subarray(at + 4, end)) === false) {
            return false
        }
        at = end
    }
    return true
}

// What a whole request says; `problem` if it cannot be used.
function read(whole) {
    const bytes = whole.subarray(0, HEADER + whole.readUInt32BE(2))
    const titles = [CALLED_AET, CALLING_AET].map((at) => bytes.subarray(at, at + 16))
    const found = { called: text(titles[0], 16), calling: text(titles[1], 16), implementation: '', version: '', problem: '' }
    if (!titles.every(isTitle)) {
        found.problem = 'an AE title with characters that it cannot have'
    }
    const syntaxes = []
    const budget = { items: MOST_ITEMS }
    const ofContext = (type, content) => {
        if (type === ABSTRACT_SYNTAX) {
            syntaxes.push(content)
        }
    }
    const ofUser = (type, content) => {
        if (type === IMPLEMENTATION_CLASS) {
            found.implementation = text(content, 64)
        } else if (type === IMPLEMENTATION_VERSION) {
            found.version = text(content, 16)
        }
    }
    const fits = eachItem(bytes.subarray(ITEMS), budget, (type, content) => {
        if (type === CONTEXT) {
            return eachItem(content.subarray(4), budget, ofContext)
        }
        return type === USER_INFORMATION ? eachItem(content, budget, ofUser) : true
    })
    if (!fits && !found.problem) {
        found.problem = 'an A-ASSOCIATE-RQ whose items do not fit into it'
    }
    const logged = syntaxes.slice(0, LOGGED_CONTEXTS).map((syntax) => text(syntax, 64))
    const others = syntaxes.length - logged.length
    found.contexts = logged.join(' ') + (others > 0 ? ` and ${others} more` : '')
    return found
}

export default { isWhole, read, whyNot }
