// SPDX-License-Identifier: GPL-3.0-or-later
// Decides on an association before Orthanc hears of it. Orthanc reads one A-ASSOCIATE-RQ (PS3.8 section 9.3.2) at a time, and a client
// that stops in the middle would keep all others out, so the whole request is awaited here: preread_timeout is the deadline,
// preread_buffer_size limits the length. Then the called AE title must be ours, and the calling one must belong to the certificate.

import recent from 'recent.js'
import request from 'request.js'
import titles from 'titles.js'

// A-ASSOCIATE-RJ (PS3.8 section 9.3.4): rejected for good, by the service user, as it does not recognize the calling or called title.
const CALLING = 3
const CALLED = 7
const REJECTIONS = { [CALLING]: 'unix:/run/nginx/reject-calling.sock', [CALLED]: 'unix:/run/nginx/reject-called.sock' }

const LOGGED = ['called', 'calling', 'implementation', 'version', 'contexts']
const ANSWERS = { 2: 'accepted', 3: 'rejected', 7: 'aborted' }

// The entry of orthweb_modalities whose certificate was shown; '' without one, null for a certificate that belongs to no entry.
function entryOf(certificate) {
    if (certificate.verified !== 'SUCCESS') {
        return ''
    }
    const found = /^CN=([a-z0-9_-]+),O=OrthWeb$/.exec(certificate.subject)
    return found && titles.by_certificate.hasOwnProperty(found[1]) ? found[1] : null
}

// Why a client does not have this calling title; '' if it has. Without a certificate, an address that is an entry's takes its place.
function whyNotTheirs(calling, certificate, address) {
    const title = calling.toUpperCase() // Orthanc does not tell "CT1" from "ct1" either
    const entry = entryOf(certificate)
    if (entry === null) {
        return 'the certificate belongs to no modality'
    }
    if (entry) {
        return titles.by_certificate[entry].includes(title) ? '' : `not a calling AE title of ${entry}, whose certificate was shown`
    }
    if (titles.by_address.hasOwnProperty(address)) {
        return titles.by_address[address].includes(title) ? '' : `not a calling AE title of ${address}, without a certificate`
    }
    return titles.anywhere.includes(title) ? '' : 'not a calling AE title of this address, without a certificate'
}

// Why this association is rejected, and with which reason; null if it is not.
function rejection(asked, certificate, address) {
    if (asked.called.toUpperCase() !== titles.called.toUpperCase()) {
        return { reason: CALLED, why: `the called AE title is not ${titles.called}` }
    }
    const why = whyNotTheirs(asked.calling, certificate, address)
    return why ? { reason: CALLING, why } : null
}

function refuse(s, why) {
    s.variables.refused = why
    recent.remember(s, 'refused')
    s.deny()
}

// Before Orthanc is contacted: js_preread. Each call gets all that has arrived so far.
function wait(s) {
    const variables = s.variables
    variables.refused = 'no whole A-ASSOCIATE-RQ in time'
    s.on('upstream', (received) => {
        const why = request.whyNot(received)
        if (why) {
            refuse(s, why)
        } else if (request.isWhole(received)) {
            s.off('upstream')
            decide(s, request.read(received))
        }
    })
}

function decide(s, asked) {
    const variables = s.variables
    LOGGED.forEach((key) => {
        variables[key] = asked[key]
    })
    if (asked.problem) {
        refuse(s, asked.problem)
        return
    }
    const certificate = { verified: variables.ssl_client_verify, subject: variables.ssl_client_s_dn }
    const rejected = rejection(asked, certificate, variables.remote_addr)
    variables.refused = rejected ? rejected.why : ''
    if (rejected) {
        variables.forward_to = REJECTIONS[rejected.reason]
    }
    s.done()
}

// Of the server's first PDU: js_filter. All that follows passes without this script.
function answer(s) {
    s.on('downstream', (data, flags) => {
        s.send(data, flags)
        if (data.length) {
            const kind = ANSWERS[data[0]] || 'not an answer'
            s.variables.result = kind === 'rejected' && data.length >= 10 ? `${kind} ${data[7]}/${data[8]}/${data[9]}` : kind
            recent.remember(s, kind)
            s.off('downstream')
        }
    })
}

// In the server that rejects: js_preread. A request that it has not read would reset the connection.
function swallow(s) {
    s.on('upstream', (received) => {
        if (request.isWhole(received)) {
            s.off('upstream')
            s.done()
        }
    })
}

// In the server that rejects: js_set.
function rejectPdu(s) {
    return Buffer.from([3, 0, 0, 0, 0, 4, 0, 1, 1, Number(s.variables.reason)])
}

export default { answer, rejectPdu, swallow, wait }
