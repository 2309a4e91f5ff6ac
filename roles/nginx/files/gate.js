// SPDX-License-Identifier: GPL-3.0-or-later
// The one place where it is decided who comes in and may do what: `auth_request` of the portal asks here for each request.
// Sessions or OpenID Connect would take the place of passwordIsRight and $remote_user; nothing else knows of HTTP Basic (RFC 7617).
//
// In:  X-Address, X-Method, X-Path, X-Uri, X-Host, X-Origin and X-Site of the request, and its Authorization.
// Out: 204 with X-Account and X-Role; 401 without a right password; 403 with X-Refused: role, foreign, method or locked.

import crypto from 'crypto'
import querystring from 'querystring'

const SLOWER_MS = 250

function refuse(r, why) {
    r.headersOut['X-Refused'] = why
    r.return(403)
}

// Another site's page has the browser send what it likes, with the login of who looks at it.
function comesFromAnotherSite(r) {
    const sent = r.headersIn
    if (['GET', 'HEAD'].includes(sent['X-Method'])) {
        return false
    }
    return ['cross-site', 'same-site'].includes(sent['X-Site'])
        || Boolean(sent['X-Origin']) && sent['X-Origin'] !== `https://${sent['X-Host']}`
}

// To Orthanc, GET with ?_method=DELETE is DELETE: no role and no check of where it comes from would see it.
function saysAnotherMethod(r) {
    const uri = r.headersIn['X-Uri']
    return uri.includes('?') && '_method' in querystring.parse(uri.slice(uri.indexOf('?') + 1))
}

async function passwordIsRight(r) {
    return (await r.subrequest('/password')).status === 204
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
    const failures = ngx.shared.failures
    const counted = [`address ${r.headersIn['X-Address']}`, `account ${account}`]
    const worst = Math.max.apply(null, counted.map((key) => failures.get(key) || 0))
    if (worst >= Number(r.variables.failures_allowed)) {
        refuse(r, 'locked')
        return false
    }
    if (r.variables.role && await passwordIsRight(r)) {
        failures.delete(counted[1]) // not the address: it may be that of somebody who has an account and tries others
        admitted.set(login, '1')
        return true
    }
    counted.forEach((key) => failures.incr(key, 1, 0))
    await new Promise((done) => setTimeout(done, SLOWER_MS * (worst + 1)))
    r.return(401)
    return false
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
    if (saysAnotherMethod(r)) {
        return refuse(r, 'method')
    }
    if (comesFromAnotherSite(r)) {
        return refuse(r, 'foreign')
    }
    if (r.variables.permitted !== '1') {
        return refuse(r, 'role')
    }
    r.return(204)
}

function whoami(r) {
    r.headersOut['Content-Type'] = 'application/json'
    r.return(200, JSON.stringify({ account: r.variables.account, role: r.variables.account_role }))
}

export default { admit, whoami }
