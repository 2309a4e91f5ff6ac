// SPDX-License-Identifier: GPL-3.0-or-later
// Which events go into the audit trail. Whoever floods the archive with requests that are refused must not fill it: of each address and
// of all, the first of each minute are written, and then the 32nd, 64th, 128th and so on, with their number. What a person does with one
// study in a minute is one line, as a viewer asks for it in thousands of requests. Changes are written one by one.

import networkOf from 'network.js'

const FROM_AN_ADDRESS = 20
const FROM_ALL = 600

const isPowerOfTwo = (number) => (number & (number - 1)) === 0

// How often there was one like this in this minute; 0 if that cannot be counted, and is written then.
function count(zone, kind) {
    try {
        return zone.incr(`${Math.floor(Date.now() / 60000)} ${kind}`, 1, 0)
    } catch (error) {
        return 0
    }
}

// Writes the number of refusals into a variable, and says whether this one is written.
function isWritten(variables, zone, address) {
    const ofAddress = count(zone, `refused ${networkOf(address)}`)
    const ofAll = ofAddress <= FROM_AN_ADDRESS || isPowerOfTwo(ofAddress) ? count(zone, 'refused') : 0
    variables.refusals = ofAddress
    return (ofAddress <= FROM_AN_ADDRESS || isPowerOfTwo(ofAddress)) && (ofAll <= FROM_ALL || isPowerOfTwo(ofAll))
}

// Of a request: js_set, asked when it is logged.
function sample(r) {
    const variables = r.variables
    if (variables.is_refusal === '1') {
        return isWritten(variables, ngx.shared.written, variables.remote_addr) ? '1' : '0'
    }
    const subject = variables.study || variables.resource || (variables.action === 'searched' ? 'searched' : '')
    if (!['GET', 'HEAD'].includes(r.method) || !subject) {
        return '1'
    }
    const kind = [variables.account, variables.remote_addr, variables.door, variables.action, variables.outcome, subject].join(' ')
    return count(ngx.shared.written, kind) <= 1 ? '1' : '0'
}

// Of an association: js_set, asked when it is logged.
function sampleAssociation(s) {
    const variables = s.variables
    return variables.result === 'accepted' || isWritten(variables, ngx.shared.associations, variables.remote_addr) ? '1' : '0'
}

export default { sample, sampleAssociation }
