// SPDX-License-Identifier: GPL-3.0-or-later
// The files that somebody has chosen or dropped, those in folders included.

// What disks have beside images: a DICOMDIR is a list of them.
const NO_IMAGES = /^(\.|DICOMDIR$|Thumbs\.db$|desktop\.ini$|__MACOSX$)/i

// Whoever chooses such a file by itself is told that it is none.
function isWanted({ path }) {
    return !path.includes('/') || !path.split('/').some((name) => NO_IMAGES.test(name))
}

async function entriesOf(folder) {
    const reader = folder.createReader()
    const found = []
    for (;;) { // a hundred at a time
        const some = await new Promise((done, failed) => reader.readEntries(done, failed))
        if (some.length === 0) {
            return found
        }
        found.push(...some)
    }
}

async function filesIn(entry, path) {
    if (entry.isFile) {
        return [{ file: await new Promise((done, failed) => entry.file(done, failed)), path: path + entry.name }]
    }
    const found = []
    for (const inside of await entriesOf(entry)) {
        found.push(...await filesIn(inside, `${path}${entry.name}/`))
    }
    return found
}

// Of a drop: {file, path}, without what is no image in a folder.
export async function dropped(transfer) {
    // All at once: the list is empty as soon as something is awaited.
    const files = [...transfer.items].filter(({ kind }) => kind === 'file')
    const entries = files.map((item) => item.webkitGetAsEntry() || item.getAsFile()) // what is on no disk is no entry
    const found = []
    for (const entry of entries) {
        found.push(...entry instanceof File ? [{ file: entry, path: entry.name }] : await filesIn(entry, ''))
    }
    return found.filter(isWanted)
}

// Of an input for files or for a folder.
export function chosen(input) {
    const found = [...input.files].map((file) => ({ file, path: file.webkitRelativePath || file.name }))
    return found.filter(isWanted)
}
