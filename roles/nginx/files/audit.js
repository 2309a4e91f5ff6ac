// SPDX-License-Identifier: GPL-3.0-or-later
// An admin's question to the audit trail. What is asked for is written down, and files/images/audit/answers.py answers it.

const KEYS = ['study', 'account', 'since', 'until']

// What is asked for, in words; nothing if that is no question.
function words(r) {
    try {
        const asked = JSON.parse(r.requestText || '')
        const said = KEYS.filter((key) => asked[key]).map((key) => `${key} ${asked[key]}`)
        r.variables.asked_study = /^[0-9.]{1,64}$/.test(asked.study) ? asked.study : ''
        return said.join(', ').slice(0, 400) || 'everything'
    } catch (error) {
        return undefined
    }
}

function ask(r) {
    const said = words(r)
    if (!said) {
        r.headersOut['Content-Type'] = 'application/json'
        return r.return(400, '{"error": "Send an object with study, account, since and until, each of which may be empty."}\n')
    }
    r.variables.asked_of_trail = said
    return r.internalRedirect('/_trail')
}

export default { ask }
