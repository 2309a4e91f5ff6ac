// SPDX-License-Identifier: GPL-3.0-or-later
// For admins: who saw and did what, from this host's audit trail.

import { attempt, post } from './ask.js'
import { byId, element, show } from './dom.js'
import { problemOf } from './problems.js'
import { roleName } from './roles.js'
import { fillTable } from './table.js'
import { instant, t, whenLanguageChanges } from './texts.js'

const DAYS_AT_FIRST = 7
const DAY = 24 * 60 * 60 * 1000
const ACTIONS = {
    accessed: 'audit.accessed', searched: 'audit.searched', stored: 'audit.stored', received: 'audit.stored', changed: 'audit.changed',
    deleted: 'audit.deleted', exported: 'audit.exported', retrieved: 'audit.retrieved', sent: 'audit.sent', association: 'audit.association',
    'share made': 'audit.share_made', 'share opened': 'audit.share_opened', 'share revoked': 'audit.share_revoked',
    'bundle made': 'audit.bundle_made', 'bundle downloaded': 'audit.bundle_downloaded',
    login: 'audit.login', logout: 'audit.logout', 'second factor': 'audit.second_factor', 'second factor added': 'audit.factor_added',
    'second factor removed': 'audit.factor_removed', 'password changed': 'audit.password_changed',
    'accounts changed': 'audit.accounts_changed', 'account reset': 'audit.account_reset', 'modalities changed': 'audit.modalities_changed',
    'audit trail read': 'audit.trail_read', 'spool truncated': 'audit.spool_truncated',
}

let events = [] // the latest first
let said = () => ''
let asked = null // the question whose answer is shown

// The trail is in UTC, people are not.
const inUtc = (day, time) => (day ? new Date(`${day}T${time}`).toISOString().slice(0, 19) : '')

function question() {
    return {
        study: byId('audit_study').value.trim(),
        account: byId('audit_account').value.trim(),
        since: inUtc(byId('audit_since').value, '00:00:00'),
        until: inUtc(byId('audit_until').value, '23:59:59'),
    }
}

// What has no translation is as it is in the trail.
function action({ action: name }) {
    return ACTIONS[name] ? t(ACTIONS[name]) : element('span', { lang: 'en' }, name)
}

function who(event) {
    return event.role ? `${event.who} (${roleName(event.role)})` : event.who || '–'
}

function studies({ study }) {
    const links = study.split(' ').map((uid) => element(
        'a', { class: 'd-block text-break', href: `/viewer?StudyInstanceUIDs=${uid}` }, uid,
    ))
    return study && element('div', {}, ...links)
}

function outcome(event) {
    const failed = event.outcome !== 'success'
    const badge = element(
        'span', { class: `badge ${failed ? 'text-bg-danger' : 'text-bg-success'}` }, t(failed ? 'audit.failure' : 'audit.success'),
    )
    return event.detail ? element('div', {}, badge, element('div', { class: 'small text-break', lang: 'en' }, event.detail)) : badge
}

function draw() {
    byId('audit_said').textContent = said()
    show('audit_list', events.length > 0)
    fillTable('audit', [
        ['audit.time', ({ time }) => instant(new Date(time))],
        ['audit.who', who],
        ['audit.from', ({ address }) => address],
        ['audit.door', ({ door }) => door],
        ['audit.action', action],
        ['audit.study', studies],
        ['audit.outcome', outcome],
    ], events)
}

function problem(status) {
    return { 400: () => t('audit.odd'), 422: () => t('audit.too_much') }[status] || (() => problemOf(status))
}

async function look(wanted) {
    said = () => t('audit.asking')
    draw()
    const { value, status } = await attempt(() => post('/archive/audit', wanted))
    asked = value ? wanted : null
    events = value ? value.events.reverse() : []
    if (!value) {
        said = problem(status)
    } else {
        const count = events.length
        said = () => t(value.more ? 'audit.more' : 'audit.count', { count })
    }
    show('audit_earlier', Boolean(value?.more))
    show('audit_csv', events.length > 0)
    draw()
}

function save(text) {
    const address = URL.createObjectURL(new Blob([text], { type: 'text/csv' }))
    element('a', { href: address, download: 'audit.csv' }).click()
    URL.revokeObjectURL(address)
}

async function download() {
    const { value, status } = await attempt(() => post('/archive/audit', { ...asked, format: 'csv' }))
    if (value) {
        save(value.csv)
    }
    if (!value || value.more) {
        said = value ? () => t('audit.csv_more') : problem(status)
        draw()
    }
}

export function start() {
    byId('audit_since').value = new Date(Date.now() - DAYS_AT_FIRST * DAY).toISOString().slice(0, 10)
    byId('audit_form').addEventListener('submit', (event) => {
        event.preventDefault()
        look(question())
    })
    byId('audit_earlier').addEventListener('click', async () => {
        await look({ ...asked, until: events.at(-1).time.slice(0, 19) })
        byId('audit_said').focus()
    })
    byId('audit_csv').addEventListener('click', download)
    whenLanguageChanges(draw)
}
