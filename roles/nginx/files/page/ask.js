// SPDX-License-Identifier: GPL-3.0-or-later
// Questions to the archive.

const PATIENCE_MS = 20000

// Where somebody without a session logs in, and comes back from.
export function loginAddress() {
    return `/auth/?url=${encodeURIComponent(btoa(`${window.location.origin}/archive/`))}`
}

async function fetched(path, options) {
    const answer = await fetch(path, { signal: AbortSignal.timeout(PATIENCE_MS), ...options })
    if (!answer.ok) {
        throw Object.assign(new Error(`${path}: ${answer.status}`), { status: answer.status })
    }
    return answer
}

export async function ask(path, options) {
    return (await fetched(path, options)).json()
}

export async function askForText(path) {
    return (await fetched(path)).text()
}

export function post(path, question) {
    return ask(path, { method: 'POST', body: JSON.stringify(question) })
}

// The answer as `value`, or why there is none as `status`: that of HTTP, or 0 if nobody has answered.
export async function attempt(question) {
    try {
        return { value: await question() }
    } catch (error) {
        return { status: error.status || 0 }
    }
}
