// SPDX-License-Identifier: GPL-3.0-or-later
// Opens a share link.

import { send } from './link.js'

const form = document.getElementById('form')
const field = document.getElementById('pin')

async function open(pin) {
    const answer = await send('/share/open', { pin })
    if (answer.ok) {
        window.location.replace(`/viewer?StudyInstanceUIDs=${answer.study}`)
        return
    }
    form.hidden = !answer.pin
    field.value = ''
    field.focus()
}

form.addEventListener('submit', (event) => {
    event.preventDefault()
    open(field.value)
})
await open()
