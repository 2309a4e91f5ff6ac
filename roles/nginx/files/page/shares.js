// SPDX-License-Identifier: GPL-3.0-or-later
// Links that open one study: those that there are, and making one.

import { ask, attempt, post } from './ask.js'
import { confirmed } from './confirm.js'
import { byId, element, show } from './dom.js'
import { problemOf } from './problems.js'
import { start as startStudies } from './studies.js'
import { fillTable } from './table.js'
import { duration, moment, t, whenLanguageChanges } from './texts.js'

const HOURS = [1, 8, 24, 72, 168, 336, 720, 2160]
const USUAL_HOURS = 168
const LOOKS = { open: 'text-bg-success', ended: 'text-bg-secondary' }
const OUTCOMES = { opened: 'shares.use_opened', ended: 'shares.use_ended', 'wrong pin': 'shares.use_wrong_pin' }

let shares = []
let said = () => '' // of the list
let saidOfForm = () => ''
let readsStudies = false

function state(share) {
    if (share.open) {
        return 'shares.open'
    }
    if (share.revoked) {
        return 'shares.revoked'
    }
    return share.uses >= share.uses_allowed ? 'shares.used_up' : 'shares.over'
}

function studyOf({ study }) {
    const look = { class: 'fw-normal text-break' }
    return readsStudies ? element('a', { ...look, href: `/viewer?StudyInstanceUIDs=${study}` }, study) : element('span', look, study)
}

function usesOf(share) {
    const count = t('shares.uses_of', { uses: share.uses, allowed: share.uses_allowed })
    if (!share.log.length) {
        return count
    }
    const uses = share.log.map(({ time, address, outcome }) => element(
        'li', {}, `${moment(new Date(time))}, ${address}: ${t(OUTCOMES[outcome] || 'shares.use_ended')}`,
    ))
    return element(
        'details',
        {},
        element('summary', {}, count),
        element('ul', { class: 'list-unstyled small mb-0' }, ...uses),
    )
}

function revokeButton(share) {
    if (!share.open) {
        return ''
    }
    const button = element('button', { class: 'btn btn-sm btn-outline-danger', type: 'button' }, t('shares.revoke'))
    button.append(element('span', { class: 'visually-hidden' }, ` ${share.study} ${share.account}`))
    button.addEventListener('click', () => revoke(share))
    return button
}

function draw() {
    const shown = shares.filter((share) => share.open || byId('shares_ended').checked)
    byId('shares_said').textContent = said() || (shown.length ? '' : t('shares.none'))
    byId('shares_list').hidden = !shown.length
    fillTable('shares', [
        ['shares.study', studyOf],
        ['shares.account', ({ account, made }) => t('shares.made', { account, moment: moment(new Date(made)) })],
        ['shares.ends', ({ ends }) => moment(new Date(ends))],
        ['shares.uses', usesOf],
        ['shares.pin', ({ pin }) => t(pin ? 'shares.with_pin' : 'shares.without_pin')],
        ['shares.state', (share) => element('span', { class: `badge ${LOOKS[share.open ? 'open' : 'ended']}` }, t(state(share)))],
        ['', revokeButton],
    ], shown)
}

// `after` is the sentence about what was done before.
async function look(after = () => '') {
    const answer = await attempt(() => ask('/archive/shares'))
    shares = answer.value || []
    said = answer.value ? after : () => problemOf(answer.status)
    draw()
}

async function revoke(share) {
    if (!await confirmed(t('shares.revoke_question', { study: share.study, account: share.account }), t('shares.revoke'))) {
        return
    }
    const answer = await attempt(() => ask(`/archive/shares/${share.id}`, { method: 'DELETE' }))
    await look(answer.value ? () => t('shares.revoke_done') : () => problemOf(answer.status))
    byId('shares_said').focus() // the button is gone
}

function sayOfForm(sentence) {
    saidOfForm = sentence
    byId('share_said').textContent = saidOfForm()
}

async function make() {
    const pin = byId('share_pin').value
    const wanted = {
        study: byId('share_study').value.trim(),
        hours: Number(byId('share_hours').value),
        uses: Number(byId('share_uses').value),
        ...(pin ? { pin } : {}),
    }
    const answer = await attempt(() => post('/archive/shares', wanted))
    show('share_made', Boolean(answer.value))
    if (!answer.value) {
        const problem = { 400: 'shares.odd', 404: 'shares.no_study' }[answer.status]
        sayOfForm(() => (problem ? t(problem) : problemOf(answer.status)))
        return
    }
    byId('share_link').value = answer.value.link
    sayOfForm(() => t('shares.done'))
    byId('share_study').value = ''
    byId('share_pin').value = ''
    byId('share_link').select()
    await look()
}

async function copy() {
    byId('share_link').select()
    const answer = await attempt(() => navigator.clipboard.writeText(byId('share_link').value))
    sayOfForm(() => t('status' in answer ? 'shares.not_copied' : 'shares.copied'))
}

function offerHours() {
    const chosen = byId('share_hours').value || USUAL_HOURS
    byId('share_hours').replaceChildren(...HOURS.map((hours) => element('option', { value: hours }, duration(hours))))
    byId('share_hours').value = chosen
}

function startMaking() {
    offerHours()
    whenLanguageChanges(offerHours)
    whenLanguageChanges(() => sayOfForm(saidOfForm))
    byId('share_form').addEventListener('submit', (event) => {
        event.preventDefault()
        make()
    })
    byId('share_copy').addEventListener('click', copy)
    if (byId('studies_form')) {
        startStudies((study) => {
            byId('share_study').value = study
            byId('share_hours').focus()
        })
    }
}

// `canRead` is whether the links' studies can be opened with this account.
export function start(canRead) {
    readsStudies = canRead
    byId('shares_ended').addEventListener('change', draw)
    whenLanguageChanges(draw)
    if (byId('share_form')) {
        startMaking()
    }
    look()
}
