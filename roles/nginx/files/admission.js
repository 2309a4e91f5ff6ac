// SPDX-License-Identifier: GPL-3.0-or-later
// The only place that decides who is let in and what they are allowed to do: the portal's `auth_request` asks here for each request.
// Sessions or OpenID Connect would replace passwordIsRight and $remote_user; nothing else depends on HTTP Basic (RFC 7617).
//
// In:  X-Address, X-Method, X-Path, X-Uri, X-Host, X-Origin and X-Site of the request, and its Authorization.
// Out: 204 with X-Account, X-Role, X-Query (the query to pass on), X-Accept (taken from the query) and X-Warning (what was changed);
//      401 without a correct password; 403 with X-Refused: role, foreign, locked, argument or encoding, the last two with X-Argument.

import crypto from 'crypto'
import table from 'routes.js'

const SLOWER_MS = 250

// Patterns match whole paths and whole names. A row without methods allows all of them.
const whole = (pattern) => new RegExp(`^(?:${pattern})$`)
const anyOf = (patterns) => whole((patterns || []).join('|') || '(?!)')
const ROUTES = table.map((row) => ({
    roles: row.roles,
    methods: row.methods,
    path: whole(row.path),
    argument: anyOf(row.arguments),
    attribute: anyOf(row.attributes),
    ignored: anyOf(row.ignored),
    refused: anyOf(['_method'].concat(row.refused || [])),
    page: row.page,
}))

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

function routeOf(role, method, path) {
    return ROUTES.find((route) => route.roles.includes(role) && (!route.methods || route.methods.includes(method)) && route.path.test(path))
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
function queryFor(route, uri) {
    const query = uri.slice((uri + '?').indexOf('?') + 1)
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
    if (route.page && given.some((argument) => argument.name === 'offset')
        && !given.some((argument) => argument.name === 'limit' && Number(argument.rest.slice(1)) > 0)) {
        given = given.filter((argument) => argument.name !== 'limit').concat({ name: 'limit', rest: `=${route.page}` })
    }
    return { warning, accept: accept.join(', '), query: given.map((argument) => argument.name + argument.rest).join('&') }
}

async function passwordIsRight(r) {
    return (await r.subrequest('/password')).status === 204
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

// What wrong passwords are counted for: the account, if it exists, and the address. In separate zones: somebody with many addresses
// can fill the one for addresses, and the counters of accounts must outlast that. All keys have the same length, so that an address
// that is dropped leaves exactly the room for another.
function countersOf(r, account) {
    const counters = r.variables.role ? [{ zone: ngx.shared.failures_of_accounts, key: account }] : []
    return counters.concat({ zone: ngx.shared.failures_of_addresses, key: network(r.headersIn['X-Address']).padEnd(20) })
}

function haveRoom(counters) {
    try {
        counters.forEach((counter) => counter.zone.add(counter.key, 0))
        return true
    } catch (error) {
        ngx.log(ngx.ERR, `no room to count wrong passwords: ${error.message}`)
        return false
    }
}

// A login that was accepted a moment ago is accepted without checking the password again: a viewer requests hundreds of images, and
// a check takes milliseconds.
async function isLetIn(r, account) {
    const admitted = ngx.shared.admitted
    const login = crypto.createHash('sha256')
        .update(`${r.variables.users_digest} ${r.headersIn.Authorization}`).digest('hex')
    if (admitted.has(login)) {
        return true
    }
    const counters = countersOf(r, account)
    const worst = Math.max.apply(null, counters.map((counter) => counter.zone.get(counter.key) || 0))
    if (worst >= Number(r.variables.failures_allowed) || !haveRoom(counters)) { // without room for a counter, no attempt is allowed
        refuse(r, 'locked')
        return false
    }
    if (r.variables.role && await passwordIsRight(r)) {
        counters[0].zone.delete(account) // not the address: somebody with an account may be trying others from it
        admitted.set(login, '1')
        return true
    }
    counters.forEach((counter) => counter.zone.incr(counter.key, 1, 0))
    await new Promise((done) => setTimeout(done, SLOWER_MS * (worst + 1)))
    r.return(401)
    return false
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
    const account = r.variables.remote_user
    if (!account) {
        return r.return(401)
    }
    if (r.variables.role) { // a name without an account is not logged: it may be a password
        r.headersOut['X-Account'] = account
        r.headersOut['X-Role'] = r.variables.role
    }
    if (!await isLetIn(r, account)) {
        return
    }
    if (comesFromAnotherSite(r)) {
        return refuse(r, 'foreign')
    }
    const route = routeOf(r.variables.role, r.headersIn['X-Method'], r.headersIn['X-Path'])
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

export default { admit, whoami }
