// SPDX-License-Identifier: GPL-3.0-or-later
// Which parts of the archive answer, and what is in it.

import { ask, attempt, post } from './ask.js'
import { byId, element } from './dom.js'
import { bytes, day, moment, number, t, whenLanguageChanges } from './texts.js'

const DAY = 24 * 60 * 60 * 1000
const WARN_DAYS = 30
const AWAY = [0, 502, 503, 504]

const PARTS = {
    login: 'status.login', certificate: 'status.certificate', dicom: 'status.dicom', orthanc: 'status.orthanc',
    database: 'status.database', storage: 'status.storage',
}
const SIGNS = {
    good: { text: 'status.good', look: 'text-bg-success' },
    soon: { text: 'status.soon', look: 'text-bg-warning' },
    bad: { text: 'status.bad', look: 'text-bg-danger' },
    unknown: { text: 'status.unknown', look: 'text-bg-secondary' },
}
const COUNTS = {
    CountPatients: 'content.patients', CountStudies: 'content.studies', CountSeries: 'content.series', CountInstances: 'content.instances',
}

let shown = {} // by part: its sign, and the text of its sentence with values
let content = null
let asked = null

const good = (text, values) => ({ sign: 'good', text, values })
const bad = (text, values) => ({ sign: 'bad', text, values })
const unknown = (text) => ({ sign: 'unknown', text })

function loginState(me) {
    return me.value ? good('status.answers') : bad('status.login_away')
}

function certificateState(archive) {
    const end = Date.parse(archive.certificate_not_after)
    const count = Math.floor((end - Date.now()) / DAY)
    if (count < 0) {
        return bad('status.certificate_ended', { end })
    }
    return { sign: count < WARN_DAYS ? 'soon' : 'good', text: 'status.certificate_days', values: { count, end } }
}

async function readOneImage() {
    const [instance] = await post('/orthanc/tools/find', { Level: 'Instance', Query: {}, Limit: 1 })
    return instance && ask(`/orthanc/instances/${instance}/header`)
}

function storageState(read) {
    if ('value' in read) {
        return good(read.value ? 'status.storage_read' : 'status.storage_empty')
    }
    return bad('status.storage_bad', { status: read.status })
}

// Nothing is known about a part that is behind one that is down, so each is asked only if the one before it has answered.
async function imageStates() {
    const system = await attempt(() => ask('/orthanc/system'))
    if (!system.value && AWAY.includes(system.status)) {
        const behind = unknown('status.behind_orthanc')
        return { orthanc: bad('status.orthanc_away'), database: behind, storage: behind }
    }
    // An error is an answer, too: this request also needs the database.
    const orthanc = good('status.answers')
    const statistics = system.value ? await attempt(() => ask('/orthanc/statistics')) : system
    if (!statistics.value) {
        return { orthanc, database: bad('status.database_away'), storage: unknown('status.behind_database') }
    }
    content = statistics.value
    return { orthanc, database: good('status.answers'), storage: storageState(await attempt(readOneImage)) }
}

async function dicomState() {
    const dicom = await attempt(() => ask('/archive/dicom'))
    return dicom.value?.answers ? good('status.dicom_open') : bad('status.dicom_away')
}

function sentence({ text, values }) {
    return t(text, values?.end ? { ...values, end: day(values.end) } : values)
}

function row(part, state) {
    const sign = SIGNS[state.sign]
    return element(
        'li',
        { class: 'list-group-item d-flex justify-content-between gap-2', 'data-part': part, 'data-sign': state.sign },
        element('span', {}, element('strong', {}, t(PARTS[part])), element('br'), element('span', { id: part }, sentence(state))),
        element('span', { class: `badge ${sign.look} align-self-start` }, t(sign.text)),
    )
}

function draw() {
    byId('parts').replaceChildren(...Object.keys(PARTS).filter((part) => shown[part]).map((part) => row(part, shown[part])))
    byId('asked').textContent = asked ? t('status.asked', { moment: moment(asked) }) : t('status.asking')
    if (byId('content') && content) {
        byId('content').hidden = false
        byId('counts').replaceChildren(...Object.entries(COUNTS).map(([count, text]) => figure(number(content[count]), t(text))))
        byId('counts').append(figure(bytes(Number(content.TotalDiskSize)), t('content.space')))
    }
}

function figure(value, name) {
    return element('div', { class: 'col' }, element('dt', {}, name), element('dd', { class: 'fs-4 mb-0' }, value))
}

async function look(archive, seesImages) {
    asked = null
    draw()
    const [me, dicom, images] = await Promise.all([
        attempt(() => ask('/archive/me')), dicomState(), seesImages ? imageStates() : {},
    ])
    shown = { login: loginState(me), certificate: certificateState(archive), dicom, ...images }
    asked = new Date()
    draw()
}

export function start(archive, seesImages) {
    whenLanguageChanges(draw)
    byId('again').addEventListener('click', () => look(archive, seesImages))
    look(archive, seesImages)
}
