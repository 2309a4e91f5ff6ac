// SPDX-License-Identifier: GPL-3.0-or-later
// The way back from a login provider is open to the browser that set out for it. Else somebody could have another person's browser
// finish a login that they have begun, and what that person then does would be done in their name.

import crypto from 'crypto'

const digest = (state) => crypto.createHash('sha256').update(state).digest('hex')

// Keeps, in a cookie, with which state the browser is sent away.
function rememberState(r) {
    const state = /[?&]state=([^&#]+)/.exec(r.headersOut.Location || '')
    if (state) {
        const cookie = `${r.variables.login_cookie}=${digest(decodeURIComponent(state[1]))}`
        r.headersOut['Set-Cookie'] = (r.headersOut['Set-Cookie'] || [])
            .concat(`${cookie}; Path=/auth; Max-Age=600; Secure; HttpOnly; SameSite=Lax`)
    }
}

function cookieOf(r) {
    const pair = (r.headersIn.Cookie || '').split(/; */).find((text) => text.startsWith(`${r.variables.login_cookie}=`))
    return pair && pair.slice(pair.indexOf('=') + 1)
}

// 1 for a form that another site has sent, and for a way back that this browser has not set out on.
function isForeign(r) {
    if (r.method === 'POST' && r.headersIn.Origin) {
        return r.headersIn.Origin.toLowerCase().replace(/:443$/, '') === `https://${r.headersIn.Host}`.toLowerCase().replace(/:443$/, '') ? '' : '1'
    }
    if (r.args.openidconnectcallback === undefined) {
        return ''
    }
    return typeof r.args.state === 'string' && digest(r.args.state) === cookieOf(r) ? '' : '1'
}

export default { isForeign, rememberState }
