// SPDX-License-Identifier: GPL-3.0-or-later
// A link whose secret is behind the #. It is taken out of the address at once.

const token = window.location.hash.slice(1)
window.history.replaceState(null, '', window.location.pathname)

// Sends it, and says what there is to say. What comes back has `ok`, and what the archive has answered.
export async function send(path, more = {}) {
    const said = document.getElementById('said')
    try {
        const answer = await fetch(path, { method: 'POST', body: JSON.stringify({ token, ...more }) })
        const text = await answer.text()
        const isObject = answer.headers.get('Content-Type') === 'application/json'
        const content = isObject ? JSON.parse(text) : { error: text }
        said.textContent = content.error ?? said.textContent
        return { ok: answer.ok, ...content }
    } catch {
        said.textContent = said.dataset.away
        return { ok: false }
    }
}
