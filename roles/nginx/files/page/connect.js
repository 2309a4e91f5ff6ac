// SPDX-License-Identifier: GPL-3.0-or-later
// What to type where somebody connects a modality or a program, as a sheet that fits on a page. For admins, it is that of a modality.

import { askForText, attempt } from './ask.js'
import { byId, element } from './dom.js'
import { aetsOf, servicesOf } from './modalities.js'
import { day, list, t, whenLanguageChanges } from './texts.js'

const CERTIFICATES = { required: 'connect.required', optional: 'connect.optional', none: 'connect.none' }

let archive = null
let modalities = []
let fingerprints = []

// The certificates of a PEM file, as programs show them before somebody trusts them.
async function fingerprintsOf(pem) {
    const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+/g) || []
    return Promise.all(blocks.map(async (block) => {
        const octets = Uint8Array.from(atob(block.replace(/-----[^-]+-----|\s/g, '')), (character) => character.charCodeAt(0))
        const digest = new Uint8Array(await window.crypto.subtle.digest('SHA-256', octets))
        return [...digest].map((octet) => octet.toString(16).padStart(2, '0').toUpperCase()).join(':')
    }))
}

const chosen = () => modalities.find(({ name }) => name === byId('for')?.value)

// The listeners that this modality calls, or all.
function listenersOf(modality) {
    return archive.listeners.filter((listener) => !modality || (modality.tls ? listener.tls : listener.port === modality.listener))
}

function security(listener) {
    const parts = [listener.tls ? t(CERTIFICATES[listener.client_certificate]) : t('connect.plain')]
    if (listener.allowed.length) {
        parts.push(t('connect.allowed', { networks: list(listener.allowed) }))
    }
    return parts.join(' ')
}

function row(name, value, also = '') {
    return element(
        'tr',
        {},
        element('th', { scope: 'row' }, t(name)),
        element('td', { class: 'value' }, value),
        element('td', { class: 'also text-body-secondary' }, also && t(also)),
    )
}

function ports(modality) {
    return element('ul', { class: 'list-unstyled mb-0', id: 'listeners' }, ...listenersOf(modality).map((listener) => element(
        'li', {}, element('strong', {}, String(listener.port)), `: ${security(listener)}`,
    )))
}

function authority() {
    return element(
        'div',
        {},
        element('a', { href: '/archive/ca.crt', download: `${archive.name}-ca.crt` }, 'ca.crt'),
        element('div', { class: 'small' }, t('connect.fingerprint')),
        ...fingerprints.map((text) => element('div', { class: 'small font-monospace' }, ...text.split(/(?<=:)/).flatMap(
            (octet) => [octet, element('wbr')],
        ))),
    )
}

function rowsOf(modality) {
    const aet = element('strong', { id: 'aet' }, archive.aet)
    const rows = [
        row('connect.aet', aet, 'connect.aet_also'),
        row('connect.host', archive.host, 'connect.host_also'),
        row('connect.port', ports(modality), 'connect.port_also'),
        row('connect.own_aet', modality ? aetsOf(modality).join(', ') : t('connect.own_aet_given'), 'connect.own_aet_also'),
    ]
    if (!modality || modality.tls) {
        rows.push(
            row('connect.tls', t('connect.tls_versions'), 'connect.tls_also'),
            row('connect.bundle', t('connect.bundle_given', { file: `client-${modality?.name || '…'}.p12` }), 'connect.bundle_also'),
            row('connect.ca', authority(), 'connect.ca_also'),
        )
    }
    if (modality) {
        rows.push(row('connect.services', servicesOf(modality), 'connect.services_also'))
    }
    if (modality?.host) {
        const values = { address: `${modality.host}:${modality.port}` }
        rows.push(row('connect.called', t(modality.call_with_tls ? 'connect.called_tls' : 'connect.called_plain', values), 'connect.called_also'))
    }
    return rows
}

function draw() {
    byId('sheet_title').textContent = t(chosen() ? 'connect.sheet_of' : 'connect.sheet', { archive: archive.name, modality: chosen()?.name })
    byId('sheet_date').textContent = day(new Date())
    byId('sheet').replaceChildren(...rowsOf(chosen()))
    const handOver = byId('hand_over')
    if (handOver) {
        handOver.hidden = !chosen()?.tls
        handOver.textContent = t('connect.hand_over', { modality: chosen()?.name })
    }
    byId('dicomweb').textContent = `${window.location.origin}/dicom-web/`
}

function offerModalities() {
    const choice = byId('for')
    choice.replaceChildren(...modalities.map(({ name, aet }) => element('option', { value: name }, `${name} (${aet})`)))
    choice.addEventListener('change', draw)
}

export async function start(ofArchive, ofModalities) {
    archive = ofArchive
    modalities = ofModalities
    if (byId('for')) {
        offerModalities()
    }
    byId('print').addEventListener('click', () => window.print())
    whenLanguageChanges(draw)
    draw()
    const pem = await attempt(() => askForText('/archive/ca.crt'))
    fingerprints = pem.value ? await fingerprintsOf(pem.value) : []
    draw()
}
