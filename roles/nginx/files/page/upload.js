// SPDX-License-Identifier: GPL-3.0-or-later
// What people see of an upload: where to drop files, how far it is, and a sentence for whatever has failed.

import { loginAddress } from './ask.js'
import { byId, element, show } from './dom.js'
import { chosen, dropped } from './files.js'
import { Sender } from './sender.js'
import { bytes, t, whenLanguageChanges } from './texts.js'

const PROBLEMS = {
    no_dicom: 'upload.no_dicom', empty: 'upload.empty', large: 'upload.large', refused: 'upload.refused', full: 'upload.full',
    away: 'upload.away', session: 'upload.session', role: 'upload.role', locked: 'upload.locked',
}
const NAMES_SHOWN = 200

let sender = null
let isDrawn = false

const withState = (...states) => sender.items.filter(({ state }) => states.includes(state))
const sum = (items, key) => items.reduce((total, item) => total + key(item), 0)

function drawProgress() {
    const left = withState('waiting', 'sending')
    const total = sum(sender.items, ({ file }) => file.size)
    const sent = sum(sender.items, (item) => (item.state === 'waiting' ? 0 : item.sent))
    byId('overall').max = Math.max(total, 1)
    byId('overall').value = sent
    const values = { done: sender.items.length - left.length, count: sender.items.length, sent: bytes(sent), total: bytes(total) }
    byId('overall_text').textContent = t('upload.progress', values)
    byId('sending').replaceChildren(...withState('sending').map(({ file, path, sent: some }) => element(
        'li',
        { class: 'small' },
        element('span', { class: 'd-block text-truncate' }, path),
        element('progress', { class: 'w-100', max: file.size, value: some, 'aria-label': path }),
    )))
}

function failure(problem, items) {
    const names = items.slice(0, NAMES_SHOWN).map(({ path }) => element('li', {}, path))
    const more = items.length - names.length
    const said = element(
        'li',
        { class: 'alert alert-danger', 'data-problem': problem },
        t(PROBLEMS[problem], { count: items.length }),
        element(
            'details',
            { class: 'mt-2' },
            element('summary', {}, t('upload.which', { count: items.length })),
            element('ul', { class: 'mb-0 small text-break' }, ...names, ...(more > 0 ? [element('li', {}, t('upload.more', { count: more }))] : [])),
        ),
    )
    if (problem === 'session') {
        said.append(element('a', { class: 'btn btn-danger mt-2', href: loginAddress(), target: '_blank' }, t('upload.log_in')))
    }
    return said
}

function drawResult() {
    const images = sum(withState('stored', 'known'), (item) => item.images)
    const known = withState('known').length
    const cancelled = withState('cancelled').length
    const sentences = []
    if (images) {
        sentences.push(t('upload.stored', { count: images }))
    }
    if (known) {
        sentences.push(t('upload.known', { count: known }))
    }
    if (cancelled) {
        sentences.push(t('upload.cancelled', { count: cancelled }))
    }
    // Said once, when it is over: a screen reader would read out each step.
    byId('result').textContent = sender.items.length && !sender.isBusy ? sentences.join(' ') : ''
    const problems = Object.keys(PROBLEMS).map((problem) => [problem, withState('failed').filter((item) => item.problem === problem)])
    byId('failures').replaceChildren(...problems.filter(([, items]) => items.length).map(([problem, items]) => failure(problem, items)))
}

function draw() {
    isDrawn = true
    show('progress', sender.isBusy)
    show('cancel', sender.isBusy)
    show('retry', !sender.isBusy && withState('failed', 'cancelled').length > 0)
    show('clear', !sender.isBusy && sender.items.length > 0)
    drawProgress()
    if (!sender.isBusy) {
        drawResult()
    } else {
        byId('result').textContent = ''
        byId('failures').replaceChildren()
    }
}

// At most once for each picture on the screen, as thousands of small files come and go.
function changed() {
    if (isDrawn) {
        isDrawn = false
        window.setTimeout(draw, 50)
    }
}

function takeDrops(zone) {
    const mark = (isOver) => zone.classList.toggle('over', isOver)
    // Beside the zone, a browser would open the file in place of this page.
    for (const kind of ['dragover', 'drop']) {
        window.addEventListener(kind, (event) => event.preventDefault())
    }
    zone.addEventListener('dragover', () => mark(true))
    zone.addEventListener('dragleave', () => mark(false))
    zone.addEventListener('drop', async (event) => {
        mark(false)
        sender.add(await dropped(event.dataTransfer))
    })
}

export function start() {
    sender = new Sender(changed)
    isDrawn = true
    for (const [button, input] of [['choose_files', 'files'], ['choose_folder', 'folder']]) {
        byId(button).addEventListener('click', () => byId(input).click())
        byId(input).addEventListener('change', (event) => {
            sender.add(chosen(event.target))
            event.target.value = '' // so that the same can be chosen again
        })
    }
    takeDrops(byId('drop'))
    byId('cancel').addEventListener('click', () => sender.cancel())
    byId('retry').addEventListener('click', () => sender.retry())
    byId('clear').addEventListener('click', () => sender.clear())
    window.addEventListener('beforeunload', (event) => sender.isBusy && event.preventDefault())
    whenLanguageChanges(draw)
}
