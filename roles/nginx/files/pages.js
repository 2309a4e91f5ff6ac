// SPDX-License-Identifier: GPL-3.0-or-later
// Pages that nginx makes, in the browser's language: its error answers, of which programs get only the sentence, and what links open.

import fs from 'fs'
import names from 'names.js'
import texts from 'texts.js'

const ANSWERS = {
    login: [401, 'error.login'],
    nobody: [503, 'error.nobody'],
    role: [403, 'error.role'],
    share: [403, 'error.share'],
    foreign: [403, 'error.foreign'],
    argument: [400, 'error.argument'],
    encoding: [400, 'error.encoding'],
    locked: [429, 'error.locked'],
    provider: [503, 'error.provider'],
    missing: [404, 'error.missing'],
    away: [502, 'error.away'],
}

// The first language that the browser asks for and the pages have.
function languageOf(r) {
    const asked = (r.headersIn['Accept-Language'] || '').split(',').map((tag) => tag.trim().slice(0, 2).toLowerCase())
    return asked.find((language) => texts.hasOwnProperty(language)) || 'en'
}

function sentence(r, key, language) {
    const values = {
        account: r.variables.account, role: r.variables.account_role, argument: r.variables.argument, minutes: names.lockout,
    }
    return texts[language][key].replace(/\{(\w+)\}/g, (whole, name) => values[name])
}

function escape(text) {
    return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`)
}

function page(language, title, head, content) {
    const name = escape(names.archive)
    return `<!DOCTYPE html>
<html lang="${language}">
<head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>${name}: ${title}</title>
    <link rel="icon" href="/archive/icon.svg">
    <script src="/archive/theme.js"></script>
    <link rel="stylesheet" href="/archive/bootstrap.css">
    <link rel="stylesheet" href="/archive/style.css">
    ${head}
</head>
<body class="bg-body-tertiary">
    <main class="container py-5 narrow">
        <p class="d-flex align-items-center gap-2 fw-semibold"><img src="/archive/icon.svg" alt="" width="32" height="32">${name}</p>
        <div class="card">
            <div class="card-body p-4">
                ${content}
            </div>
        </div>
    </main>
</body>
</html>
`
}

function say(r) {
    const answer = ANSWERS[r.variables.problem] || ANSWERS.locked
    const status = answer[0]
    const language = languageOf(r)
    const said = sentence(r, answer[1], language)
    if (/text\/html/i.test(r.headersIn.Accept || '')) {
        r.headersOut['Content-Type'] = 'text/html; charset=utf-8'
        r.return(status, page(language, status, '', `<h1 class="h2 text-body-secondary">${status}</h1>
                <p class="lead">${escape(said)}</p>
                <a href="/archive/">${escape(sentence(r, 'error.archive', language))}</a>`))
    } else {
        r.headersOut['Content-Type'] = 'text/plain; charset=utf-8'
        r.return(status, `${said}\n`)
    }
}

// What a link opens that has its secret behind the #. The script sends it on, so that programs which look into links use none up.
function ofLink(r, kind, content) {
    const language = languageOf(r)
    const text = (key) => escape(sentence(r, key, language))
    const head = `<meta name="referrer" content="no-referrer"><script type="module" src="/share/${kind}.js"></script>`
    r.headersOut['Content-Type'] = 'text/html; charset=utf-8'
    r.return(200, page(language, text(`${kind}.title`), head, content(text)))
}

function share(r) {
    ofLink(r, 'share', (text) => `<h1 class="h4">${text('share.title')}</h1>
                <p id="said" role="status" data-away="${text('share.away')}">${text('share.opening')}</p>
                <form id="form" hidden>
                    <label class="form-label" for="pin">${text('share.pin')}</label>
                    <div class="input-group">
                        <input id="pin" class="form-control" type="password" autocomplete="off" required>
                        <button class="btn btn-primary" type="submit">${text('share.open')}</button>
                    </div>
                </form>`)
}

function bundle(r) {
    ofLink(r, 'bundle', (text) => `<h1 class="h4">${text('bundle.title')}</h1>
                <p>${text('bundle.what')}</p>
                <button id="download" class="btn btn-primary" type="button">${text('bundle.download')}</button>
                <p id="said" class="mt-3 mb-0" role="status" data-away="${text('share.away')}" data-done="${text('bundle.done')}"></p>`)
}

// The request to the DICOM port is not DICOM, so a listener closes the connection at once. If the port is closed, nobody accepts the
// request; if only the kernel accepts it, no answer comes in time.
async function dicomAnswers(r) {
    const reply = await r.subrequest('/_dicom')
    return Number(reply.variables.upstream_bytes_sent) > 0 && reply.status !== 504
}

async function sayWhetherDicomAnswers(r) {
    const answers = await dicomAnswers(r)
    r.headersOut['Content-Type'] = 'application/json'
    r.return(200, JSON.stringify({ answers }))
}

// While a deployment keeps this file there, load balancers send nobody here (role drain).
function isDrained() {
    try {
        fs.accessSync('/run/drain/drained')
        return true
    } catch (error) {
        return false
    }
}

// Whether an association would end well here: Orthanc accepts it, and reaches its database.
async function sayWhetherReady(r) {
    if (isDrained()) {
        r.return(503)
        return
    }
    const answers = await Promise.all([dicomAnswers(r), r.subrequest('/_index')])
    r.return(answers[0] && answers[1].status === 200 ? 200 : 503)
}

export default { bundle, languageOf, say, sayWhetherDicomAnswers, sayWhetherReady, sentence, share }
