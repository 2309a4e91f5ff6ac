// SPDX-License-Identifier: GPL-3.0-or-later
// The latest associations, for the archive's page: in memory, since nginx was started. The log has all of them.

const KEPT = 50

function certificateOf(variables) {
    const found = /^CN=([^,]+)/.exec(variables.ssl_client_s_dn || '')
    return found && variables.ssl_client_verify === 'SUCCESS' ? found[1] : ''
}

// Once it is known what became of it. `accepted` says when an AE title was last accepted, however many have called since.
function remember(s, result) {
    const variables = s.variables
    const association = {
        time: new Date().toISOString(),
        listener: Number(variables.listener),
        address: variables.remote_addr,
        certificate: certificateOf(variables),
        calling: variables.calling,
        called: variables.called,
        result,
        why: variables.refused,
    }
    try {
        const turn = ngx.shared.turns.incr('next', 1, 0)
        ngx.shared.latest.set(String(turn % KEPT), JSON.stringify(association))
        if (result === 'accepted') {
            ngx.shared.accepted.set(association.calling.toUpperCase(), association.time)
        }
    } catch (error) {
        ngx.log(ngx.ERR, `an association could not be remembered: ${error.message}`)
    }
}

// What nginx's http part asks over a socket: js_preread. A request that is not read would reset the connection.
function swallow(s) {
    s.on('upstream', (received) => {
        if (received.includes('\r\n\r\n')) {
            s.off('upstream')
            s.done()
        }
    })
}

// The answer to it, the newest first: js_set.
function answer() {
    const latest = ngx.shared.latest.items().map((item) => JSON.parse(item[1])).sort((a, b) => (a.time < b.time ? 1 : -1))
    const accepted = {}
    ngx.shared.accepted.items().forEach((item) => {
        accepted[item[0]] = item[1]
    })
    const said = JSON.stringify({ latest, accepted })
    return `HTTP/1.0 200 OK\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(said)}\r\n\r\n${said}`
}

export default { answer, remember, swallow }
