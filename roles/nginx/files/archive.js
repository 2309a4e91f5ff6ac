// SPDX-License-Identifier: GPL-3.0-or-later
// The archive's own page: what it is, how it is, and for those who may, how to bring images and to connect a modality.

const DAY = 24 * 60 * 60 * 1000
const WARN_DAYS = 30

function say(id, text, bad = false) {
    const element = document.getElementById(id)
    element.textContent = text
    element.classList.toggle('bad', bad)
}

function fill(id, tag, rows) {
    document.getElementById(id).replaceChildren(...rows.map((cells) => {
        const row = document.createElement(tag)
        row.replaceChildren(...[cells].flat().map((text) => {
            const cell = document.createElement(tag === 'tr' ? 'td' : 'span')
            cell.textContent = text
            return cell
        }))
        return row
    }))
}

async function ask(path) {
    const answer = await fetch(path)
    if (!answer.ok) {
        throw new Error(`${path}: ${answer.status} ${answer.statusText}`)
    }
    return answer.json()
}

function describe(listener) {
    const certificate = { required: 'client certificate required', optional: 'client certificate optional', none: 'no client certificate' }
    const from = listener.allowed.length ? `, from ${listener.allowed.join(', ')}` : ''
    return `port ${listener.port}: ${listener.tls ? `TLS, ${certificate[listener.client_certificate]}` : 'without TLS'}${from}`
}

function showArchive(archive) {
    document.title = `${archive.name}: archive`
    say('name', archive.name)
    say('aet', archive.aet)
    say('host', archive.host)
    say('dicomweb', `${window.location.origin}/dicom-web/`)
    fill('listeners', 'li', archive.listeners.map(describe))
    const days = Math.floor((Date.parse(archive.certificate_not_after) - Date.now()) / DAY)
    say('certificate', days < 0 ? `ended ${-days} days ago: run the deployment` : `${days} days left`, days < WARN_DAYS)
}

async function showHealth() {
    try {
        const statistics = await ask('/orthanc/statistics')
        say('database', 'answers')
        say('storage', `${statistics.CountStudies} studies, ${statistics.CountInstances} instances, ${statistics.TotalDiskSizeMB} MB`)
    } catch (error) {
        say('database', `does not answer (${error.message})`, true)
        say('storage', 'not known')
    }
}

async function showModalities() {
    const modalities = await ask('/archive/modalities.json')
    fill('modalities', 'tr', modalities.map((modality) => [
        modality.name,
        modality.aet,
        modality.host ? `${modality.host}:${modality.port ?? 104}` : '',
        (modality.allow ?? ['echo', 'store', 'find', 'get', 'move']).join(', '),
    ]))
}

// One file at a time: each is streamed to the archive, and the browser has none of it in memory.
async function upload(event) {
    event.preventDefault()
    const files = [...document.getElementById('files').files]
    const refused = []
    for (const [number, file] of files.entries()) {
        say('sent', `Sending ${number + 1} of ${files.length} ...`)
        const answer = await fetch('/orthanc/instances', { method: 'POST', body: file }).catch((error) => ({ statusText: error.message }))
        if (!answer.ok) {
            refused.push(`${file.name} (${answer.status ?? 'no answer'} ${answer.statusText})`)
        }
    }
    const stored = files.length - refused.length
    say('sent', `${stored} of ${files.length} stored.${refused.length ? ` Not stored: ${refused.join(', ')}` : ''}`, refused.length > 0)
}

const me = await ask('/archive/me')
say('account', me.account)
say('role', me.role)
for (const element of document.querySelectorAll('[data-roles]')) {
    element.hidden = !element.dataset.roles.split(' ').includes(me.role)
}
showArchive(await ask('/archive/archive.json'))
if (me.role !== 'uploader') {
    await showHealth()
}
if (me.role === 'admin') {
    await showModalities()
}
document.getElementById('upload').addEventListener('submit', upload)
