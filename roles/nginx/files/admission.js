// SPDX-License-Identifier: GPL-3.0-or-later
// The only place that decides who is let in and what they are allowed to do: the portal's `auth_request` asks here for each request.
// LemonLDAP::NG says who somebody is, from the session's cookie or from HTTP Basic (RFC 7617); routes.js says what they may do.
//
// In:  X-Address, X-Method, X-Path, X-Uri, X-Host, X-Origin and X-Site of the request, and its Authorization and Cookie.
// Out: 204 with X-Account, X-Role, X-Query (the query to pass on), X-Accept (taken from the query) and X-Warning (what was changed);
//      401 without a login; 403 with X-Refused: role, foreign, locked, nobody (LemonLDAP::NG does not answer), argument or encoding,
//      the last two with X-Argument.

import crypto from 'crypto'
import table from 'routes.js'

const SLOWER_MS = 250
const CHECKS_AT_A_TIME = 32

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

// An IPv6 client can send from any address of its /64 (RFC 6177).
function network(address) {
    if (!address.includes(':') || address.includes('.')) {
        return address
    }
    const halves = address.split('::').map((half) => half.split(':').filter((group) => group))
    const before = halves[0], behind = halves[1] || []
    return before.concat(Array(Math.max(0, 8 - before.length - behind.length)).fill('0'), behind).slice(0, 4).join(':')
}

// Wrong passwords are counted for the account by LemonLDAP::NG, and for the address here. All keys have the same length, so that an
// address that is dropped leaves exactly the room for another.
const counterOf = (address) => network(address).padEnd(20)
const failuresOf = (address) => ngx.shared.failures.get(counterOf(address)) || 0

function isLocked(r, address) {
    return failuresOf(address) >= Number(r.variables.failures_allowed)
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
        .update(`${r.variables.handler} ${r.variables.session_cookie} ${r.headersIn.Authorization || ''}`).digest('hex')
}

// The answer of LemonLDAP::NG; nothing if too many passwords of this address are being checked. A wrong one is counted only when it is
// known to be wrong, so that an address could try many at once.
async function ask(r) {
    const login = key(r)
    if (!r.headersIn.Authorization || ngx.shared.admitted.has(login)) {
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

// Whose request it is, by LemonLDAP::NG; nothing if it has been refused here.
async function whoIs(r) {
    const sent = r.headersIn
    if (!sent.Authorization && !r.variables.session_cookie) {
        r.return(401)
        return undefined
    }
    const reply = sent.Authorization && isLocked(r, sent['X-Address']) ? undefined : await ask(r)
    if (!reply) {
        refuse(r, 'locked')
        return undefined
    }
    if (reply.status === 200) {
        return { account: reply.headersOut['X-Account'], role: reply.headersOut['X-Role'] || '' }
    }
    // Without its database, it does not know anybody: no reason to count anything.
    if (![401, 403].includes(reply.status) || (await r.subrequest('/state')).status !== 200) {
        refuse(r, 'nobody')
        return undefined
    }
    if (sent.Authorization) {
        count(sent['X-Address'])
        await new Promise((done) => setTimeout(done, SLOWER_MS * failuresOf(sent['X-Address'])))
    }
    r.return(401)
    return undefined
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

export default { admit, admitForm, countWrongForm, returnAddress, whoami }
