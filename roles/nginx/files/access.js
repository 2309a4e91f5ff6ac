// SPDX-License-Identifier: GPL-3.0-or-later
// Access without a login of one's own, as JSON: share links, bundles of modalities, tokens of programs (RFC 6749 section 4.4), who is
// logged in, and which accounts there are. What is kept is in the database (roles/identity/files/access.sql), which gets hashes: tokens,
// PINs and sessions are made here and not kept here.

import hashes from 'crypto'
import querystring from 'querystring'
import admission from 'admission.js'
import pages from 'pages.js'

const TOKEN_SECONDS = 600
const SHARE_SECONDS = 12 * 60 * 60
const UID = /^[0-9.]{1,64}$/
const LIMITS = { hours: { least: 1, most: 2160, usual: 168 }, uses: { least: 1, most: 1000, usual: 10 } }

const sha256 = (text) => hashes.createHash('sha256').update(text).digest('hex')
const secret = () => Buffer.from(crypto.getRandomValues(new Uint8Array(32)))

function answer(r, status, content) {
    r.headersOut['Content-Type'] = 'application/json'
    r.headersOut['Cache-Control'] = 'no-store'
    r.return(status, JSON.stringify(content) + '\n')
}

// With a sentence of the pages', in the browser's language.
function refuse(r, status, key, more) {
    answer(r, status, Object.assign({ error: pages.sentence(r, key, pages.languageOf(r)) }, more))
}

// What the database says; nothing if it does not answer, and the request has been answered.
async function ask(r, what, given) {
    const reply = await r.subrequest(`/_access/${what}`, { method: 'POST', body: JSON.stringify(given) })
    if (reply.status !== 200) {
        refuse(r, 503, 'error.nobody')
        return undefined
    }
    return JSON.parse(reply.responseText)
}

// The object that was sent; nothing if it is none, or has other keys.
function sent(r, keys) {
    try {
        const given = JSON.parse(r.requestText || '{}')
        return given && typeof given === 'object' && Object.keys(given).every((key) => keys.includes(key)) ? given : undefined
    } catch (error) {
        return undefined
    }
}

// A text that Orthanc keeps with the study and removes with it, whoever deletes it: so a study that comes again is not the one that was
// shared. '' if there is no such study, or it has no mark; nothing if Orthanc does not answer, and the request has been answered.
async function markOf(r, study, makeOne) {
    const found = await r.subrequest('/_lookup', { method: 'POST', body: study })
    const path = found.status === 200 && (JSON.parse(found.responseText).find((one) => one.Type === 'Study') || { Path: '' }).Path
    if (path === '') {
        return ''
    }
    const kept = path && await r.subrequest(`/_mark${path}`)
    if (kept && kept.status === 200) {
        return kept.responseText
    }
    if (kept && kept.status === 404 && !makeOne) {
        return ''
    }
    const mark = secret().toString('hex').slice(0, 32)
    const made = kept && kept.status === 404 && await r.subrequest(`/_mark${path}`, { method: 'PUT', body: mark })
    if (made && made.status === 200) {
        return mark
    }
    refuse(r, 502, 'error.away')
    return undefined
}

// For the audit trail (docs/audit.md).
function note(r, share, reason) {
    r.variables.share_id = share.id ? `share:${share.id}` : ''
    r.variables.shared_study = share.study || ''
    r.variables.reason = reason || ''
}

const isAdmin = (r) => r.variables.account_role === 'admin'

// --- share links

async function shares(r) {
    if (r.method !== 'POST') {
        const found = await ask(r, 'list_shares', { account: r.variables.account, all: isAdmin(r) })
        return found && answer(r, 200, found.shares)
    }
    const given = sent(r, ['study', 'hours', 'uses', 'pin'])
    if (!given || typeof given.study !== 'string' || !UID.test(given.study)) {
        return answer(r, 400, { error: 'Send an object with study (a Study Instance UID) and, if you like, hours, uses and pin.' })
    }
    const numbers = Object.assign({ hours: LIMITS.hours.usual, uses: LIMITS.uses.usual }, given)
    const wrong = Object.keys(LIMITS).find((name) => !Number.isInteger(numbers[name])
        || numbers[name] < LIMITS[name].least || numbers[name] > LIMITS[name].most)
    if (wrong) {
        return answer(r, 400, { error: `${wrong} must be a whole number from ${LIMITS[wrong].least} to ${LIMITS[wrong].most}.` })
    }
    if (given.pin !== undefined && !(typeof given.pin === 'string' && /^[^\x00-\x1f]{4,64}$/.test(given.pin))) {
        return answer(r, 400, { error: 'pin must be a text of 4 to 64 characters.' })
    }
    note(r, { study: given.study })
    const mark = await markOf(r, given.study, true)
    if (mark === undefined) {
        return undefined
    }
    if (mark === '') {
        return answer(r, 404, { error: 'The archive has no such study.' })
    }
    const token = secret().toString('base64url')
    const made = await ask(r, 'make_share', {
        token: sha256(token), pin: given.pin === undefined ? null : sha256(`${token}:${given.pin}`), study: given.study, mark,
        account: r.variables.account, role: r.variables.account_role, hours: numbers.hours, uses: numbers.uses,
    })
    if (!made) {
        return undefined
    }
    note(r, made)
    // The token is behind the #, which browsers do not send: it is in no log, and in no Referer.
    return answer(r, 201, Object.assign(made, { link: `https://${r.headersIn.Host}/share/#${token}` }))
}

async function revoke(r) {
    const done = await ask(r, 'withdraw_share', { id: r.variables.share, account: r.variables.account, all: isAdmin(r) })
    note(r, { id: r.variables.share, study: done && done.study })
    return done && (done.done ? answer(r, 200, {}) : answer(r, 404, { error: 'You have made no such share.' }))
}

// A cookie for each study, so that several shares are open in one browser.
function cookie(prefix, study, session) {
    return `${prefix}${admission.tagOf(study)}=${session}; Path=/; Max-Age=${SHARE_SECONDS}; Secure; HttpOnly; SameSite=Lax`
}

// Not by a program that looks into links, nor for the page of another site.
const isByItsPage = (r) => r.method === 'POST' && ['same-origin', undefined].includes(r.headersIn['Sec-Fetch-Site'])

async function open(r) {
    if (!isByItsPage(r)) {
        return refuse(r, 405, 'share.itself')
    }
    const given = sent(r, ['token', 'pin']) || {}
    const session = secret().toString('hex')
    const found = await ask(r, 'open_share', {
        token: sha256(String(given.token)), pin: given.pin === undefined ? null : sha256(`${given.token}:${given.pin}`),
        session: sha256(session), address: r.variables.remote_addr,
    })
    if (!found) {
        return undefined
    }
    r.variables.account = found.id ? `share:${found.id}` : ''
    r.variables.account_role = found.id ? 'share' : ''
    note(r, found, found.outcome === 'opened' ? '' : found.outcome)
    if (found.outcome === 'pin') {
        return refuse(r, 401, 'share.needs_pin', { pin: true })
    }
    if (['unknown', 'wrong pin'].includes(found.outcome)) {
        admission.count(r.variables.remote_addr)
    }
    if (found.outcome === 'wrong pin') {
        return refuse(r, 401, 'share.wrong_pin', { pin: true })
    }
    if (found.outcome !== 'opened') {
        return refuse(r, 410, 'share.ended')
    }
    const mark = await markOf(r, found.study)
    if (mark === undefined) {
        return undefined
    }
    if (mark !== found.mark) {
        await ask(r, 'withdraw_share', { id: found.id, all: true })
        note(r, found, 'deleted')
        return refuse(r, 410, 'share.ended')
    }
    r.headersOut['Set-Cookie'] = [cookie(r.variables.share_cookies, found.study, session)]
    return answer(r, 200, { study: found.study })
}

// --- bundles of modalities

async function takeBundle(r) {
    if (!isByItsPage(r)) {
        return refuse(r, 405, 'share.itself')
    }
    const given = sent(r, ['token']) || {}
    const found = await ask(r, 'take_bundle', { token: sha256(String(given.token)) })
    if (!found) {
        return undefined
    }
    r.variables.bundle_of = found.modality || ''
    if (found.outcome !== 'downloaded') {
        r.variables.reason = found.outcome
        admission.count(r.variables.remote_addr)
        return refuse(r, 410, 'bundle.ended')
    }
    return answer(r, 200, { file: `client-${found.modality}.p12`, content: found.content })
}

// --- sessions

async function sessions(r) {
    if (r.method !== 'DELETE') {
        const found = await ask(r, 'list_sessions', {})
        return found && answer(r, 200, found.sessions)
    }
    const given = sent(r, ['id', 'account'])
    if (!given || Object.keys(given).length !== 1 || typeof Object.values(given)[0] !== 'string') {
        return answer(r, 400, { error: 'Send an object with id, of one session, or account, for all of an account.' })
    }
    const done = await ask(r, 'end_session', given)
    return done && answer(r, 200, done)
}

// --- accounts

async function accounts(r) {
    const found = await ask(r, 'list_accounts', {})
    return found && answer(r, 200, found.accounts)
}

// --- tokens

// The client's login, from the header or from the form, as HTTP Basic.
function clientOf(r, form) {
    if (/^Basic /i.test(r.headersIn.Authorization || '')) {
        return r.headersIn.Authorization
    }
    return typeof form.client_id === 'string' && typeof form.client_secret === 'string'
        ? `Basic ${Buffer.from(`${form.client_id}:${form.client_secret}`).toString('base64')}` : ''
}

async function token(r) {
    const form = querystring.parse(r.method === 'POST' ? r.requestText || '' : '')
    if (form.grant_type !== 'client_credentials') {
        return answer(r, 400, { error: 'unsupported_grant_type' })
    }
    r.variables.client_login = clientOf(r, form)
    const client = await r.subrequest('/_client')
    if (client.status === 403) {
        const locked = client.headersOut['X-Refused'] === 'locked'
        return answer(r, locked ? 429 : 503, { error: 'temporarily_unavailable' })
    }
    if (client.status !== 204) {
        r.headersOut['WWW-Authenticate'] = 'Basic'
        return answer(r, 401, { error: 'invalid_client' })
    }
    const session = secret().toString('hex')
    const account = client.headersOut['X-Account']
    r.variables.account = account
    const made = await ask(r, 'issue_token', {
        account, session: sha256(session), seconds: TOKEN_SECONDS, address: r.variables.remote_addr,
    })
    if (!made) {
        return undefined
    }
    if (!made.done) {
        return answer(r, 400, { error: 'unauthorized_client', error_description: 'This account is a person\'s. Use one with kind: program.' })
    }
    return answer(r, 200, { access_token: session, token_type: 'Bearer', expires_in: TOKEN_SECONDS })
}

export default { accounts, open, revoke, sessions, shares, takeBundle, token }
