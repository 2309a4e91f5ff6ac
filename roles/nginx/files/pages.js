// SPDX-License-Identifier: GPL-3.0-or-later
// nginx's own error answers: a page for people, only the sentence for programs.

import names from 'names.js'

const SENTENCES = {
    login: () => [401, 'A login is needed here: a session, or the name and password of an account without a second factor.'],
    nobody: () => [503, 'The login service, or its database, does not answer. Try again in a minute.'],
    role: (r) => [403, `The account ${r.variables.account} has the role ${r.variables.account_role}, which may not do this.`],
    share: () => [403, 'This link opens one study, and nothing else.'],
    foreign: () => [403, "Another site's page asked for this in your name, and nothing was done."],
    argument: (r) => [400, `This address takes no argument "${r.variables.argument}", and nothing was done.`],
    encoding: (r) => [400, `The argument "${r.variables.argument}" has an encoded & or control character, or a percent sign that `
        + 'encodes nothing: nothing was done.'],
    locked: () => [429, `Too many wrong passwords, or too many at a time: try again in ${names.lockout} minutes.`],
    provider: () => [503, 'The login provider does not answer this archive. Log in with another account, or try again in a minute.'],
    missing: () => [404, 'There is nothing at this address.'],
    away: () => [502, 'Orthanc, the part of the archive that has the images, does not answer. Try again in a minute.'],
}

function escape(text) {
    return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`)
}

function page(status, sentence) {
    const name = escape(names.archive)
    return `<!DOCTYPE html>
<html lang="en">
<head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>${name}: ${status}</title>
    <link rel="icon" href="/archive/icon.svg">
    <script src="/archive/theme.js"></script>
    <link rel="stylesheet" href="/archive/bootstrap.css">
    <link rel="stylesheet" href="/archive/style.css">
</head>
<body class="bg-body-tertiary">
    <main class="container py-5 narrow">
        <p class="d-flex align-items-center gap-2 fw-semibold"><img src="/archive/icon.svg" alt="" width="32" height="32">${name}</p>
        <div class="card">
            <div class="card-body p-4">
                <h1 class="h2 text-body-secondary">${status}</h1>
                <p class="lead">${escape(sentence)}</p>
                <a href="/archive/">What this archive is, and which of its parts answer</a>
            </div>
        </div>
    </main>
</body>
</html>
`
}

function say(r) {
    const answer = (SENTENCES[r.variables.problem] || SENTENCES.locked)(r)
    const forPeople = /text\/html/i.test(r.headersIn.Accept || '')
    r.headersOut['Content-Type'] = `text/${forPeople ? 'html' : 'plain'}; charset=utf-8`
    r.return(answer[0], forPeople ? page(answer[0], answer[1]) : `${answer[1]}\n`)
}

// The request to the DICOM port is not DICOM, so a listener closes the connection at once. If the port is closed, nobody accepts the
// request; if only the kernel accepts it, no answer comes in time.
async function sayWhetherDicomAnswers(r) {
    const reply = await r.subrequest('/_dicom')
    const answers = Number(reply.variables.upstream_bytes_sent) > 0 && reply.status !== 504
    r.headersOut['Content-Type'] = 'application/json'
    r.return(200, JSON.stringify({ answers }))
}

export default { say, sayWhetherDicomAnswers }
