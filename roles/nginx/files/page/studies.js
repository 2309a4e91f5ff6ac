// SPDX-License-Identifier: GPL-3.0-or-later
// Finds a study by what people know of it, so that nobody needs to know its UID.

import { ask, attempt } from './ask.js'
import { byId, element } from './dom.js'
import { problemOf } from './problems.js'
import { fillTable } from './table.js'
import { day, t, whenLanguageChanges } from './texts.js'

const SHOWN = 20
const [UID, NAME, ID, DATE, DESCRIPTION, MODALITIES] = ['0020000D', '00100010', '00100020', '00080020', '00081030', '00080061']

let found = [] // one more than is shown, if there are more
let said = () => ''

const values = (study, tag) => (study[tag]?.Value || []).filter((value) => value)

// Müller^Anna as people write it: Müller, Anna.
function nameOf(study) {
    const [name] = values(study, NAME)
    const [family, ...others] = (name?.Alphabetic || name?.Ideographic || name?.Phonetic || '').split('^')
    return [family, others.filter((part) => part).join(' ')].filter((part) => part).join(', ')
}

function dayOf(study) {
    const [, year, month, date] = /^(\d{4})(\d{2})(\d{2})$/.exec(values(study, DATE)[0]) || []
    return year ? day(new Date(year, month - 1, date)) : ''
}

function button(study, choose) {
    const made = element(
        'button',
        { class: 'btn btn-sm btn-outline-primary', type: 'button' },
        t('studies.choose'),
        element('span', { class: 'visually-hidden' }, ` ${nameOf(study)} ${dayOf(study)}`),
    )
    made.addEventListener('click', () => {
        said = () => t('studies.chosen', { study: [nameOf(study), dayOf(study)].filter((part) => part).join(', ') })
        byId('studies_said').textContent = said()
        choose(values(study, UID)[0])
    })
    return made
}

function draw(choose) {
    byId('studies_said').textContent = said()
    byId('studies_found').hidden = !found.length
    fillTable('studies', [
        ['studies.name', nameOf],
        ['studies.id', (study) => values(study, ID).join(' ')],
        ['studies.date', dayOf],
        ['studies.modalities', (study) => values(study, MODALITIES).join(', ')],
        ['studies.description', (study) => values(study, DESCRIPTION).join(' ')],
        ['', (study) => button(study, choose)],
    ], found.slice(0, SHOWN))
}

// A name is found by any part of it; a comma or a space stands for whatever separates its parts.
function query() {
    const name = byId('studies_name').value.trim().replace(/[\s,]+/g, '*')
    const given = {
        PatientName: name && `*${name}*`,
        PatientID: byId('studies_id').value.trim(),
        StudyDate: byId('studies_date').value.replaceAll('-', ''),
    }
    const asked = Object.entries(given).filter(([, value]) => value).map(([key, value]) => `${key}=${encodeURIComponent(value)}`)
    return [...asked, `includefield=${DESCRIPTION}`, `limit=${SHOWN + 1}`].join('&')
}

async function search(choose) {
    const headers = { Accept: 'application/dicom+json' }
    const answer = await attempt(() => ask(`/dicom-web/studies?${query()}`, { headers }))
    found = answer.value || []
    if (!answer.value) {
        said = () => problemOf(answer.status)
    } else if (found.length > SHOWN) {
        said = () => t('studies.more', { count: SHOWN })
    } else {
        said = () => t('studies.count', { count: found.length })
    }
    draw(choose)
}

// `choose` is called with the UID of a study.
export function start(choose) {
    byId('studies_form').addEventListener('submit', (event) => {
        event.preventDefault()
        search(choose)
    })
    whenLanguageChanges(() => draw(choose))
}
