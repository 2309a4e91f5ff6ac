// SPDX-License-Identifier: GPL-3.0-or-later
// The way back from a login provider is open to the browser that set out for it. Else somebody could have another person's browser
// finish a login that they have begun, and what that person then does would be done in their name.

import crypto from 'crypto'
import zlib from 'zlib'

const digest = (text) => crypto.createHash('sha256').update(text).digest('hex')
const origin = (url) => url.toLowerCase().replace(/:443$/, '')

// What comes back with an answer: the state of OpenID Connect, or the number of a SAML request.
function markOf(location) {
    const sent = /[?&](state|SAMLRequest)=([^&#]+)/.exec(location)
    if (!sent || sent[1] === 'state') {
        return sent && decodeURIComponent(sent[2])
    }
    const number = /\sID="([^"]+)"/.exec(zlib.inflateRawSync(Buffer.from(decodeURIComponent(sent[2]), 'base64')).toString())
    return number && number[1]
}

// Keeps, in a cookie, what the browser is sent away with. A SAML provider's answer is a form on a page of its own, hence None.
function rememberMark(r) {
    const location = r.headersOut.Location || ''
    const mark = markOf(location)
    if (mark) {
        const from = /[?&]SAMLRequest=/.test(location) ? 'None' : 'Lax'
        r.headersOut['Set-Cookie'] = (r.headersOut['Set-Cookie'] || [])
            .concat(`${r.variables.login_cookie}=${digest(mark)}; Path=/; Max-Age=600; Secure; HttpOnly; SameSite=${from}`)
    }
}

function isOfThisBrowser(r, mark) {
    return (r.headersIn.Cookie || '').split(/; */).includes(`${r.variables.login_cookie}=${digest(mark)}`)
}

// 1 for a form that another site has sent, and for a way back that this browser has not set out on.
function isForeign(r) {
    if (r.method === 'POST' && r.headersIn.Origin) {
        return origin(r.headersIn.Origin) === origin(`https://${r.headersIn.Host}`) ? '' : '1'
    }
    if (r.args.openidconnectcallback === undefined) {
        return ''
    }
    return typeof r.args.state === 'string' && isOfThisBrowser(r, r.args.state) ? '' : '1'
}

// Which requests of ours a form with an answer of a SAML provider says that it answers.
function answered(form) {
    const field = form.split('&').map((text) => text.split('=')).find((pair) => pair[0] === 'SAMLResponse')
    const text = field ? Buffer.from(decodeURIComponent(field[1] || ''), 'base64').toString() : ''
    return (text.match(/\sInResponseTo\s*=\s*["'][^"']*["']/g) || []).map((said) => said.replace(/^[^"']*["']|["']$/g, ''))
}

function takeSamlAnswer(r) {
    const marks = r.method === 'POST' ? answered(r.requestText || '') : []
    r.internalRedirect(marks.length && marks.every((mark) => isOfThisBrowser(r, mark)) ? '@saml_answer' : '@foreign')
}

// LemonLDAP::NG keeps in a cookie which provider was chosen, and goes on with it whatever is chosen later. Who comes back without an
// answer, as the provider is away, chooses anew.
function cookies(r) {
    const sent = r.headersIn.Cookie || ''
    if (r.uri !== '/auth/' || r.args.openidconnectcallback !== undefined) {
        return sent
    }
    return sent.split(/; */).filter((cookie) => !cookie.startsWith(`${r.variables.session_cookie_name}pdata=`)
        || !/_choice/.test(cookie)).join('; ')
}

export default { cookies, isForeign, rememberMark, takeSamlAnswer }
