// SPDX-License-Identifier: GPL-3.0-or-later
// Sends files to the archive: each is streamed from the disk, without being read into the browser's memory. What came of each stands
// in its `state`: waiting, sending, stored, known (the archive had it), failed or cancelled; `problem` says why it failed.

const AT_A_TIME = 3
const NOT_DICOM = 15 // Orthanc's ErrorCode_BadFileFormat
const FULL = [19, 24] // ErrorCode_CannotWriteFile, as a plugin's refusal is said, and ErrorCode_FullStorage
const AWAY = [0, 502, 503, 504]
// After these, the next file would fail in the same way.
const FOR_ALL = ['away', 'session', 'role', 'full', 'locked']

function json(text) {
    try {
        return JSON.parse(text)
    } catch (error) {
        return {}
    }
}

// Why the archive has not stored it, in one word.
function problemOf(status, said) {
    const byStatus = { 401: 'session', 403: 'role', 413: 'large', 429: 'locked', 507: 'full' }
    if (AWAY.includes(status)) {
        return 'away'
    }
    if (said.OrthancStatus === NOT_DICOM) {
        return 'no_dicom'
    }
    return FULL.includes(said.OrthancStatus) ? 'full' : byStatus[status] || 'refused'
}

// One answer for a file, a list of them for a zip archive.
function outcomeOf(status, text) {
    const said = json(text)
    if (status !== 200) {
        return { state: 'failed', problem: problemOf(status, said), images: 0 }
    }
    const images = [said].flat()
    const stored = images.filter(({ Status }) => Status === 'Success').length
    const known = images.filter(({ Status }) => Status === 'AlreadyStored').length
    if (stored + known === 0) {
        return { state: 'failed', problem: images.length ? 'refused' : 'no_dicom', images: 0 }
    }
    return { state: stored ? 'stored' : 'known', problem: '', images: stored + known }
}

export class Sender {
    // `changed` is called whenever something has.
    constructor(changed) {
        this.items = []
        this.queue = []
        this.running = new Map()
        this.changed = changed
    }

    add(files) {
        const added = files.map(({ file, path }) => ({ file, path, state: 'waiting', sent: 0, problem: '', images: 0 }))
        this.items = this.items.concat(added)
        this.queue = this.queue.concat(added)
        this.goOn()
    }

    retry() {
        this.queue = this.items.filter(({ state }) => ['failed', 'cancelled'].includes(state))
        this.queue.forEach((item) => Object.assign(item, { state: 'waiting', sent: 0, problem: '' }))
        this.goOn()
    }

    cancel() {
        this.end('cancelled', '')
    }

    clear() {
        this.items = []
        this.changed()
    }

    get isBusy() {
        return this.running.size > 0
    }

    // Those that have not been sent yet, and those that are being sent.
    end(state, problem) {
        const requests = [...this.running.values()]
        for (const item of [...this.running.keys(), ...this.queue]) {
            Object.assign(item, { state, problem, sent: 0 })
        }
        this.running.clear()
        this.queue = []
        requests.forEach((request) => request.abort())
        this.changed()
    }

    goOn() {
        while (this.running.size < AT_A_TIME && this.queue.length) {
            this.send(this.queue.shift())
        }
        this.changed()
    }

    send(item) {
        if (item.file.size === 0) {
            Object.assign(item, { state: 'failed', problem: 'empty' })
            return
        }
        const request = new XMLHttpRequest() // fetch does not tell how much has been sent
        item.state = 'sending'
        this.running.set(item, request)
        request.upload.addEventListener('progress', (event) => {
            item.sent = event.loaded
            this.changed()
        })
        request.addEventListener('loadend', () => {
            if (this.running.get(item) === request) {
                this.running.delete(item)
                this.conclude(item, outcomeOf(request.status, request.responseText))
            }
        })
        request.open('POST', '/orthanc/instances')
        request.send(item.file)
    }

    conclude(item, outcome) {
        Object.assign(item, outcome, { sent: item.file.size })
        if (FOR_ALL.includes(outcome.problem)) {
            this.end('failed', outcome.problem)
        } else {
            this.goOn()
        }
    }
}
