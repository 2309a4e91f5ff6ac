// SPDX-License-Identifier: GPL-3.0-or-later
// The archive's own page: its data, its state, and for those who are allowed to, how to upload images and connect a modality.

const DAY = 24 * 60 * 60 * 1000
const WARN_DAYS = 30
const PATIENCE_MS = 20000

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

async function ask(path, options) {
    const answer = await fetch(path, { signal: AbortSignal.timeout(PATIENCE_MS), ...options })
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

async function answers(question) {
    try {
        return { value: await question() }
    } catch (error) {
        return { problem: error.message }
    }
}

// Nothing is known about a part that is behind one that is down, so each is asked only if the one before it has answered.
async function showHealth() {
    const unknown = 'not known, as Orthanc does not answer'
    const system = await answers(() => ask('/orthanc/system'))
    const statistics = system.problem ? system : await answers(() => ask('/orthanc/statistics'))
    if (system.problem && !/: 502|: 504|fetch/.test(system.problem)) {
        // Orthanc answers, but with an error: this request also needs the database.
        system.value = {}
    }
    say('orthanc', system.value ? 'answers' : `does not answer (${system.problem})`, !system.value)
    if (!system.value) {
        say('database', unknown)
        say('storage', unknown)
        return
    }
    say('database', statistics.problem ? `does not answer Orthanc (${statistics.problem})` : 'answers', Boolean(statistics.problem))
    if (statistics.problem) {
        say('storage', 'not known, as the database does not answer')
        return
    }
    const { CountStudies, CountInstances, TotalDiskSizeMB } = statistics.value
    const read = await answers(readOneImage)
    say(
        'storage',
        `${CountStudies} studies, ${CountInstances} instances, ${TotalDiskSizeMB} MB`
        + (read.problem ? `; an image could not be read (${read.problem})` : ''),
        Boolean(read.problem),
    )
}

async function readOneImage() {
    const [instance] = await ask('/orthanc/tools/find', { method: 'POST', body: JSON.stringify({ Level: 'Instance', Query: {}, Limit: 1 }) })
    return instance && ask(`/orthanc/instances/${instance}/header`)
}

async function showDicom() {
    const dicom = await answers(() => ask('/archive/dicom'))
    const isUp = Boolean(dicom.value?.answers)
    say('dicom', isUp ? 'takes associations' : 'takes no association: Orthanc does not answer on its DICOM port', !isUp)
}

async function showModalities() {
    const modalities = await ask('/archive/modalities.json')
    fill('modalities', 'tr', modalities.map((modality) => [
        modality.name,
        modality.aet,
        modality.host ? `${modality.host}:${modality.port}` : '',
        modality.allow.join(', '),
    ]))
}

// One file at a time: each is streamed to the archive, without being read into the browser's memory.
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

document.getElementById('upload').addEventListener('submit', upload)
const me = await ask('/archive/me')
say('account', me.account)
say('role', me.role)
for (const element of document.querySelectorAll('[data-roles]')) {
    element.hidden = !element.dataset.roles.split(' ').includes(me.role)
}
showArchive(await ask('/archive/archive.json'))
await showDicom()
if (me.role !== 'uploader') {
    await showHealth()
}
if (me.role === 'admin') {
    await showModalities()
}
