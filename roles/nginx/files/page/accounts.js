// SPDX-License-Identifier: GPL-3.0-or-later
// For admins: which accounts there are, and who is logged in.

import { ask, attempt } from './ask.js'
import { confirmed } from './confirm.js'
import { byId, element } from './dom.js'
import { problemOf } from './problems.js'
import { roleName } from './roles.js'
import { fillTable } from './table.js'
import { moment, t, whenLanguageChanges } from './texts.js'

const KINDS = { person: 'accounts.person', program: 'accounts.program' }
const SESSIONS = { login: 'sessions.login', token: 'sessions.token', share: 'sessions.share' }

let own = '' // the account that looks
let accounts = []
let sessions = []
let said = () => ''

const isShare = ({ kind }) => kind === 'share'
const sessionsOf = (account) => sessions.filter((session) => session.account === account)

function lock({ locked_until: until }) {
    return until ? element('span', { class: 'badge text-bg-danger' }, t('accounts.locked_until', { moment: moment(new Date(until)) })) : t('accounts.no')
}

function endButton(text, name, end) {
    const button = element('button', { class: 'btn btn-sm btn-outline-danger', type: 'button' }, text)
    button.append(element('span', { class: 'visually-hidden' }, ` ${name}`))
    button.addEventListener('click', end)
    return button
}

// A session begun with a share link has no account: it has the number of the share.
function accountOf(session) {
    return isShare(session) ? t('sessions.by_link') : session.account
}

function buttons(session) {
    const name = accountOf(session)
    const shown = [endButton(t('sessions.end'), `${name} ${session.address}`, () => end({ id: session.id }, session))]
    const all = sessionsOf(session.account)
    if (all.length > 1 && all[0] === session) {
        shown.push(endButton(t('sessions.end_all', { count: all.length }), name, () => end({ account: session.account }, session)))
    }
    return element('div', { class: 'd-flex flex-wrap gap-2 justify-content-md-end' }, ...shown)
}

function draw() {
    fillTable('accounts', [
        ['accounts.name', ({ name }) => name],
        ['accounts.role', ({ role }) => roleName(role)],
        ['accounts.kind', ({ kind }) => t(KINDS[kind] || 'accounts.person')],
        ['accounts.second_factor', ({ second_factor: has }) => t(has ? 'accounts.yes' : 'accounts.no')],
        ['accounts.locked', lock],
    ], accounts)
    byId('sessions_said').textContent = said()
    fillTable('sessions', [
        ['sessions.account', accountOf],
        ['sessions.role', (session) => (isShare(session) ? '–' : roleName(session.role))],
        ['sessions.kind', ({ kind }) => t(SESSIONS[kind] || 'sessions.login')],
        ['sessions.address', ({ address }) => address],
        ['sessions.began', ({ began }) => moment(new Date(began))],
        ['sessions.seen', ({ seen }) => moment(new Date(seen))],
        ['', buttons],
    ], sessions)
}

async function look(after = () => '') {
    const [ofAccounts, ofSessions] = await Promise.all(['accounts', 'sessions'].map((what) => attempt(() => ask(`/archive/${what}`))))
    accounts = ofAccounts.value || []
    sessions = ofSessions.value || []
    const failed = [ofAccounts, ofSessions].find(({ value }) => !value)
    said = failed ? () => problemOf(failed.status) : after
    draw()
}

async function end(which, session) {
    const count = which.id ? 1 : sessionsOf(session.account).length
    const sentences = [t('sessions.end_question', { account: accountOf(session), count })]
    if (session.account === own) {
        sentences.push(t('sessions.end_own'))
    }
    if (!await confirmed(sentences.join(' '), t('sessions.end'))) {
        return
    }
    const options = { method: 'DELETE', body: JSON.stringify(which) }
    const answer = await attempt(() => ask('/archive/sessions', options))
    await look(answer.value ? () => t('sessions.ended', { count: answer.value.ended }) : () => problemOf(answer.status))
    byId('sessions_said').focus() // the button is gone
}

export function start(account) {
    own = account
    byId('sessions_again').addEventListener('click', () => look())
    whenLanguageChanges(draw)
    look()
}
