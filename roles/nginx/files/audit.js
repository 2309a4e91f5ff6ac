// SPDX-License-Identifier: GPL-3.0-or-later
// An admin's question to the audit trail, and its answer, as JSON (files/images/audit/answers.py). What is asked for is written down.

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

async function ask(r) {
    r.headersOut['Content-Type'] = 'application/json'
    const said = words(r)
    if (!said) {
        return r.return(400, '{"error": "Send an object with study, account, since and until, each of which may be empty."}\n')
    }
    r.variables.asked_of_trail = said
    const reply = await r.subrequest('/_trail', { method: 'POST', body: r.requestText })
    if (![200, 400, 422].includes(reply.status)) {
        return r.return(503, '{"error": "The audit trail does not answer. Try again in a minute."}\n')
    }
    return r.return(reply.status, reply.responseText)
}

export default { ask }
