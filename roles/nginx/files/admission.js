// SPDX-License-Identifier: GPL-3.0-or-later
// The one place where it is decided who comes in and may do what: `auth_request` of the portal asks here for each request.
// Sessions or OpenID Connect would take the place of passwordIsRight and $remote_user; nothing else knows of HTTP Basic (RFC 7617).
//
// In:  X-Address, X-Method, X-Path, X-Uri, X-Host, X-Origin and X-Site of the request, and its Authorization.
// Out: 204 with X-Account, X-Role and X-Query, the query that goes on, X-Accept, which stood in it, and X-Warning, what was done to it;
//      401 without a right password; 403 with X-Refused: role, foreign, locked, argument or encoding, the last two with X-Argument.

import crypto from 'crypto'
import table from 'routes.js'

const SLOWER_MS = 250

// Whole paths and whole names. An admin's row has no methods, which means all of them.
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

// Of a URL, as browsers write it (RFC 6454): in lower case, without the port that everybody knows.
function origin(url) {
    return url.toLowerCase().replace(/:443$/, '')
}

// Another site's page has the browser send what it likes, with the login of who looks at it.
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

// As RFC 3986 (section 6.2.2) writes a query: encoded is what has to be, and in one way. Not a plus, which is a space to some and a
// plus to others. Undefined, if a percent sign begins no octet, or if it hides a control character, or an ampersand: Orthanc 1.13
// decodes a query first and looks for its arguments afterwards, so that x%26_method=DELETE would be two.
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

// One of a query: what stands before the first = and, from there on, the rest. In the value that an attribute is searched for, an
// ampersand becomes a question mark, which stands for any character: who has `A&B` is found.
function argumentOf(route, text) {
    const end = (text + '=').indexOf('=')
    const name = normalized(text.slice(0, end))
    const ampersand = route.attribute.test(name) && /%26/.test(text)
    return { name, ampersand, rest: normalized(ampersand ? text.slice(end).replace(/%26/g, '?') : text.slice(end)) }
}

// PS3.18 section 8.3.1.2 has a server say what it did not do as it was asked.
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

// The query that goes on to Orthanc: what the route lists, written anew. jQuery's _ is for caches, and ends here.
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
    // Hyperlinks have it here, as they have no headers (PS3.18 section 8.3.3.1). Orthanc looks at the header only.
    const accept = given.filter((argument) => argument.name === 'accept').map((argument) => argument.rest.slice(1))
    given = given.filter((argument) => argument.name !== 'accept')
    // Orthanc 1.13 finds nothing behind an offset without a limit.
    if (route.page && given.some((argument) => argument.name === 'offset')
        && !given.some((argument) => argument.name === 'limit' && Number(argument.rest.slice(1)) > 0)) {
        given = given.filter((argument) => argument.name !== 'limit').concat({ name: 'limit', rest: `=${route.page}` })
    }
    return { warning, accept: accept.join(', '), query: given.map((argument) => argument.name + argument.rest).join('&') }
}

async function passwordIsRight(r) {
    return (await r.subrequest('/password')).status === 204
}

// An IPv6 client has all of its /64 (RFC 6177) to ask from.
function network(address) {
    if (!address.includes(':') || address.includes('.')) {
        return address
    }
    const halves = address.split('::').map((half) => half.split(':').filter((group) => group))
    const before = halves[0], behind = halves[1] || []
    return before.concat(Array(Math.max(0, 8 - before.length - behind.length)).fill('0'), behind).slice(0, 4).join(':')
}

// What wrong passwords are counted for: the account, if there is one of that name, and the address. In zones of their own, as somebody
// with many addresses and many names fills one, and what is counted for an account must outlast that. Keys of one length, so that an
// address that goes leaves just the room for another.
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

// Who was let in a moment ago with the same login is let in without another look at the password: a viewer asks for hundreds
// of images, and a look takes milliseconds.
async function isLetIn(r, account) {
    const admitted = ngx.shared.admitted
    const login = crypto.createHash('sha256')
        .update(`${r.variables.users_digest} ${r.headersIn.Authorization}`).digest('hex')
    if (admitted.has(login)) {
        return true
    }
    const counters = countersOf(r, account)
    const worst = Math.max.apply(null, counters.map((counter) => counter.zone.get(counter.key) || 0))
    if (worst >= Number(r.variables.failures_allowed) || !haveRoom(counters)) { // who cannot be counted is not let try
        refuse(r, 'locked')
        return false
    }
    if (r.variables.role && await passwordIsRight(r)) {
        counters[0].zone.delete(account) // not the address: it may be that of somebody who has an account and tries others
        admitted.set(login, '1')
        return true
    }
    counters.forEach((counter) => counter.zone.incr(counter.key, 1, 0))
    await new Promise((done) => setTimeout(done, SLOWER_MS * (worst + 1)))
    r.return(401)
    return false
}

// As a header has it.
function accept(found) {
    try {
        const text = decodeURIComponent(found.accept || '')
        return /^[\x20-\x7e]*$/.test(text) ? text : ''
    } catch (error) { // an octet that is no UTF-8
        return ''
    }
}

async function admit(r) {
    const account = r.variables.remote_user
    if (!account) {
        return r.return(401)
    }
    if (r.variables.role) { // what somebody typed who has no account is not written down: it may be a password
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
    // Only what goes to Orthanc: the viewer has its arguments for itself.
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
