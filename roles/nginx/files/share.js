// SPDX-License-Identifier: GPL-3.0-or-later
// Opens a share link. Its token is behind the #, and is taken out of the address at once.

const token = window.location.hash.slice(1)
window.history.replaceState(null, '', '/share/')

async function open(pin) {
    const answer = await fetch('/share/open', { method: 'POST', body: JSON.stringify({ token, pin }) }).catch(() => undefined)
    const said = await answer?.json().catch(() => undefined)
    if (answer?.ok) {
        window.location.replace(`/viewer?StudyInstanceUIDs=${said.study}`)
        return
    }
    document.getElementById('said').textContent = said?.error
        ?? (answer?.status === 429 ? 'Too many wrong tries from here: try again later.' : 'The archive does not answer. Try again in a minute.')
    document.getElementById('form').hidden = !said?.pin
    document.getElementById('pin').value = ''
    document.getElementById('pin').focus()
}

document.getElementById('form').addEventListener('submit', (event) => {
    event.preventDefault()
    open(document.getElementById('pin').value)
})
await open()
