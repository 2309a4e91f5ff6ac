// SPDX-License-Identifier: GPL-3.0-or-later
// For admins: who may talk DICOM to the archive, and who has lately.

import { ask, attempt } from './ask.js'
import { element, show } from './dom.js'
import { fillTable } from './table.js'
import { list, moment, t, whenLanguageChanges } from './texts.js'

const SERVICES = {
    echo: 'service.echo', store: 'service.store', find: 'service.find', find_worklist: 'service.find_worklist', get: 'service.get',
    move: 'service.move',
}

const SHOWN = 10
const RESULTS = { accepted: 'associations.accepted', rejected: 'associations.rejected', aborted: 'associations.aborted' }

let associations = null // of nginx; null if it does not say

export const aetsOf = (modality) => [modality.aet, ...modality.further_aets]
export const servicesOf = (modality) => list(modality.allow.map((service) => t(SERVICES[service])))

function lastContact(modality) {
    const times = aetsOf(modality).map((aet) => associations?.accepted[aet.toUpperCase()]).filter((time) => time).sort()
    return times.length ? moment(new Date(times.at(-1))) : '–'
}

function calls(modality) {
    return modality.tls ? t('modalities.calls_tls') : t('modalities.calls_plain', { port: String(modality.listener) })
}

function called(modality) {
    if (!modality.host) {
        return t('modalities.not_called')
    }
    const address = `${modality.host}:${modality.port}`
    return modality.call_with_tls ? t('modalities.called_tls', { address }) : t('modalities.called_plain', { address })
}

function result({ result: became, why }) {
    const text = t(RESULTS[became] || 'associations.refused')
    return why ? element('span', {}, `${text}: `, element('span', { lang: 'en' }, why)) : text // as it is in the log
}

function draw(modalities) {
    fillTable('modalities', [
        ['modalities.name', ({ name }) => name],
        ['modalities.aets', (modality) => aetsOf(modality).join(', ')],
        ['modalities.allowed', servicesOf],
        ['modalities.its_calls', calls],
        ['modalities.our_calls', called],
        ['modalities.last_contact', lastContact],
    ], modalities)
    show('associations_lately', Boolean(associations?.latest.length))
    fillTable('associations', [
        ['associations.time', ({ time }) => moment(new Date(time))],
        ['associations.calling', ({ calling }) => calling],
        ['associations.from', ({ certificate, address }) => (certificate ? `${certificate}, ${address}` : address)],
        ['associations.port', ({ listener }) => String(listener)],
        ['associations.result', result],
    ], associations?.latest.slice(0, SHOWN) || [])
}

export async function start(modalities) {
    whenLanguageChanges(() => draw(modalities))
    associations = (await attempt(() => ask('/archive/associations.json'))).value || null
    draw(modalities)
}
