// SPDX-License-Identifier: GPL-3.0-or-later
// The only place that decides who is let in and what they are allowed to do: the portal's `auth_request` asks here for each request.
// LemonLDAP::NG says who somebody is, from the session's cookie or from HTTP Basic (RFC 7617); routes.js says what they may do.
//
// In:  X-Address, X-Method, X-Path, X-Uri, X-Host, X-Origin and X-Site of the request, and its Authorization and Cookie.
// Out: 204 with X-Account, X-Role, X-Query (the query to pass on), X-Accept (taken from the query) and X-Warning (what was changed);
//      401 without a login; 403 with X-Refused: role, share (another study than the one that was shared), foreign, locked, nobody
//      (LemonLDAP::NG does not answer), argument or encoding, the last two with X-Argument.

import crypto from 'crypto'
import networkOf from 'network.js'
import table from 'routes.js'

const SLOWER_MS = 250
const CHECKS_AT_A_TIME = 32
const MOST_SHARES = 4 // are looked up for one request

// Patterns match whole paths and whole names. They are compiled when they are needed: each request has a new context, in which this file
// is run, and compiling all of them takes ten times as long as the rest.
const whole = (pattern) => new RegExp(`^(?:${pattern})$`)
const anyOf = (patterns) => whole((patterns || []).join('|') || '(?!)')

function refuse(r, why) {
    r.headersOut['X-Refused'] = why
    r.return(403)
}

// The origin as browsers write it (RFC 6454): in lower case, without the default port.
function origin(url) {
    return url.toLowerCase().replace(/:443$/, '')
}

// A page of another site can make the browser send any request, with the login of the person who opened it.
function comesFromAnotherSite(r) {
    const sent = r.headersIn
    if (['GET', 'HEAD'].includes(sent['X-Method'])) {
        return false
    }
    return ['cross-site', 'same-site'].includes(sent['X-Site'])
        || Boolean(sent['X-Origin']) && origin(sent['X-Origin']) !== origin(`https://${sent['X-Host']}`)
}

// The row of the table that allows a request; one without methods allows all of them.
function routeOf(role, method, path) {
    return table.find((row) => row.roles.includes(role) && (!row.methods || row.methods.includes(method)) && whole(row.path).test(path))
}

// Normalizes a query by RFC 3986 (section 6.2.2): only what must be encoded is, and in one way. A plus is left alone, as it means a
// space to some and a plus to others. Undefined if a percent sign begins no octet, or hides a control character or an ampersand:
// Orthanc 1.13 decodes a query before it splits it into arguments, so x%26_method=DELETE would become two.
function normalized(text) {
    if (/%(?![0-9A-Fa-f]{2})|%[01]|%7[Ff]|%26/.test(text)) {
        return undefined
    }
    return text
        .replace(/%[2-7][0-9A-Fa-f]/g, (octet) => {
            const character = String.fromCharCode(parseInt(octet.slice(1), 16))
            return /[A-Za-z0-9._~!$'()*,;:@/?-]/.test(character) ? character : octet
        })
        .replace(/%[0-9a-f]{2}/gi, (octet) => octet.toUpperCase())
        .replace(/[^A-Za-z0-9._~!$'()*,;:@/?=+%-]+/g, encodeURIComponent)
}

// One argument of a query: the name before the first =, and the rest from there on. In the value of a searched attribute, an
// ampersand becomes a question mark, which matches any character, so that `A&B` is found.
function argumentOf(route, text) {
    const end = (text + '=').indexOf('=')
    const name = normalized(text.slice(0, end))
    const ampersand = route.attribute.test(name) && /%26/.test(text)
    return { name, ampersand, rest: normalized(ampersand ? text.slice(end).replace(/%26/g, '?') : text.slice(end)) }
}

// PS3.18 section 8.3.1.2 requires a server to report what it did not do as requested.
function warningOf(given, ignored) {
    const said = []
    if (ignored.length) {
        said.push(`These parameters are not supported and were ignored: ${ignored.map((argument) => argument.name).join(', ')}.`)
    }
    if (given.some((argument) => argument.ampersand)) {
        said.push('An ampersand was matched as any character.')
    }
    if (given.some((argument) => argument.name === 'fuzzymatching' && argument.rest === '=true')) {
        said.push('The fuzzymatching parameter is not supported. Only literal matching has been performed.')
    }
    const nested = given.filter((argument) => /^[A-Za-z0-9]+\./.test(argument.name)).map((argument) => argument.name)
    if (nested.length) {
        said.push(`Attributes in sequences are not matched: ${nested.join(', ')}.`)
    }
    return said.length ? `299 orthweb "${said.join(' ').slice(0, 500)}"` : ''
}

// The query that is passed on to Orthanc: what the route lists, rewritten. jQuery's _ only defeats caches, and is dropped.
function queryFor(row, uri) {
    const query = uri.slice((uri + '?').indexOf('?') + 1)
    if (!query) {
        return { query }
    }
    const route = {
        argument: anyOf(row.arguments),
        attribute: anyOf(row.attributes),
        ignored: anyOf(row.ignored),
        refused: anyOf(['_method'].concat(row.refused || [])),
    }
    let given = query.split('&').filter((text) => text).map((text) => argumentOf(route, text)).filter((argument) => argument.name !== '_')
    const odd = given.find((argument) => argument.name === undefined || argument.rest === undefined)
    if (odd) {
        return { refused: 'encoding', argument: odd.name }
    }
    const listed = (argument) => route.argument.test(argument.name) || route.attribute.test(argument.name)
    const unlisted = given.find((argument) => route.refused.test(argument.name.toLowerCase())
        || !listed(argument) && !route.ignored.test(argument.name))
    if (unlisted) {
        return { refused: 'argument', argument: unlisted.name }
    }
    const ignored = given.filter((argument) => !listed(argument))
    given = given.filter(listed)
    const warning = warningOf(given, ignored)
    // Hyperlinks have `accept` in the query, as they have no headers (PS3.18 section 8.3.3.1). Orthanc reads the header only.
    const accept = given.filter((argument) => argument.name === 'accept').map((argument) => argument.rest.slice(1))
    given = given.filter((argument) => argument.name !== 'accept')
    // Orthanc 1.13 finds nothing with an offset and no limit.
    if (row.page && given.some((argument) => argument.name === 'offset')
        && !given.some((argument) => argument.name === 'limit' && Number(argument.rest.slice(1)) > 0)) {
        given = given.filter((argument) => argument.name !== 'limit').concat({ name: 'limit', rest: `=${row.page}` })
    }
    return { warning, accept: accept.join(', '), query: given.map((argument) => argument.name + argument.rest).join('&') }
}

// Wrong passwords are counted for the account by LemonLDAP::NG, and for the address here. All keys have the same length, so that an
// address that is dropped leaves exactly the room for another.
const counterOf = (address) => networkOf(address).padEnd(20)
const failuresOf = (address) => ngx.shared.failures.get(counterOf(address)) || 0

function isLocked(r, address) {
    return failuresOf(address) >= Number(r.variables.failures_allowed)
}

// Somebody behind the same NAT can lock it: programs that have logged in from there go on, and only their account's own lock stops those
// who guess at it.
function acquaintance(r) {
    const name = Buffer.from((r.headersIn.Authorization || '').slice('Basic '.length), 'base64').toString().split(':')[0]
    return `${networkOf(r.headersIn['X-Address'])} ${name}`
}

function count(address) {
    try {
        ngx.shared.failures.incr(counterOf(address), 1, 0)
    } catch (error) {
        ngx.log(ngx.ERR, `a wrong password could not be counted: ${error.message}`)
    }
}

// nginx keeps answers of LemonLDAP::NG for seconds, and writes their keys beside them: none of it may be a password or a session.
function key(r) {
    return crypto.createHash('sha256')
        .update(`${r.variables.handler} ${r.variables.session} ${r.headersIn.Authorization || ''}`).digest('hex')
}

// A password, as opposed to a token, which nobody guesses, and which ends after minutes.
function isPassword(r) {
    return Boolean(r.headersIn.Authorization) && r.variables.handler !== 'bearer'
}

// The answer of LemonLDAP::NG; nothing if too many passwords of this address are being checked. A wrong one is counted only when it is
// known to be wrong, so that an address could try many at once.
async function ask(r) {
    const login = key(r)
    if (!isPassword(r) || ngx.shared.admitted.has(login)) {
        return r.subrequest('/session', login)
    }
    const address = counterOf(r.headersIn['X-Address'])
    try {
        if (ngx.shared.checking.incr(address, 1, 0) > CHECKS_AT_A_TIME) {
            return undefined
        }
        const reply = await r.subrequest('/session', login)
        if (reply.status === 200) {
            ngx.shared.admitted.set(login, '1')
        }
        return reply
    } finally {
        ngx.shared.checking.incr(address, -1, 0)
    }
}

function nobody(r) {
    r.return(401)
    return undefined
}

const known = (reply) => ({
    account: reply.headersOut['X-Account'],
    role: reply.headersOut['X-Role'] || '',
    kind: reply.headersOut['X-Kind'],
    study: reply.headersOut['X-Study'],
})

// --- share links: a session for one study, in a cookie that is named after it

const tagOf = (study) => crypto.createHash('sha256').update(study).digest('hex').slice(0, 16)

// The sessions that may be meant: that of the study that is asked for, or else any.
function sharesOf(r) {
    const study = /^\/dicom-web\/studies\/([0-9.]+)/.exec(r.headersIn['X-Path'])
        || /[?&]StudyInstanceUIDs?=([0-9.]+)/.exec(r.headersIn['X-Uri'])
    const all = (r.headersIn.Cookie || '').split(';').map((text) => text.trim().split('='))
        .filter((pair) => pair[0].startsWith(r.variables.share_cookies) && /^[0-9a-f]{64}$/.test(pair[1]))
    const named = study ? all.filter((pair) => pair[0] === r.variables.share_cookies + tagOf(study[1])) : []
    return (named.length ? named : all).slice(-MOST_SHARES).map((pair) => pair[1])
}

async function byShare(r) {
    const sessions = sharesOf(r)
    for (let i = 0; i < sessions.length; i += 1) {
        const digest = crypto.createHash('sha256').update(`share ${sessions[i]}`).digest('hex')
        const reply = await r.subrequest('/share', `session=${sessions[i]}&key=${digest}`)
        if (reply.status === 200) {
            return known(reply)
        }
    }
    return nobody(r)
}

// Whether a request names the study that was shared, in its path or in one argument.
function isOfStudy(row, path, uri, study) {
    if (row.study === 'path') {
        return whole(row.path).exec(path)[1] === study
    }
    const named = uri.slice((uri + '?').indexOf('?') + 1).split('&')
        .filter((text) => normalized(text.slice(0, (text + '=').indexOf('='))) === row.study)
    return named.length === 1 && named[0] === `${row.study}=${study}`
}

// Whose request it is, by LemonLDAP::NG; nothing if it has been refused here.
async function whoIs(r) {
    const sent = r.headersIn
    if (!isPassword(r) && !r.variables.session) {
        return sent.Authorization ? nobody(r) : byShare(r)
    }
    const locked = isPassword(r) && isLocked(r, sent['X-Address']) && !ngx.shared.acquainted.has(acquaintance(r))
    const reply = locked ? undefined : await ask(r)
    if (!reply) {
        refuse(r, 'locked')
        return undefined
    }
    if (reply.status === 200) {
        if (isPassword(r)) {
            ngx.shared.acquainted.add(acquaintance(r), '1')
        }
        return known(reply)
    }
    // Without its database, it does not know anybody: no reason to count anything.
    if (![401, 403].includes(reply.status) || (await r.subrequest('/state')).status !== 200) {
        refuse(r, 'nobody')
        return undefined
    }
    if (!sent.Authorization) {
        return byShare(r)
    }
    if (isPassword(r)) {
        count(sent['X-Address'])
        await new Promise((done) => setTimeout(done, SLOWER_MS * failuresOf(sent['X-Address'])))
    }
    return nobody(r)
}

// In the encoding of a header.
function accept(found) {
    try {
        const text = decodeURIComponent(found.accept || '')
        return /^[\x20-\x7e]*$/.test(text) ? text : ''
    } catch (error) { // an octet that is not UTF-8
        return ''
    }
}

async function admit(r) {
    const who = await whoIs(r)
    if (!who) {
        return undefined
    }
    r.headersOut['X-Account'] = who.account
    r.headersOut['X-Role'] = who.role
    if (comesFromAnotherSite(r)) {
        return refuse(r, 'foreign')
    }
    const route = routeOf(who.role, r.headersIn['X-Method'], r.headersIn['X-Path'])
    if (!route) {
        return refuse(r, 'role')
    }
    if (route.study && !isOfStudy(route, r.headersIn['X-Path'], r.headersIn['X-Uri'], who.study)) {
        return refuse(r, 'share')
    }
    // Only for requests to Orthanc: the viewer uses its arguments itself.
    const found = /^\/(orthanc|dicom-web|wado)(\/|$)/.test(r.headersIn['X-Path']) ? queryFor(route, r.headersIn['X-Uri']) : { query: '' }
    if (found.refused) {
        r.headersOut['X-Argument'] = (found.argument || '').slice(0, 80)
        return refuse(r, found.refused)
    }
    r.headersOut['X-Query'] = found.query
    r.headersOut['X-Warning'] = found.warning || ''
    r.headersOut['X-Accept'] = accept(found)
    r.return(204)
}

function whoami(r) {
    r.headersOut['Content-Type'] = 'application/json'
    r.return(200, JSON.stringify({ account: r.variables.account, role: r.variables.account_role }))
}

// Asked by access.js: whose name and password a program has sent.
async function admitClient(r) {
    const who = isPassword(r) ? await whoIs(r) : nobody(r)
    if (who) {
        r.headersOut['X-Account'] = who.account
        r.return(204)
    }
}

// Asked before a form with a password is passed on.
function admitForm(r) {
    if (isLocked(r, r.headersIn['X-Address'])) {
        return refuse(r, 'locked')
    }
    r.return(204)
}

// LemonLDAP::NG's page after a wrong name, password, old password or code says so by number (PE_USERNOTFOUND, PE_BADCREDENTIALS,
// PE_BADOLDPASSWORD, PE_BADOTP).
function countWrongForm(r, data, flags) {
    if (r.method === 'POST' && /trmsg="(4|5|39|96)"|"error":"?(4|5|39|96)\b/.test(data)) {
        count(r.variables.remote_addr)
    }
    r.sendBuffer(data, flags)
}

// LemonLDAP::NG takes the address to return to in base64.
function returnAddress(r) {
    return encodeURIComponent(Buffer.from(`https://${r.headersIn.Host}${r.variables.request_uri}`).toString('base64'))
}

const clientNetwork = (r) => networkOf(r.variables.remote_addr)

export default { admit, admitClient, admitForm, clientNetwork, count, countWrongForm, returnAddress, tagOf, whoami }
